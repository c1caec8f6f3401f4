"""A place for one tlsmode-mapd of the build with a Redis of its own: a short folder, unix sockets, no network beyond loopback.

DNS goes to a server that never answers, so that a name costs the deadline and an answer in time needed no question.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from world import grammar  # noqa: E402
from world.daemons import confuse, merged  # noqa: E402
from world.redisd import Client  # noqa: E402
from world.socketmap import Socketmap  # noqa: E402
from world.tap import Tap  # noqa: E402
from world.waiting import wait_for  # noqa: E402

BUILD = os.environ.get("builddir") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build")
GRAMMAR = os.path.join(BUILD, "tests", "lib", "postfix-grammar")
MAPD = os.path.join(BUILD, "tlsmode-mapd")
SHARED = os.path.join(os.environ.get("srcdir") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."), "..", "shared")
ANCHORS = ("/usr/share/dns/root.key", "/etc/unbound/root.key", "/var/lib/unbound/root.key")


class BlackHole:
    """A DNS server that says nothing, and notes how often it was asked."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.where = "127.0.0.1@%d" % self.socket.getsockname()[1]

    def questions(self):
        """The names asked since the last call (roots and priming left out)."""
        names = []
        while True:
            try:
                wire = self.socket.recv(4096)
            except BlockingIOError:
                return names
            name, at = "", 12
            while wire[at]:
                name += wire[at + 1:at + 1 + wire[at]].decode("latin-1") + "."
                at += 1 + wire[at]
            if name:
                names.append(name.lower())


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Checked(Socketmap):
    """A client whose replies are kept for the grammar checker of tests/lib."""

    def __init__(self, room, seconds):
        super().__init__(room.where, seconds)
        self.room = room

    def ask(self, name, key):
        reply = super().ask(name, key)
        self.room.replies.add((name, reply))
        return reply


