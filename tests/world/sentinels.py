"""One Redis master, its replicas and the sentinels that watch them, each a redis-server of its own; and a sentinel of paper.

Failovers are fast here: a master is down after DOWN_MS, and Sentinel's periods are cut (SENTINEL DEBUG, where there is one). But a
sentinel makes what it takes for a replica one again after four publish-periods, and the one that promotes it may notice its own
success a second late: shorter ones undo failovers.
"""
import contextlib
import os
import signal
import socket
import socketserver
import ssl
import subprocess
import threading
import time

from .redisd import Client, RedisError
from .waiting import wait_for

DOWN_MS = 400
FAILOVER_MS = 3000
FAST = {"info-period": "200", "publish-period": "500", "ping-period": "200", "ask-period": "200"}


def free_port(address="127.0.0.1"):
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as s:
        s.bind((address, 0))
        return s.getsockname()[1]


class Member:
    """A redis-server with CONF; with SENTINEL it is one."""
    address = "127.0.0.1"

    def __init__(self, folder, name, conf, sentinel=False, password=None):
        self.name, self.port, self.password = name, free_port(self.address), password
        self.where = "%s:%d" % (self.address, self.port)
        self.folder = os.path.join(folder, name)
        conf += "requirepass %s\n" % password if password else ""
        os.makedirs(self.folder)
        self.words = ["redis-server", os.path.join(self.folder, "conf")] + ["--sentinel"] * sentinel
        with open(self.words[1], "w") as f:
            f.write("port %d\nbind %s\ndir %s\nprotected-mode no\nlogfile %s/log\n%s" % (
                self.port, self.address, self.folder, self.folder, conf))
        self.process = self.kept = None

    def start(self):
        self.process = subprocess.Popen(self.words, stdin=subprocess.DEVNULL, start_new_session=True)
        wait_for("PONG from " + self.name, self.pings, 20)
        return self

    def pings(self):
        if self.process.poll() is not None:
            raise RuntimeError("%s ended with %d: %s" % (self.name, self.process.returncode, self.log()[-2000:]))
        try:
            return self.cli("PING") == "PONG"
        except (OSError, EOFError, RedisError):
            return False

    def log(self):
        with open(os.path.join(self.folder, "log"), errors="replace") as f:
            return f.read()

    def connect(self):
        client = Client(self.where)
        if self.password:
            client("AUTH", self.password)
        return client

    def cli(self, *words):
        """On one connection that is kept: hundreds in TIME_WAIT would take other tests' ports. Sentinel ends it at a failover."""
        try:
            if self.kept:
                return self.kept(*words)
        except (OSError, EOFError):
            pass
        self.kept = None
        client = self.connect()
        answer = client(*words)
        self.kept = client
        return answer

    def info(self, name):
        """A field of INFO replication; None while nobody answers."""
        try:
            lines = self.cli("INFO", "replication").splitlines()
        except (OSError, EOFError, RedisError):
            return None
        return dict(line.split(":", 1) for line in lines if ":" in line).get(name)

    def send(self, number):
        self.process.send_signal(number)

    def stop(self, number=signal.SIGKILL):
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
            self.process.wait()
            self.process = None

    def forget(self):
        """While it is stopped: what a synchronisation with replicas has left on its disk."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.folder, "dump.rdb"))


class SentinelSet:
    """The first of SERVERS is the master at the beginning. PASSWORD: of all of them, sentinels too."""

    def __init__(self, folder, replicas=1, sentinels=3, quorum=2, name="tlsmode", password=None):
        self.name, self.replicas, self.ordered = name, replicas, None
        plain = "save \"\"\nappendonly no\nrepl-diskless-sync-delay 0\n" + ("masterauth %s\n" % password if password else "")
        first = Member(folder, "redis1", plain, password=password)
        replica = plain + "replicaof %s %d\n" % (first.address, first.port)
        self.servers = [first] + [Member(folder, "redis%d" % (i + 2), replica, password=password) for i in range(replicas)]
        watch = "sentinel monitor %s %s %d %d\n" % (name, first.address, first.port, quorum)
        watch += "sentinel down-after-milliseconds %s %d\nsentinel failover-timeout %s %d\n" % (name, DOWN_MS, name, FAILOVER_MS)
        watch += "sentinel auth-pass %s %s\nsentinel sentinel-pass %s\n" % (name, password, password) if password else ""
        self.sentinels = [Member(folder, "sentinel%d" % (i + 1), watch, True, password) for i in range(sentinels)]

    def addresses(self):
        return [s.where for s in self.sentinels]

    def start(self):
        for server in self.servers:
            server.start()
        for server in self.servers[1:]:
            wait_for("the link of " + server.name, lambda: server.info("master_link_status") == "up", 20)
        for sentinel in self.sentinels:
            sentinel.start()
        for sentinel in self.sentinels:
            try:
                sentinel.cli("SENTINEL", "DEBUG", *[word for pair in FAST.items() for word in pair])
            except RedisError:
                pass  # before Redis 7
        wait_for("sentinels that know each other and the replicas", lambda: all(map(self.complete, self.sentinels)), 30)
        return self

    def complete(self, sentinel):
        flat = sentinel.cli("SENTINEL", "MASTER", self.name)
        facts = dict(zip(flat[::2], flat[1::2]))
        return (int(facts["num-slaves"]), int(facts["num-other-sentinels"])) == (self.replicas, len(self.sentinels) - 1)

    def settle(self):
        """After a failover: all sentinels name the same master, and every server that runs but it is its replica in step."""
        wait_for("one master by all sentinels", lambda: len({self.told(s) for s in self.sentinels if s.process}) == 1, 20)
        for server in self.servers:
            if server.process and server is not self.master():
                wait_for("the link of " + server.name, lambda: server.info("master_link_status") == "up", 20)

    def told(self, sentinel):
        host, port = sentinel.cli("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.name)
        return "%s:%s" % (host, port)

    def master(self):
        """The server that the first sentinel which runs names."""
        told = next(self.told(s) for s in self.sentinels if s.process)
        return next(s for s in self.servers if s.where == told)

    def failover(self):
        """By an operator's word; begun when this returns. Sentinel may give it up: moved() sees to it."""
        wait_for("a failover begun", self.order_failover, 20, 0.1)
        self.ordered = time.monotonic()

    def moved(self, old):
        """Whether another than OLD is the master. An ordered failover that has not come after twice its time was given up (a busy
        machine): it is ordered again."""
        if self.master() is not old:
            self.ordered = None
            return True
        if self.ordered and time.monotonic() - self.ordered > 2 * FAILOVER_MS / 1000 and self.order_failover():
            self.ordered = time.monotonic()
        return False

    def order_failover(self):
        try:
            return self.sentinels[0].cli("SENTINEL", "FAILOVER", self.name) == "OK"
        except RedisError:  # "NOGOODSLAVE": it has heard nothing of the replica for a while
            return False

    def stop(self):
        for member in self.sentinels + self.servers:
            member.stop()


