"""Pauses of the hot thread while it has other work: the slowest answer to a hot key

One question a millisecond, of one connection, while entries are added, evicted and decided anew, while tables grow, the snapshot is
written, settings end together and a million of them are read again. The same of a bare echo at the same time says what the machine
itself does. The hot thread has a processor of its own, everything else shares the others; questions are asked at real-time priority
where that is permitted.
"""
import json
import os
import signal
import subprocess
import time

from world.waiting import wait_for

from .domains import KEYS, fill, fill_settings
from .memory import MILLION, ask_all, counter

GOAL_MS = 5
HOT = ("-m", "enforced", "-f", "[10.0.0.1]:25", "-c", 1, "-r", 1000)
TEMPORARY = """
for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  redis.call('PEXPIREAT', string.format('tlsmode:sender:s%07d.bench.test', i), ARGV[3])
end
"""


def threads(pid):
    return [int(t) for t in os.listdir("/proc/%d/task" % pid)]


def pin(pid):
    """The hot thread of PID to the first processor, its other threads and we (and what we start) to the others."""
    processors = sorted(os.sched_getaffinity(0))
    others = set(processors[1:]) or set(processors)
    for thread in threads(pid):
        os.sched_setaffinity(thread, {processors[0]} if thread == pid else others)
    return processors, others


class Probes:
    """The load on tlsmode-mapd and on the echo, at real-time priority where permitted."""

    def __init__(self, bench, place, echo):
        self.bench, self.places = bench, {"mapd": place, "echo": echo}
        self.before = ["chrt", "-f", "50"] if subprocess.run(["chrt", "-f", "50", "true"], stderr=subprocess.DEVNULL).returncode == 0 else []

    def during(self, work):
        """Runs WORK(); the slowest answers meanwhile, in ms."""
        words = [*self.before, self.bench.tool("bench_load"), *map(str, HOT), "-s", "600"]
        loads = {name: subprocess.Popen([*words, place], stdout=subprocess.PIPE, text=True) for name, place in self.places.items()}
        time.sleep(0.5)  # they connect
        began = time.monotonic()
        work()
        took = time.monotonic() - began
        for load in loads.values():
            load.terminate()
        slowest = {name: json.loads(load.communicate()[0])["max_us"] / 1000 for name, load in loads.items()}
        return slowest["mapd"], slowest["echo"], took


def measure(bench):
    redis = bench.redis()
    fill(redis, MILLION)
    fill_settings(redis, MILLION)
    daemons, place = bench.daemons(redis, {"mapd": {"cache_entries": MILLION}})
    _, echo = bench.echo()
    wait_for("the settings", lambda: counter(daemons, "settings") == MILLION, 60)
    bench.load(place, *HOT[:4], "-n", 10)
    processors, others = pin(daemons.mapd.pid)
    os.sched_setaffinity(redis.program.pid, others)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, others)
    probes = Probes(bench, place, echo)
    if not probes.before:
        bench.note("real-time priority is not permitted here: delays of the one who asks count, too")
    write = redis.connect()

    def snapshot():
        path = daemons.conf["settings"]["snapshot"] + ".mapd"
        was = os.stat(path).st_mtime if os.path.exists(path) else 0
        write("HSET", "tlsmode:sender:snapshot.bench.test", "mode", "verified")
        wait_for("the snapshot", lambda: os.path.exists(path) and os.stat(path).st_mtime > was, 60)

    def end_together():
        at = int(time.time() * 1000) + 8000
        for first in range(0, 100000, 100):  # a script is one announcement: of as many keys as an import should have
            write("EVAL", TEMPORARY, 0, first, first + 99, at)
        wait_for("their end", lambda: counter(daemons, "settings") < MILLION - 99000, 60)

    def read_again():
        reloads = counter(daemons, "settings_reloads")
        redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
        wait_for("the reading", lambda: counter(daemons, "settings_reloads") > reloads, 120)

    def reload():
        before = counter(daemons, "conf_reloads")
        daemons.write(mapd={"cache_entries": 200000})
        daemons.mapd.send(signal.SIGHUP)
        wait_for("the reload", lambda: counter(daemons, "conf_reloads") > before, 20)

    try:
        for work, what in (
                (lambda: None if time.sleep(2) else None, "nothing else to do"),
                (lambda: ask_all(bench, place, MILLION, "enforced"), "a million domains are added, tables grow"),
                (lambda: ask_all(bench, place, MILLION, "verified"), "a second answer is made for each"),
                (lambda: redis.cli("HSET", "tlsmode:rcpt:*", "mode", "opportunistic") and ask_all(bench, place, MILLION, "enforced"),
                 "all are decided anew"),
                (snapshot, "the snapshot of a million settings is written"),
                (end_together, "100,000 settings end together"),
                (read_again, "a million settings are read again"),
                (reload, "the configuration is read again, with its CA file and trust anchor"),
                (lambda: ask_all(bench, place, MILLION, "enforced"), "a million domains in room for 200,000")):
            slowest, echo_slowest, took = probes.during(work)
            bench.row("pause while " + what, "<= %d ms" % GOAL_MS, slowest, "%.2f ms, echo %.2f ms (in %.1f s)" % (slowest, echo_slowest, took),
                      at_most=GOAL_MS)
    finally:
        os.sched_setaffinity(0, before)  # the next rows need both