class Room:
    def __init__(self, conf=None, redis=True):
        self.replies = set()
        self.dir = tempfile.mkdtemp(prefix="mapd.")
        self.programs = []
        self.dns = BlackHole()
        self.redis_path = self.path("redis.sock")
        self.where = "unix:" + self.path("map.sock")
        self.metrics_port = free_port()
        self.mapd = self.redis_program = None
        self.conf = merged({
            "user": "",
            "redis": {"address": "unix:" + self.redis_path},
            "settings": {"snapshot": ""},
            "dns": {"forward": [self.dns.where], "trust_anchor": self.anchor(), "timeout": 1},
            "sts": {"ca_file": self.ca_file(), "allow_private": True, "timeout": 1},
            "mapd": {"listen": [self.where], "socket_group": "", "deadline": 1},
            "metrics": {"listen": "inet:127.0.0.1:%d" % self.metrics_port},
            "log": {"target": "stderr", "level": "debug"},
        }, conf or {})
        if redis:
            self.start_redis()

    def path(self, name):
        return os.path.join(self.dir, name)

    def anchor(self):
        """The root's anchor; where Debian's file is not there, one in its form that nothing here will ever need."""
        for path in ANCHORS:
            if os.path.exists(path):
                return path
        with open(self.path("root.key"), "w") as f:
            f.write(". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n")
        return self.path("root.key")

    def ca_file(self):
        path = "/etc/ssl/certs/ca-certificates.crt"
        if not os.path.exists(path):
            path = self.path("ca.pem")
            subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-keyout",
                            self.path("ca.key"), "-out", path], check=True, stderr=subprocess.DEVNULL)
        return path

    # ---- programs ----

    def run(self, name, words):
        with open(self.path(name + ".log"), "ab") as log:
            program = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.programs.append(program)
        return program

    def start_redis(self, path=None):
        """PATH: another one, of which redis() speaks from then on."""
        self.redis_path = path or self.redis_path
        self.redis_program = self.run("redis", ["redis-server", "--port", "0", "--unixsocket", self.redis_path, "--save", "", "--dir", self.dir])
        wait_for("PONG from redis", self.redis_pings, 20)

    def redis_pings(self):
        try:
            return self.redis("PING") == "PONG"
        except OSError:
            return False

    def redis_client(self):
        return Client("unix:" + self.redis_path)

    def redis(self, *words):
        client = self.redis_client()
        try:
            return client(*words)
        finally:
            client.close()

    def write(self, **sections):
        self.conf = merged(self.conf, sections)
        with open(self.path("tlsmode.conf"), "w") as f:
            f.write(confuse(self.conf))
        return self.path("tlsmode.conf")

    def start(self, *before, **sections):
        """BEFORE: words in front of the command."""
        self.mapd = self.run("mapd", [*before, MAPD, "-f", "-c", self.write(**sections)])
        wait_for("tlsmode-mapd serving", self.serves, 20)

    def serves(self):
        if self.mapd.poll() is not None:
            raise RuntimeError("tlsmode-mapd ended with %s: %s" % (self.mapd.returncode, self.log()[-3000:]))
        try:
            return self.ask("status", "all").startswith("OK ")
        except (OSError, EOFError):
            return False

    def live(self):
        """Awaits that the settings are exact."""
        wait_for("live settings", lambda: '"state":"live"' in self.ask("status", "all"), 10)

    def log(self):
        with open(self.path("mapd.log"), errors="replace") as f:
            return f.read()

    def reload(self, **sections):
        """A reload that must succeed."""
        self.write(**sections)
        before = self.reloads()
        self.mapd.send_signal(signal.SIGHUP)
        wait_for("the reload", lambda: self.reloads() > before, 10)

    def reloads(self):
        return json.loads(self.ask("status", "all")[3:])["counters"]["conf_reloads"]

    def logged(self, pattern, seconds=5):
        return wait_for("a log line " + pattern, lambda: re.search(pattern, self.log()), seconds)

    def try_start(self, *options):
        """The exit status and standard error of a start that is expected to fail at once."""
        done = subprocess.run([MAPD, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=20)
        return done.returncode, done.stderr, done.stdout

    def stop(self, number=signal.SIGTERM, seconds=20):
        self.mapd.send_signal(number)
        status = self.mapd.wait(seconds)
        if status:
            Tap.note("exit %d; log of tlsmode-mapd:\n" % status + self.log()[-8000:])
        return status

    def close(self):
        for program in self.programs:
            if program.poll() is None:
                program.terminate()
                try:
                    program.wait(15)
                except subprocess.TimeoutExpired:
                    program.kill()
                    program.wait()
        shutil.rmtree(self.dir)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind and os.path.exists(self.path("mapd.log")):
            Tap.note("log of tlsmode-mapd:\n" + self.log()[-4000:])
        self.close()

    # ---- questions ----

    def client(self, seconds=30):
        return Checked(self, seconds)

    def ask(self, name, key):
        client = self.client()
        try:
            return client.ask(name, key)
        finally:
            client.close()

    def grammar_fault(self):
        """What tests/lib/postfix-grammar says of every reply so far; "" when Postfix understands them all."""
        versions = {**dict.fromkeys(grammar.PLAIN, "37"), **dict.fromkeys(grammar.TLSRPT, "310")}
        text = "".join("%s\t%s\n" % (versions.get(name, "any"), reply) for name, reply in sorted(self.replies))
        done = subprocess.run([GRAMMAR], input=text.encode(), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        return done.stderr.decode() if done.returncode else ""

    def http(self, path):
        """Status and text."""
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d%s" % (self.metrics_port, path), timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name):
        for line in self.http("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        raise KeyError(name)


def request(name, key):
    text = ("%s %s" % (name, key)).encode()
    return b"%d:%s," % (len(text), text)


def read_all(sock):
    """Until the other side closes."""
    got = b""
    while True:
        try:
            more = sock.recv(65536)
        except ConnectionError:
            return got
        if not more:
            return got
        got += more


def netstrings(data):
    """The payloads of whole netstrings and what is left."""
    found = []
    while b":" in data:
        digits, _, rest = data.partition(b":")
        size = int(digits)
        if len(rest) < size + 1:
            break
        assert rest[size:size + 1] == b",", rest[:80]
        found.append(rest[:size].decode())
        data = rest[size + 1:]
    return found, data


def main(test):
    tap = Tap()
    if not shutil.which("redis-server"):
        print("1..0 # SKIP redis-server is not installed")
        sys.exit(77)
    with tap:
        test(tap)
    sys.exit(tap.exit_status())


__all__ = ["Room", "main", "grammar", "request", "read_all", "netstrings", "wait_for", "free_port", "SHARED", "MAPD", "Socketmap"]
