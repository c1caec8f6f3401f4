"""redis-server on a unix socket without persistence, and the little of its protocol that tests need (RESP2)."""
import os
import socket

from .procs import Program
from .waiting import wait_for

ACCOUNT = (7463, 7463, ())


class RedisError(Exception):
    pass


class Client:
    """A connection of its own, for writes whose time is measured; cli() of Redis is for everything else."""

    def __init__(self, where):
        if where.startswith("unix:"):
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.connect(where[len("unix:"):])
        else:
            self.socket = socket.create_connection(where.rsplit(":", 1))
        self.file = self.socket.makefile("rb")

    def __call__(self, *words):
        words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
        self.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        return self.reply()

    def reply(self):
        line = self.file.readline()
        if not line:
            raise EOFError("redis closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RedisError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest.decode()
        if int(rest) < 0:
            return None
        if kind == b"$":
            return self.file.read(int(rest) + 2)[:-2].decode("utf-8", "replace")
        return [self.reply() for _ in range(int(rest))]

    def close(self):
        self.file.close()
        self.socket.close()


class Redis:
    def __init__(self, space, port=0, conf=""):
        self.space = space
        self.path = "/run/redis/redis-server.sock" if not port else None
        self.where = "unix:" + self.path if self.path else "127.0.0.1:%d" % port
        text = "bind 127.0.0.1\nport %d\nsave \"\"\nappendonly no\ndaemonize no\nmaxmemory-policy noeviction\n" % port
        if self.path:
            text += "unixsocket %s\nunixsocketperm 777\n" % self.path
        self.conf = space.write("redis.conf", text + conf)
        self.program = None

    def start(self):

        account = None
        if self.path:
            os.makedirs(os.path.dirname(self.path), exist_ok=True)
            os.chown(os.path.dirname(self.path), ACCOUNT[0], ACCOUNT[1])
            account = ACCOUNT
        self.program = Program(self.space, "redis", ["redis-server", self.conf], account)
        wait_for("PONG from redis", lambda: self.program.insist() and self.pings(), 20)

    def pings(self):
        try:
            return self.connect()("PING") == "PONG"
        except (OSError, EOFError, RedisError):
            return False

    def connect(self):
        return Client(self.where)

    def cli(self, *words):
        """One command on a fresh connection; its reply."""
        client = self.connect()
        try:
            return client(*words)
        finally:
            client.close()

    def stop(self, **how):
        return self.program.stop(**how)
