"""Another tlsmode-mapd with the configuration of Daemons, on the same Redis: a socket and a snapshot of its own, no metrics."""
import os
import signal
import threading

from .daemons import confuse, merged
from .procs import Program
from .socketmap import Socketmap
from .waiting import wait_for


class Node:
    """NUMBER tells it from the others. Not started yet."""

    def __init__(self, daemons, number):
        self.daemons, self.name = daemons, "mapd%d" % number
        folder = os.path.dirname(daemons.where.partition(":")[2])
        self.where = "unix:%s/map%d.sock" % (folder, number)
        state = os.path.dirname(daemons.conf["settings"]["snapshot"])
        conf = merged(daemons.conf, {"mapd": {"listen": [self.where]}, "metrics": {"listen": ""},
                                     "settings": {"snapshot": "%s/settings%d" % (state, number)}})
        self.conf = daemons.space.write(self.name + ".conf", confuse(conf))
        self.program = None

    def begin(self):
        """Starts it; start() also waits until it answers."""
        self.program = Program(self.daemons.space, self.name, [self.daemons.program("tlsmode-mapd"), "-f", "-c", self.conf])

    def start(self):
        self.begin()
        return self.await_answer()

    def await_answer(self):
        wait_for("an answer from " + self.name, lambda: self.program.insist() and self.answers(), 20)
        return self

    def answers(self):
        try:
            return self.ask("status", "all").startswith("OK ")
        except (OSError, EOFError):
            return False

    def client(self):
        return Socketmap(self.where)

    def ask(self, name, key):
        client = self.client()
        try:
            return client.ask(name, key)
        finally:
            client.close()

    def kill(self):
        self.program.send(signal.SIGKILL)
        self.program.process.wait()


def all_at_once(asks):
    """Calls every function at the same time; their results."""
    results = [None] * len(asks)

    def call(i):
        results[i] = asks[i]()
    threads = [threading.Thread(target=call, args=(i,)) for i in range(len(asks))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results
