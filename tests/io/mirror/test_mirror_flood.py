#!/usr/bin/env python3
"""More changes at once than settings.max_changes: they are not noted one by one, all settings are read anew, and nothing is lost; the
guard judges as ever. Figures are printed, not judged."""
import os
import random
import sys
import threading
import time

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from redis_world import Tap, check, expected, note, until  # noqa: E402

tap = Tap()
FULL = os.environ.get("TLSMODE_FULL") == "1"
MODES = ("enforced", "verified")


def fill(c, n, start=0, mode="enforced"):
    c.pipeline([("HSET", "tlsmode:sender:d%d.test" % i, "mode", mode) for i in range(start, start + n)])


def names(first, last):
    return ["tlsmode:sender:d%d.test" % i for i in range(first, last)]


def live(world, server, **options):
    p = world.probe(server, quiet=1, **options)
    p.wait_state("live")
    return p


def settle(p, c):
    """A mark written after everything else is in force, and all is read."""
    c.cmd("HSET", "tlsmode:sender:mark.test", "mode", "verified")
    p.wait_mode("mark.test", "verified", 60)
    p.wait_state("live", 60)


def agree(p, c):
    """The mirror equals Redis in the end."""
    settle(p, c)
    seen, there = set(p.dump()), set(expected(c))
    check(seen == there, "only the mirror has %s, only Redis has %s" % (sorted(seen - there)[:5], sorted(there - seen)[:5]))


class Hand(threading.Thread):
    """Calls FN(random) again and again until told to stop."""

    def __init__(self, fn, seed):
        super().__init__(daemon=True)
        self.fn, self.random, self.go, self.error, self.count = fn, random.Random(seed), True, None, 0
        self.start()

    def run(self):
        try:
            while self.go:
                self.fn(self.random)
                self.count += 1
        except Exception as e:  # told by end()
            self.error = e

    def end(self):
        self.go = False
        self.join()
        check(self.error is None, "a writer: %s" % self.error)


def meddler(client, keys):
    """Changes, removes, renames and dates single keys of an import."""
    def turn(x):
        key, dice = "tlsmode:sender:d%d.test" % x.randrange(keys), x.random()
        if dice < 0.4:
            client.cmd("DEL", key)
        elif dice < 0.5:
            client.cmd("PEXPIRE", key, x.choice((5, 100000)))
        elif dice < 0.6:
            client.pipeline([("DEL", key), ("HSET", key, "mode", "verified")])
        elif dice < 0.7:
            client.pipeline([("MULTI",), ("DEL", key), ("HSET", key, "mode", "enforced", "via", "pool3"), ("EXEC",)])
        else:
            client.cmd("HSET", key, "mode", x.choice(MODES), "via", "pool2")
    return turn


