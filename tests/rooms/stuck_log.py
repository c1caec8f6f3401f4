"""Targets of a log that do not read: a pipe that is full, a syslogd that is stopped. Each can prove that it holds writers up."""
import contextlib
import fcntl
import os
import re
import select
import socket
import subprocess

PAGE = b"f" * 4095 + b"\n"

# In a mount namespace of its own: a /dev with what programs need, and /dev/log is the socket $1. No fork: the process id stays.
PRIVATE_DEV = """
set -e
socket=$1; old=$2; shift 2
mount --rbind /dev "$old"
mount -t tmpfs none /dev
for name in null zero full random urandom; do
	: > /dev/$name
	mount --bind "$old/$name" /dev/$name
done
mkdir /dev/shm
: > /dev/log
mount --bind "$socket" /dev/log
exec "$@"
"""


class FullPipe:
    """Nobody reads it until read() is called; full from the start."""

    def __init__(self):
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.filled = 0
        self.fill()

    def fill(self):
        """With lines, by a descriptor of our own that does not wait: the programs' is untouched."""
        fd = os.open("/proc/self/fd/%d" % self.writer, os.O_WRONLY | os.O_NONBLOCK)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.filled += os.write(fd, PAGE)
        os.close(fd)

    def stuck(self):
        """Would a write wait now? Asked by one that does not; of a page, because less may find room behind what stands there."""
        fd = os.open("/proc/self/fd/%d" % self.writer, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(fd, PAGE)
        except BlockingIOError:
            return True
        finally:
            os.close(fd)
        return False

    def size(self):
        return fcntl.fcntl(self.writer, fcntl.F_GETPIPE_SZ)

    def read(self, pattern, seconds=20):
        """All that comes until PATTERN does, without the filling; '' when it does not come."""
        return read_until(self.reader, lambda: os.read(self.reader, 65536), pattern, seconds)

    def close(self):
        for fd in (self.reader, self.writer):
            with contextlib.suppress(OSError):
                os.close(fd)


class StoppedSyslogd:
    """A socket at PATH as syslogd has it, with nobody behind it until read() is called; full from the start."""

    def __init__(self, path):
        self.path, self.old = path, path + ".dev"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.setblocking(False)
        os.chmod(path, 0o666)
        os.mkdir(self.old)
        while not self.stuck():
            pass

    def stuck(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.setblocking(False)
            client.connect(self.path)
            try:
                client.send(b"<22>filling")
            except BlockingIOError:
                return True
        return False

    def before(self):
        """Words in front of a command for which this is /dev/log."""
        return ["unshare", *([] if os.geteuid() == 0 else ["-r"]), "-m", "sh", "-c", PRIVATE_DEV, "sh", self.path, self.old]

    def missing(self):
        """Why this cannot be had here, or ''."""
        try:
            done = subprocess.run([*self.before(), "test", "-S", "/dev/log"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60)
        except OSError as error:
            return str(error)
        return "" if done.returncode == 0 else "no mount namespace: " + done.stderr.strip()

    def read(self, pattern, seconds=20):
        return read_until(self.socket, lambda: self.socket.recv(65536) + b"\n", pattern, seconds)

    def close(self):
        self.socket.close()


def read_until(source, more, pattern, seconds):
    got = b""
    while not re.search(pattern.encode(), got):
        if not select.select([source], [], [], seconds)[0]:
            return ""
        got += more()
    return "\n".join(line for line in got.decode("utf-8", "replace").splitlines() if not line.startswith("ffff") and "filling" not in line)
