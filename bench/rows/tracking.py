"""What Redis does: a meter; and clients that track as a node does, throw everything away, and so stand for hundreds of nodes."""
import os
import resource
import select
import subprocess
import sys

from world.redisd import Client

PREFIXES = ("sender:", "rcpt:", "except:", "accept:", "sts:")  # src/io/redis/redis_setup.c


class Meter:
    """What Redis did since it was made: commands by name, octets it sent, its processor time; less what reading that costs."""

    def __init__(self, redis):
        self.client = redis.connect()
        self.read()
        first = self.read()
        self.before = self.read()
        self.own = [b - a for a, b in zip(first[1:], self.before[1:])]

    def read(self):
        """(calls by name, octets sent, seconds)"""
        calls, sent, cpu = {}, 0, 0.0
        for line in self.client("INFO", "everything").splitlines():
            name, _, rest = line.partition(":")
            if name.startswith("cmdstat_"):
                calls[name[len("cmdstat_"):]] = int(rest.split(",")[0].partition("=")[2])
            elif name == "total_net_output_bytes":
                sent = int(rest)
            elif name in ("used_cpu_sys", "used_cpu_user"):
                cpu += float(rest)
        return calls, sent, cpu

    def since(self):
        calls, sent, cpu = self.read()
        new = {n: c - self.before[0].get(n, 0) for n, c in calls.items() if n != "info" and c != self.before[0].get(n, 0)}
        return new, sent - self.before[1] - self.own[0], cpu - self.before[2] - self.own[1]


def used_memory(redis):
    return int(next(line for line in redis.cli("INFO", "memory").splitlines() if line.startswith("used_memory:")).partition(":")[2])


class Paper:
    """A process with MANY pairs of connections that track as io/redis_setup does, and read what they are told."""

    def __init__(self, redis, many):
        self.process = subprocess.Popen([sys.executable, "-m", __name__, redis.where, str(many)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        if self.process.stdout.readline() != b"ready\n":
            raise RuntimeError("the clients could not connect")

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def paper_main(where, many):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    poll, kept = select.epoll(), {}
    for _ in range(many):
        push, data = Client(where), Client(where)
        number = push("CLIENT", "ID")
        push("SUBSCRIBE", "__redis__:invalidate")
        words = [w for p in PREFIXES for w in ("PREFIX", "tlsmode:" + p)]
        data("CLIENT", "TRACKING", "ON", "REDIRECT", number, "BCAST", "NOLOOP", *words)
        push.socket.setblocking(False)
        kept[push.socket.fileno()] = (push, data)
        poll.register(push.socket.fileno(), select.EPOLLIN)
    poll.register(0, select.EPOLLIN | select.EPOLLHUP)
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll():
            if fd == 0:
                return
            kept[fd][0].socket.recv(1 << 16)


if __name__ == "__main__":
    paper_main(sys.argv[1], int(sys.argv[2]))
