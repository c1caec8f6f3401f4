"""A private redis-server and a redis_probe, for the tests of io/redis, io/mirror and io/fact_store. Standard library only."""
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

DEADLINE = float(os.environ.get("TEST_DEADLINE", "30"))


class Tap:
    """Collects tests (functions) and runs them as TAP."""

    def __init__(self):
        self.tests = []

    def test(self, name):
        def keep(fn):
            self.tests.append((name, fn))
            return fn
        return keep

    def run(self):
        only = sys.argv[1:]
        tests = [t for t in self.tests if not only or t[1].__name__ in only]
        if shutil.which("redis-server") is None:
            print("1..0 # SKIP redis-server is not installed")
            return
        print("1..%d" % len(tests), flush=True)
        failed = 0
        for number, (name, fn) in enumerate(tests, 1):
            world = World()
            try:
                fn(world)
                world.close()
                print("ok %d - %s" % (number, name), flush=True)
            except Exception as e:  # a test's failure, with what led to it
                failed += 1
                for line in ("%s: %s\n%s" % (type(e).__name__, e, world.logs())).splitlines():
                    print("# " + line)
                world.close(check=False)
                print("not ok %d - %s" % (number, name), flush=True)
            finally:
                world.remove()
        sys.exit(1 if failed else 0)


def note(text):
    print("# " + text, flush=True)


def check(ok, why):
    if not ok:
        raise AssertionError(why)


def until(fn, what, deadline=None):
    """Waits until FN() is true."""
    end = time.monotonic() + (deadline or DEADLINE)
    while True:
        got = fn()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError("in vain: " + what)
        time.sleep(0.002)


class RedisError(Exception):
    pass


class Client:
    """A small RESP2 client; pipelines."""

    def __init__(self, path=None, port=None, auth=None):
        if path:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(path)
        else:
            self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.settimeout(DEADLINE)
        self.file = self.sock.makefile("rb")
        if auth:
            self.cmd("AUTH", *auth)

    @staticmethod
    def pack(args):
        out = [b"*%d\r\n" % len(args)]
        for a in args:
            a = a if isinstance(a, bytes) else str(a).encode()
            out.append(b"$%d\r\n%s\r\n" % (len(a), a))
        return b"".join(out)

    def read(self):
        line = self.file.readline()
        if not line:
            raise EOFError("redis-server hung up")
        kind, rest = line[:1], line[1:-2]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            return RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        n = int(rest)
        if n < 0:
            return None
        if kind == b"$":
            data = self.file.read(n + 2)[:-2]
            return data.decode("utf-8", "replace")
        return [self.read() for _ in range(n)]

    def cmd(self, *args):
        self.sock.sendall(self.pack(args))
        reply = self.read()
        if isinstance(reply, RedisError):
            raise reply
        return reply

    def pipeline(self, commands, chunk=2000):
        replies = []
        for i in range(0, len(commands), chunk):
            part = commands[i:i + chunk]
            self.sock.sendall(b"".join(self.pack(c) for c in part))
            for _ in part:
                reply = self.read()
                if isinstance(reply, RedisError):
                    raise reply
                replies.append(reply)
        return replies

    def close(self):
        self.file.close()
        self.sock.close()


class Server:
    def __init__(self, folder, tcp=False, args=()):
        self.folder = folder
        self.path = os.path.join(folder, "redis.sock")
        self.port = 0
        self.args = list(args)
        if tcp:
            with socket.socket() as s:
                s.bind(("127.0.0.1", 0))
                self.port = s.getsockname()[1]
        self.process = None
        self.start()

    @property
    def address(self):
        return "127.0.0.1:%d" % self.port if self.port else "unix:" + self.path

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--unixsocket", self.path, "--save", "",
             "--dir", self.folder, "--loglevel", "warning", "--logfile", os.path.join(self.folder, "redis.log")] + self.args,
            stdin=subprocess.DEVNULL)

        def answers():
            try:
                c = self.client()
                c.sock.sendall(b"PING\r\n")
                got = c.read()
                c.close()
                return got == "PONG" or "NOAUTH" in str(got)
            except OSError:
                return False
        until(answers, "redis-server answers")

    def client(self, auth=None):
        return Client(path=self.path, auth=auth)

    def stop(self, sig=signal.SIGKILL):
        if self.process:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(sig)
            self.process.wait()
            self.process = None

    def signal(self, sig):
        self.process.send_signal(sig)


