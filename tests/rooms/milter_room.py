"""What the tests of tlsmode-milter share: a real redis-server, milters that end with it, and a runner that speaks TAP."""
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from milter_client import Session

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ.setdefault("TSAN_OPTIONS", "suppressions=" + os.path.join(HERE, "..", "tsan.supp"))
PROGRAM = os.path.join(os.environ.get("builddir", "."), "tlsmode-milter")
DEADLINE = 20.0  # seconds until something that must happen counts as not happening


def wait_for(what, test, deadline=DEADLINE):
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        got = test()
        if got:
            return got
        time.sleep(0.005)
    raise AssertionError("not within %gs: %s" % (deadline, what))


class Redis:
    def __init__(self, folder):
        self.path = os.path.join(folder, "redis.sock")
        self.folder = folder
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            ["redis-server", "--port", "0", "--unixsocket", self.path, "--unixsocketperm", "777", "--save", "", "--appendonly", "no", "--dir", self.folder],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("redis answers", self.answers)

    def answers(self):
        with contextlib.suppress(OSError):
            return self.do("PING") == b"+PONG\r\n"

    def do(self, *words):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(5)
            s.connect(self.path)
            s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w.encode()), w.encode()) for w in words))
            return s.recv(65536)

    def sender(self, domain, mode):
        self.do("HSET", "tlsmode:sender:" + domain, "mode", mode)

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


class Milter:
    def __init__(self, folder, redis_path, **options):
        self.folder = folder
        self.file = os.path.join(folder, "tlsmode.conf")
        self.log_file = os.path.join(folder, "log")
        self.socket = os.path.join(folder, "milter.sock")
        self.options = {"redis_address": "unix:" + redis_path, "user": "", "group": "", "listen": "unix:" + self.socket}
        self.options.update(options)
        self.process = None

    def write_conf(self, **change):
        self.options.update(change)
        o = self.options
        text = 'user = "%s"\nredis { address = "%s" }\n' % (o["user"], o["redis_address"])
        text += 'settings { snapshot = "%s" when_unknown = "%s" }\n' % (o.get("snapshot", ""), o.get("when_unknown", "tempfail"))
        text += 'log { target = %s level = %s }\n' % (o.get("target", "stderr"), o.get("level", "info"))
        text += 'milter { listen = "%s" socket_group = "%s" %s }\n' % (o["listen"], o["group"], o.get("milter", ""))
        with open(self.file, "w") as f:
            f.write(text)

    def start(self, wait=True):
        self.write_conf()
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen([PROGRAM, "-f", "-c", self.file], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            self.wait_log("event=started")

    def log(self):
        with open(self.log_file, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, text, count=1):
        def there():
            if self.process.poll() is not None and self.log().count(text) < count:
                raise AssertionError("the milter ended with %s:\n%s" % (self.process.returncode, self.log()[-3000:]))
            return self.log().count(text) >= count
        wait_for("log line " + text, there)

    def reload(self, result="event=reload status=ok", sig=signal.SIGUSR1, **change):
        count = self.log().count(result)
        self.write_conf(**change)
        self.process.send_signal(sig)
        self.wait_log(result, count + 1)

    def mode_of(self, sender, **kw):
        with contextlib.closing(Session(self.address())) as s:
            s.message(sender, **kw)
            return s.tags()

    def address(self):
        return self.socket

    def stop(self):
        """Ends it and returns the exit status."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode if self.process else None


class World:
    """A folder, a redis-server with settings, and milters that end with it."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tlsmode-milter-")
        os.chmod(self.folder, 0o755)
        self.redis = Redis(self.folder)
        self.milters = []

    def __enter__(self):
        self.redis.start()
        for domain, mode in (("opp.test", "opportunistic"), ("enf.test", "enforced"), ("ver.test", "verified"),
                             (".sub.test", "enforced"), ("<>", "enforced"), ("xn--bcher-kva.test", "verified")):
            self.redis.sender(domain, mode)
        return self

    def __exit__(self, *unused):
        for m in self.milters:
            m.stop()
        self.redis.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def milter(self, wait=True, **options):
        folder = os.path.join(self.folder, "m%d" % len(self.milters))
        os.mkdir(folder)
        m = Milter(folder, self.redis.path, **options)
        self.milters.append(m)
        m.start(wait)
        return m


# ---- the tests: each gets a world and the milter that most of them share ----
TESTS = []


def test(name):
    def add(fn):
        TESTS.append((name, fn))
        return fn
    return add


def same(got, wanted):
    if got != wanted:
        raise AssertionError("got %r, wanted %r" % (got, wanted))


def session(m, **kw):
    return contextlib.closing(Session(m.address(), **kw))


def run(*args):
    return subprocess.run([PROGRAM, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)


def main():
    if not shutil.which("redis-server"):
        print("1..0 # SKIP no redis-server")
        return 0
    only = sys.argv[1:]
    failed = 0
    tests = [t for t in TESTS if not only or t[1].__name__ in only]
    print("1..%d" % len(tests), flush=True)
    with World() as w:
        m = w.milter()
        for i, (name, fn) in enumerate(tests, 1):
            try:
                skip = fn(w, m)
                print("ok %d - %s%s" % (i, name, " # SKIP " + skip if skip else ""), flush=True)
            except Exception as e:
                failed += 1
                print("not ok %d - %s" % (i, name))
                for line in traceback.format_exc().splitlines() + m.log().splitlines()[-5:]:
                    print("# " + line[:1000])
                sys.stdout.flush()
                if m.process.poll() is not None and not isinstance(e, KeyboardInterrupt):
                    print("# the milter ended with %s" % m.process.returncode)
    return 1 if failed else 0