class PaperSentinel:
    """Answers what the test tells it to. MASTER: (host, port), None (unknown); ACCOUNT: (user, password) that it asks for; MUTE:
    takes connections and says nothing; TLS: (certificate, key). What it was asked is in .heard, a list of lists of words."""

    def __init__(self, master=None, account=None, mute=False, address="127.0.0.1", tls=None):
        self.master, self.account, self.mute, self.heard, self.ears = master, account, mute, [], []
        self.raw = None  # bytes instead of every reply

        class Handler(socketserver.StreamRequestHandler):
            def handle(handler):  # noqa: N805
                self.serve(handler)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            block_on_close = False
            address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.server = Server((address, 0), Handler)
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.where = ("[%s]:%d" if ":" in address else "%s:%d") % (address, self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def serve(self, handler):
        known = self.account is None
        try:
            while words := self.read(handler.rfile):
                self.heard.append(words)
                if self.mute:
                    continue
                if words[0] == "AUTH":
                    known = known or tuple(words[1:]) == self.account
                    reply = b"+OK\r\n" if known else b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
                else:
                    reply = self.reply(words, handler) if known else b"-NOAUTH Authentication required.\r\n"
                handler.wfile.write(reply)
        except (OSError, ValueError):
            pass
        finally:
            self.ears = [e for e in self.ears if e is not handler]

    @staticmethod
    def read(stream):
        line = stream.readline()
        if not line:
            return None
        words = []
        for _ in range(int(line[1:])):
            words.append(stream.read(int(stream.readline()[1:]) + 2)[:-2].decode())
        return words

    @staticmethod
    def pack(*words):
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words)

    def reply(self, words, handler):
        if self.raw is not None:
            return self.raw
        if words[0] == "SENTINEL":
            return self.pack(self.master[0], str(self.master[1])) if self.master else b"*-1\r\n"
        if words[0] == "SUBSCRIBE":
            self.ears.append(handler)
            return b"*3\r\n$9\r\nsubscribe\r\n$14\r\n+switch-master\r\n:1\r\n"
        return b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"

    def announce(self, text):
        """A message on +switch-master to all who listen."""
        for ear in self.ears:
            ear.wfile.write(self.pack("message", "+switch-master", text))

    def hang_up(self):
        """Ends the connections of all who listen."""
        for ear in list(self.ears):
            ear.connection.shutdown(socket.SHUT_RDWR)

    def asked(self, word):
        return sum(1 for words in list(self.heard) if words[0] == word)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
