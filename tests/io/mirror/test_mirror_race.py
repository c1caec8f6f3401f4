#!/usr/bin/env python3
"""Changes at full speed while the mirror loads, tracks and loses its connections: in the end it equals Redis exactly.
And figures: from the write to the answer, loading, the longest time the loop did not come round (printed, not judged)."""
import os
import random
import sys
import threading
import time

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from redis_world import Tap, check, expected, note, until  # noqa: E402

tap = Tap()
FULL = os.environ.get("TLSMODE_FULL") == "1"
KEYS = 3000
MODES = ("opportunistic", "enforced", "verified")


class Writer(threading.Thread):
    """Flips, removes, renames and dates random keys, pipelined, in transactions and singly."""

    def __init__(self, client, seed):
        super().__init__(daemon=True)
        self.client, self.random, self.go, self.count = client, random.Random(seed), True, 0
        self.error = None

    def command(self):
        x = self.random
        name = "d%d.test" % (x.randrange(20) if x.random() < 0.3 else x.randrange(KEYS))
        kind = x.choice(("sender", "sender", "rcpt", "except"))
        key = "tlsmode:%s:%s" % (kind, name)
        dice = x.random()
        if dice < 0.25:
            return ("DEL", key)
        if dice < 0.30:
            return ("PEXPIRE", key, x.choice((1, 20, 100000)))
        if kind == "except":
            return ("HSET", key, "plaintext", "allow")
        if dice < 0.35:
            return ("PERSIST", key)
        return ("HSET", key, "mode", x.choice(MODES))

    def run(self):
        try:
            while self.go:
                batch = [self.command() for _ in range(self.random.choice((1, 5, 50)))]
                if self.random.random() < 0.3:
                    batch = [("MULTI",)] + batch + [("EXEC",)]
                self.client.pipeline(batch)
                self.count += len(batch)
        except Exception as e:  # told by the test
            self.error = e


def agree(p, c, what):
    seen = []

    def same():
        seen[:] = [set(p.dump()), set(expected(c))]
        return seen[0] == seen[1]
    try:
        until(same, what, 15)
    except AssertionError:
        raise AssertionError("%s: only the mirror has %s, only Redis has %s" % (
            what, sorted(seen[0] - seen[1])[:5], sorted(seen[1] - seen[0])[:5]))


def settle(p, c):
    """The last changes have arrived: a mark written after all of them."""
    c.cmd("HSET", "tlsmode:sender:mark.test", "mode", "verified")
    p.wait_state("live")
    p.wait_mode("mark.test", "verified")
    agree(p, c, "the mirror equals Redis")
    time.sleep(0.3)  # nothing may come after that unsettles it; keys that end by themselves end on both sides
    agree(p, c, "the mirror still equals Redis")
    c.cmd("DEL", "tlsmode:sender:mark.test")


def race(w, rounds, kill, seconds, guard=100, readers=0):
    r = w.server()
    c = r.client()
    c.pipeline([("HSET", "tlsmode:sender:d%d.test" % i, "mode", "enforced") for i in range(KEYS)])
    total = 0
    for number in range(rounds):
        writers = [Writer(r.client(), 10 * number + i) for i in range(2)]
        for x in writers:
            x.start()
        p = w.probe(r, guard=guard, quiet=1, readers=readers)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(random.uniform(0.02, 0.4))
            if kill:
                c.cmd("CLIENT", "KILL", "TYPE", random.choice(("pubsub", "normal")), "SKIPME", "yes")
                for i, x in enumerate(writers):  # the writers may have lost their connection too
                    x.join(0.001)
                    if not x.is_alive():
                        total += x.count
                        writers[i] = Writer(r.client(), random.randrange(1 << 30))
                        writers[i].start()
        for x in writers:
            x.go = False
            x.join()
            total += x.count
            check(kill or x.error is None, "writer: %s" % x.error)
        settle(p, c)
        counts = p.counts()
        p.quit()
        w.probes.remove(p)
    note("%d rounds, %d writes, last: %s reloads, %s settings" % (rounds, total, counts["reloads"], counts["settings"]))


@tap.test("two writers at full speed while the mirror loads and tracks: equal in the end, five times")
def speed(w):
    race(w, 20 if FULL else 5, False, 1.0)


@tap.test("the same, with connections of either kind killed all the time")
def killed(w):
    race(w, 20 if FULL else 5, True, 1.0)


@tap.test("the same, with eight threads that read")
def threads(w):
    race(w, 10 if FULL else 2, True, 1.0, readers=8)


def percentiles(values):
    values = sorted(values)
    return "p50 %.2f, p99 %.2f, worst %.2f ms" % tuple(
        values[min(len(values) - 1, int(len(values) * q))] for q in (0.5, 0.99, 1.0))


@tap.test("from the write to the answer: HSET and DEL (figures; goal 10 ms)")
def latency(w):
    r = w.server()
    c = r.client()
    c.pipeline([("HSET", "tlsmode:sender:k%d.test" % i, "mode", "enforced") for i in range(1000)])
    p = w.probe(r)
    p.wait_state("live")
    for command in (("HSET", "%s", "mode", "verified"), ("DEL", "%s")):
        took = []
        for i in range(300):
            name = "k%d.test" % i
            n = len(p.events)
            start = time.monotonic_ns() // 1000
            c.cmd(*[a.replace("%s", "tlsmode:sender:" + name) for a in command])
            e = p.wait_event("setting", name, since=n)
            took.append((int(e[1]) - start) / 1000)
        note("%s to on_setting: %s" % (command[0], percentiles(took)))
    check(p.counts()["settings"] == "700", "all arrived")


@tap.test("many settings: loading, loading anew, the snapshot and a mass change do not hold the loop up (figures)")
def large(w):
    count = 1000000 if FULL else 100000
    r = w.server()
    c = r.client()
    c.pipeline([("HSET", "tlsmode:sender:d%d.example" % i, "mode", "enforced", "note", "customer %d" % i) for i in range(count)])
    snap = w.file("snap")
    p = w.probe(r, quiet=1, beat=1, snapshot=snap)
    start = time.monotonic()
    p.wait_state("live", 120)
    note("%d settings loaded in %.2f s" % (count, time.monotonic() - start))
    until(lambda: os.path.exists(snap), "a snapshot", 60)
    saved = w.file("saved")
    os.link(snap, saved)
    c.cmd("CLIENT", "KILL", "TYPE", "pubsub")
    start = time.monotonic()
    until(lambda: p.counts()["reloads"] == "2", "loaded anew", 120)
    note("%d settings loaded anew in %.2f s" % (count, time.monotonic() - start))
    c.pipeline([("HSET", "tlsmode:sender:d%d.example" % i, "mode", "verified") for i in range(count // 10)])
    p.wait_mode("d%d.example" % (count // 10 - 1), "verified", 60)
    c.cmd("FLUSHALL")
    p.wait_state("held", 60)
    check(p.mode("d1.example") == "verified", "held")
    c.cmd("SET", "tlsmode:accept:settings", int(time.time() * 1000))
    p.wait_state("live", 60)
    time.sleep(1)  # the old table is being freed
    p.quit()
    note("longest time the loop did not come round: %.1f ms, of them %.1f ms computing" % (p.worst_us / 1000, p.worst_cpu_us / 1000))
    start = time.monotonic()
    q = w.probe("unix:/nonexistent/redis.sock", quiet=1, snapshot=saved)
    q.wait_event("settled", deadline=60)
    check(q.counts()["settings"] == str(count), "from the snapshot: " + q.counts()["settings"])
    note("started from the snapshot in %.2f s" % (time.monotonic() - start))


tap.run()
