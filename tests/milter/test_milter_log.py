#!/usr/bin/env python3
"""A log that nobody reads stops nothing: tlsmode-milter with a full pipe as standard error, and with a stopped syslogd."""
import contextlib
import os
import re
import signal
import subprocess
import sys

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from milter_client import Closed, Session  # noqa: E402
from milter_room import PROGRAM, Milter, main, same, test, wait_for  # noqa: E402
from stuck_log import FullPipe, StoppedSyslogd  # noqa: E402

MESSAGES = 5000  # their lines are more than are kept


class SilentMilter(Milter):
    """Nobody reads its log: what it has to say cannot be awaited there."""

    def __init__(self, world, **options):
        folder = os.path.join(world.folder, "silent%d" % len(world.milters))
        os.mkdir(folder)
        super().__init__(folder, world.redis.path, level="debug", **options)
        world.milters.append(self)

    def start_into(self, stderr, *before):
        self.write_conf()
        self.process = subprocess.Popen([*before, PROGRAM, "-f", "-c", self.file], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr)
        wait_for("a session", self.answers)

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError("the milter ended with %s" % self.process.returncode)
        with contextlib.suppress(OSError, Closed):
            return bool(self.mode_of("<a@enf.test>"))

    def log(self):
        return ""


def flood(m):
    with contextlib.closing(Session(m.address())) as s:
        for i in range(MESSAGES):
            s.message("<a@enf.test>", queue_id="Q%d" % i)
            assert i % 1000 or s.tags(), "message %d has no tag" % i
        assert s.tags(), "the last message has no tag"


def bad_greetings(m):
    """libmilter itself has something to say of each, and ends the session."""
    for _ in range(20):
        with contextlib.closing(Session(m.address(), negotiate=False)) as s:
            s.send(b"O", b"\0\0\0\6")  # too short
            try:
                s.receive()
            except Closed:
                continue
            raise AssertionError("an answer to half a greeting")


def unread(m, target):
    assert target.stuck(), "the fault is not there"
    flood(m)
    bad_greetings(m)
    m.process.send_signal(signal.SIGUSR1)  # a reload opens the log again
    flood(m)
    assert m.mode_of("<a@enf.test>")
    assert target.stuck(), "the fault did not bite"
    text = target.read(r"event=log_dropped [^\n]*do=")
    told = re.search(r"event=log_dropped lines=(\d+) errors=0 ", text)
    assert told, text[-1000:]
    kept = len(re.findall(r"Q\d+: event=", text))
    assert 1000 < kept < 4 * MESSAGES and kept + int(told.group(1)) >= 4 * MESSAGES, (kept, told.group(0))
    assert text.find("event=started") < text.find("Q0: event=") < text.find("event=log_dropped")


def ends(m, target):
    while not target.stuck():
        flood(m)
    flood(m)
    assert target.stuck()
    m.process.terminate()
    try:
        same(m.process.wait(15), 0)
    except subprocess.TimeoutExpired:
        m.process.kill()
        raise AssertionError("SIGTERM did not end it within 15 s") from None


@test("a full pipe: 10,000 messages are tagged, a reload is taken, SIGTERM ends it; read again, it says what was dropped")
def full_pipe(w, unused):
    with contextlib.closing(FullPipe()) as pipe:
        assert pipe.filled + 4096 > pipe.size()
        m = SilentMilter(w)
        m.start_into(pipe.writer)
        unread(m, pipe)
        ends(m, pipe)


@test("a full pipe: a start that fails ends with its status")
def failed_start(w, unused):
    with contextlib.closing(FullPipe()) as pipe:
        m = SilentMilter(w)
        with open(m.file, "w") as f:
            f.write("garbage\n")
        same(subprocess.run([PROGRAM, "-f", "-c", m.file], stdin=subprocess.DEVNULL, stderr=pipe.writer, timeout=20).returncode, 78)
        assert pipe.stuck()


@test("a stopped syslogd: the same, and what libmilter says for itself is not waited for")
def stopped_syslogd(w, unused):
    with contextlib.closing(StoppedSyslogd(os.path.join(w.folder, "log.sock"))) as syslogd:
        if syslogd.missing():
            return syslogd.missing()
        m = SilentMilter(w, target="syslog")
        m.start_into(subprocess.DEVNULL, *syslogd.before())
        unread(m, syslogd)
        ends(m, syslogd)
    return None


@test("what libmilter says for itself is a line of our log")
def libmilter_words(w, m):
    bad_greetings(m)
    m.wait_log('event=libmilter text="')


@test("a FIFO as configuration is refused at once, at the start and at a reload")
def fifo(w, m):
    path = os.path.join(w.folder, "fifo.conf")
    os.mkfifo(path)
    done = subprocess.run([PROGRAM, "-f", "-c", path], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=20)
    same((done.returncode, done.stderr), (78, "tlsmode-milter: %s: cannot read the configuration: not a regular file\n" % path))
    os.rename(m.file, m.file + ".kept")
    os.mkfifo(m.file)
    m.process.send_signal(signal.SIGUSR1)
    m.wait_log("not a regular file")
    assert m.mode_of("<a@enf.test>")
    os.unlink(m.file)
    m.reload()


if __name__ == "__main__":
    sys.exit(main())