def rss_mb(p):
    with open("/proc/%d/status" % p.process.pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:")) / 1000


@tap.test("a bulk import with changes and deletions beside it: exact at the end, whatever the bound")
def bulk(w):
    count = 1000000 if FULL else 200000
    for changes in (100, 5000, 100000) if FULL else (100, 5000):
        r = w.server()
        c = r.client()
        p = live(w, r, changes=changes, guard=100)
        hands = [Hand(meddler(r.client(), count), i) for i in range(2)]
        start = time.monotonic()
        fill(c, count)
        written = time.monotonic() - start
        for h in hands:
            h.end()
        settle(p, c)
        exact = time.monotonic() - start
        agree(p, c)
        check("event=settings_flood" in p.log() or changes == 100000, "it was too much at once")
        note("max_changes %d: %d settings written in %.1f s, exact after %.1f s; %s full readings, %.0f MB" % (
            changes, count, written, exact, p.counts()["reloads"], rss_mb(p)))
        p.quit()
        w.probes.remove(p)
        r.stop()


@tap.test("while changes come without an end, faster than they can be read, readings come to theirs and one change is in force soon")
def endless(w):
    r = w.server()
    c = r.client()
    fill(c, 20000)
    p = live(w, r, changes=100, guard=100)

    def flip(client):
        def turn(x):
            first = x.randrange(19000)
            client.pipeline([("HSET", k, "mode", x.choice(MODES)) for k in names(first, first + 1000)])
        return turn
    hands = [Hand(flip(r.client()), i) for i in range(2)]
    took = []
    end = time.monotonic() + (20 if FULL else 6)
    while time.monotonic() < end:
        mode = MODES[len(took) % 2]
        start = time.monotonic()
        c.cmd("HSET", "tlsmode:sender:one.test", "mode", mode)
        p.wait_mode("one.test", mode)
        took.append(time.monotonic() - start)
        time.sleep(0.05)
    until(lambda: int(p.counts()["reloads"]) > 1, "readings come to their end while the flood goes on", 120)
    for h in hands:
        h.end()
    note("a change meanwhile: median %.3f s, worst %.3f s of %d; %s full readings" % (
        sorted(took)[len(took) // 2], max(took), len(took), p.counts()["reloads"]))
    agree(p, c)
    settle(p, c)
    reloads = p.counts()["reloads"]
    time.sleep(1)
    check(p.counts()["reloads"] == reloads, "and end with the flood")


@tap.test("one message with more losses than are noted: the guard judges all of them, held or not")
def losses(w):
    for gone, held in ((900, False), (1100, True)):
        r = w.server()
        c = r.client()
        fill(c, 2000)
        c.cmd("SET", "tlsmode:accept:settings", int(time.time() * 1000))  # an old word is not a new one
        p = live(w, r, changes=500)
        time.sleep(0.01)
        c.cmd("SET", "tlsmode:accept:settings", int(time.time() * 1000))  # said while nothing was lost
        time.sleep(0.01)
        c.cmd("DEL", *names(0, gone))
        if not held:
            until(lambda: p.counts()["settings"] == "1100", "they are gone")
            p.wait_state("live")
            check("guard_hold" not in p.log(), "less than the share")
            agree(p, c)
            continue
        p.wait_state("held")
        check(p.mode("d0.test") == "enforced" and p.mode("d499.test") == "enforced", "all stay, those that were noted too")
        check(p.counts()["held"] == "1100" and p.counts()["settings"] == "2000", "all are held")
        fill(c, 600)
        until(lambda: p.counts()["held"] == "500", "some return")
        check(p.state() == "held", "until the last is back")
        c.cmd("SET", "tlsmode:accept:settings", int(time.time() * 1000))
        p.wait_state("live")
        agree(p, c)


@tap.test("a mass loss within a flood of other changes is held, and released when the settings return")
def loss_in_flood(w):
    count = 12000  # a sanitizer makes a reading of many take longer than anybody waits here
    r = w.server()
    c = r.client()
    fill(c, count)
    p = live(w, r, changes=400)
    other = r.client()

    def flip(x):
        fill(other, 4000, mode=x.choice(MODES))
    hand = Hand(flip, 1)
    until(lambda: "event=settings_flood" in p.log(), "a flood")
    c.cmd("DEL", *names(4000, count))
    until(lambda: p.state() == "held", "held", 120)
    check(p.mode("d11999.test") == "enforced" and p.counts()["held"] == "8000", "the last known stay")
    hand.end()
    time.sleep(1)
    check(p.state() == "held" and p.mode("d6000.test") == "enforced", "held when the flood is over")
    fill(c, count - 4000, 4000)
    p.wait_state("live", 60)
    p.wait_log("how=returned")
    agree(p, c)


@tap.test("deletions one after another in a flood are deletions; connections lost in it do no harm")
def deletions(w):
    r = w.server()
    c = r.client()
    fill(c, 30000)
    p = live(w, r, changes=1000)
    other = r.client()
    hand = Hand(lambda x: fill(other, 5000, 20000, x.choice(MODES)), 2)
    until(lambda: "event=settings_flood" in p.log(), "a flood")
    for i in range(0, 6000):
        c.cmd("DEL", "tlsmode:sender:d%d.test" % i)
        if i % 2000 == 1000:
            c.cmd("CLIENT", "KILL", "TYPE", "pubsub")
    hand.end()
    agree(p, c)
    check("guard_hold" not in p.log() and p.mode("d5.test") == "opportunistic", "gone")


tap.run()