class Probe:
    """redis_probe under our command. Events are lists of words."""

    def __init__(self, world, address, before=(), program=None, **options):
        """BEFORE: words in front of the command; PROGRAM: what runs redis_probe."""
        self.log_path = os.path.join(world.folder, "probe%d.log" % len(world.probes))
        program = program or os.environ.get("REDIS_PROBE") or os.path.join(os.environ.get("builddir", "."), "redis_probe")
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen([*before, program, address] + ["%s=%s" % o for o in options.items()],
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1)
        self.events = []
        self.answers = queue.Queue()
        self.worst_us = self.worst_cpu_us = 0
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        world.probes.append(self)

    def _read(self):
        answer = []
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if line == ".":
                self.answers.put(answer)
                answer = []
            elif line.startswith("= "):
                answer.append(line[2:])
            elif line.startswith("worst_us"):
                self.worst_us, self.worst_cpu_us = [int(n) for n in line.split()[1:]]
            else:
                self.events.append(line.split(" "))

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        return self.answers.get(timeout=DEADLINE)

    def counts(self):
        words, _, error = self.ask("counts")[0].partition(" error=")
        return dict([w.split("=", 1) for w in words.split(" ")], error=error)

    def state(self):
        return self.counts()["state"]

    def mode(self, domain):
        return self.ask("sender " + domain)[0].split()[0]

    def dump(self):
        return sorted(self.ask("dump"))

    def wait_state(self, state, deadline=None):
        until(lambda: self.state() == state, "state " + state, deadline)

    def wait_mode(self, domain, mode, deadline=None):
        until(lambda: self.mode(domain) == mode, "%s is %s" % (domain, mode), deadline)

    def wait_event(self, *words, since=0, deadline=None):
        """The first event from index SINCE on that has all WORDS."""
        def find():
            for e in self.events[since:]:
                if all(w in e for w in words):
                    return e
            return None
        return until(find, "event " + " ".join(words), deadline)

    def log(self):
        with open(self.log_path) as f:
            return f.read()

    def wait_log(self, text, deadline=None):
        until(lambda: text in self.log(), "log line with " + text, deadline)

    def quit(self, check_code=True):
        if self.process.poll() is None:
            try:
                self.process.stdin.write("quit\n")
                self.process.stdin.close()
            except OSError:
                pass
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.thread.join()
        code = self.process.returncode
        if check_code and code != 0:
            raise AssertionError("redis_probe ended with %s" % code)


class World:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tlsmode-redis-")
        self.servers = []
        self.probes = []
        self.extra = []  # whatever else has a stop()

    def server(self, **options):
        folder = os.path.join(self.folder, "r%d" % len(self.servers))
        os.mkdir(folder)
        s = Server(folder, **options)
        self.servers.append(s)
        return s

    def probe(self, server, **options):
        return Probe(self, server if isinstance(server, str) else server.address, **options)

    def file(self, name):
        return os.path.join(self.folder, name)

    def logs(self):
        return "\n".join("\n".join(p.log().splitlines()[-30:]) for p in self.probes)

    def close(self, check=True):
        try:
            for p in self.probes:
                p.quit(check)
        finally:
            for s in self.servers + self.extra:
                s.stop()

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def expected(client, prefix="tlsmode:"):
    """What a mirror should dump for hashes made of plain valid fields, read from Redis by another road (KEYS)."""
    out = []
    keys = [k for k in client.cmd("KEYS", prefix + "*") if k[len(prefix):].partition(":")[0] in ("sender", "rcpt", "except")]
    replies = client.pipeline([c for k in keys for c in (("HGETALL", k), ("PTTL", k))])
    order = ("mode", "via", "match", "dane", "sts", "plaintext", "for")
    for key, flat, ends in zip(keys, replies[::2], replies[1::2]):
        kind, _, name = key[len(prefix):].partition(":")
        fields = dict(zip(flat[::2], flat[1::2]))
        ends = 1 if ends > 0 else 0
        out.append("%s %s %d 0%s" % (kind, name, ends, "".join(" %s=%s" % (f, fields[f]) for f in order if f in fields)))
    return sorted(out)
