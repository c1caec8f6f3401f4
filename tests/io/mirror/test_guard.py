#!/usr/bin/env python3
"""Mass losses are held until an operator's word or their return; the snapshot; ends by our own clock; alarms."""
import os
import stat
import sys
import time

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from redis_world import Tap, check, expected, note, until  # noqa: E402

tap = Tap()


def fill(c, n, mode="enforced", start=0):
    c.pipeline([("HSET", "tlsmode:sender:d%d.test" % i, "mode", mode) for i in range(start, start + n)])


def live(world, server, **options):
    p = world.probe(server, **options)
    p.wait_state("live")
    return p


def accept(c, ms=None):
    c.cmd("SET", "tlsmode:accept:settings", ms or int(time.time() * 1000))


for flush in ("FLUSHALL", "FLUSHDB"):
    @tap.test(flush + ": the last known stay, with an alarm that says what to do; the operator's word ends it")
    def flushed(w, flush=flush):
        r = w.server()
        c = r.client()
        fill(c, 30)
        accept(c)  # an old word is not a new one
        p = live(w, r)
        c.cmd(flush)
        p.wait_state("held")
        check(p.mode("d7.test") == "enforced", "held")
        check(p.counts()["held"] == "30", "all are held")
        p.wait_log("event=guard_hold gone=30 of=30")
        check("tlsmode settings accept" in p.log(), "says what to do")
        c.cmd("HSET", "tlsmode:sender:new.test", "mode", "verified")
        p.wait_mode("new.test", "verified")
        c.cmd("HSET", "tlsmode:sender:d7.test", "mode", "verified")
        p.wait_mode("d7.test", "verified")
        check(p.state() == "held" and p.counts()["held"] == "29", "changes are in force meanwhile")
        c.cmd("CLIENT", "KILL", "TYPE", "pubsub")
        until(lambda: p.counts()["reconnects"] == "2", "a reconnection")
        p.wait_log("settings_loaded count=2 gone=29")  # it is "held" before, too
        p.wait_state("held")
        check(p.mode("d8.test") == "enforced", "held over a reconnection")
        accept(c, 1000)
        p.wait_log("guard_accept_ignored")
        check(p.state() == "held", "an old time is no word")
        accept(c)
        p.wait_state("live")
        check(p.mode("d8.test") == "opportunistic" and p.mode("d7.test") == "verified", "exactly what Redis has")
        check(p.dump() == expected(c), "exactly what Redis has")
        check(p.log().count("event=guard_hold") == 2, "one alarm for each reading that held")


@tap.test("settings that return end the hold by themselves")
def returned(w):
    r = w.server()
    c = r.client()
    fill(c, 20)
    p = live(w, r)
    c.cmd("FLUSHALL")
    p.wait_state("held")
    fill(c, 19)
    until(lambda: p.counts()["held"] == "1", "one is missing")
    check(p.state() == "held" and p.mode("d19.test") == "enforced", "until the last is back")
    fill(c, 20)
    p.wait_state("live")
    p.wait_log("how=returned")


@tap.test("FLUSHALL is a mass loss although most is written again at once")
def partly_returned(w):
    r = w.server()
    c = r.client()
    fill(c, 20)
    p = live(w, r)
    c.pipeline([("MULTI",), ("FLUSHALL",)] + [("HSET", "tlsmode:sender:d%d.test" % i, "mode", "enforced") for i in range(15)] +
               [("EXEC",)])
    p.wait_state("held")
    check(p.mode("d19.test") == "enforced", "the rest is held")
    fill(c, 20)
    p.wait_state("live")


@tap.test("one message with a mass loss is held; a smaller one is not; one by one always works")
def many(w):
    r = w.server()
    c = r.client()
    fill(c, 40)
    p = live(w, r)
    c.cmd("DEL", *["tlsmode:sender:d%d.test" % i for i in range(20)])  # half is not more than half
    until(lambda: p.counts()["settings"] == "20", "taken")
    check(p.state() == "live", "no hold")
    c.cmd("MULTI")
    for i in range(20, 35):
        c.cmd("DEL", "tlsmode:sender:d%d.test" % i)
    c.cmd("EXEC")
    p.wait_state("held")
    check(p.mode("d20.test") == "enforced", "held")
    c.cmd("DEL", "tlsmode:sender:d39.test")
    p.wait_mode("d39.test", "opportunistic")
    check(p.state() == "held", "a deletion by itself does not end the hold")
    accept(c)
    p.wait_state("live")
    check(p.counts()["settings"] == "4", "dropped")
    fill(c, 40)
    until(lambda: p.counts()["settings"] == "40", "back")
    for i in range(40):
        c.cmd("DEL", "tlsmode:sender:d%d.test" % i)
        p.wait_mode("d%d.test" % i, "opportunistic")
    check(p.state() == "live" and p.counts()["settings"] == "0", "one by one")


@tap.test("fewer than ten settings, and guard_percent = 100, are never held")
def small(w):
    r = w.server()
    c = r.client()
    fill(c, 9)
    p = live(w, r)
    q = live(w, r, guard=100)
    c.cmd("FLUSHALL")
    until(lambda: p.counts()["settings"] == "0" and p.state() == "live", "gone")
    fill(c, 50)
    until(lambda: q.counts()["settings"] == "50", "there")
    c.cmd("FLUSHALL")
    until(lambda: q.counts()["settings"] == "0" and q.state() == "live", "gone")


@tap.test("an empty Redis after a restart is a mass loss, also for a daemon that starts then")
def empty(w):
    r = w.server()
    c = r.client()
    fill(c, 30)
    snap = w.file("snap")
    p = live(w, r, snapshot=snap)
    until(lambda: os.path.exists(snap), "a snapshot")
    r.stop()
    p.wait_state("stale")
    r.start()
    p.wait_state("held")
    check(p.mode("d3.test") == "enforced", "held")
    p.quit()
    q = w.probe(r, snapshot=snap)
    q.wait_state("held")
    check(q.mode("d3.test") == "enforced", "held over a restart of the daemon")
    accept(r.client())
    q.wait_state("live")
    check(q.counts()["settings"] == "0", "accepted")


@tap.test("a word given while the daemon was away counts")
def away(w):
    r = w.server()
    c = r.client()
    fill(c, 30)
    snap = w.file("snap")
    p = live(w, r, snapshot=snap)
    until(lambda: os.path.exists(snap), "a snapshot")
    p.quit()
    c.cmd("FLUSHALL")
    time.sleep(0.002)  # the word is later than the snapshot by the clock
    accept(c)
    q = w.probe(r, snapshot=snap)
    q.wait_event("settled")
    q.wait_state("live")
    check(q.counts()["settings"] == "0", "accepted before")


@tap.test("an end that no clock reaches is none")
def endless(w):
    r = w.server()
    c = r.client()
    p = live(w, r)
    c.cmd("HSET", "tlsmode:sender:a.test", "mode", "enforced")
    p.wait_mode("a.test", "enforced")
    for skew in range(5):  # Redis tells the rest of a time that our clock, a moment later, is past
        c.cmd("PEXPIREAT", "tlsmode:sender:a.test", (1 << 63) - 1 - skew)
        c.cmd("HSET", "tlsmode:sender:b%d.test" % skew, "mode", "enforced")
        p.wait_mode("b%d.test" % skew, "enforced")
        check(p.mode("a.test") == "enforced", "still there")


@tap.test("keys that came to their end are no loss")
def ended(w):
    r = w.server()
    c = r.client()
    c.pipeline([("HSET", "tlsmode:sender:d%d.test" % i, "mode", "enforced") for i in range(40)])
    c.pipeline([("PEXPIRE", "tlsmode:sender:d%d.test" % i, 400) for i in range(38)])
    p = live(w, r)
    until(lambda: p.counts()["settings"] == "2", "ended")
    check(p.state() == "live" and "guard_hold" not in p.log() and "mass_loss" not in p.log(), "no loss")


@tap.test("snapshot: everything comes back while Redis is away, with mode 0600; it is replaced whole")
def snapshot(w):
    r = w.server()
    c = r.client()
    c.cmd("HSET", "tlsmode:sender:a.test", "mode", "verified", "via", "pool2", "note", "hello you")
    c.cmd("HSET", "tlsmode:sender:bad.test", "mode", "x", "via", "-", "zzz", "1")
    c.cmd("SET", "tlsmode:sender:wrong.test", "1")
    c.cmd("SET", "tlsmode:except:wrong.test", "1")
    c.cmd("HSET", "tlsmode:sender:<>", "mode", "enforced")
    c.cmd("HSET", "tlsmode:sender:.sub.test", "mode", "enforced")
    c.cmd("HSET", "tlsmode:sender:*", "mode", "opportunistic")
    c.cmd("HSET", "tlsmode:rcpt:[mx.test]:587", "match", "mx.test:.b.test", "mode", "enforced")
    c.cmd("HSET", "tlsmode:rcpt:bad.test", "match", "a b")
    c.cmd("HSET", "tlsmode:except:e.test", "dane", "ignore", "sts", "ignore", "plaintext", "allow", "for", "all")
    c.cmd("HSET", "tlsmode:sender:ends.test", "mode", "enforced")
    c.cmd("EXPIRE", "tlsmode:sender:ends.test", 1000)
    c.cmd("HSET", "tlsmode:sender:soon.test", "mode", "enforced")
    snap = w.file("snap")
    p = live(w, r, snapshot=snap)
    until(lambda: os.path.exists(snap), "a snapshot")
    check(stat.S_IMODE(os.stat(snap).st_mode) == 0o600, "0600")
    first = os.stat(snap).st_ino
    c.cmd("PEXPIRE", "tlsmode:sender:soon.test", 8000)
    until(lambda: os.stat(snap).st_ino != first, "the change is saved")
    before = p.dump()
    p.quit()
    r.stop()
    check(os.listdir(w.folder).count("snap") == 1 and not [f for f in os.listdir(w.folder) if f.startswith("snap.")], "no litter")
    q = w.probe(r, snapshot=snap)
    q.wait_event("settled")
    check(q.state() == "stale", "stale")
    check(q.dump() == before, "%s is not %s" % (q.dump(), before))
    until(lambda: q.mode("soon.test") == "opportunistic", "an end is kept as a time")
    r.start()


@tap.test("snapshot: what changed just before the end is in it")
def ended_in_time(w):
    r = w.server()
    c = r.client()
    snap = w.file("snap")
    p = live(w, r, snapshot=snap)
    c.cmd("HSET", "tlsmode:sender:a.test", "mode", "enforced")
    p.wait_mode("a.test", "enforced")
    p.quit()
    r.stop()
    q = w.probe(r, snapshot=snap)
    q.wait_event("settled")
    check(q.mode("a.test") == "enforced", "kept")


@tap.test("an exception without an end is named, a temporary mode is warned about")
def endless(w):
    r = w.server()
    c = r.client()
    c.cmd("HSET", "tlsmode:except:forever.test", "plaintext", "allow")
    c.cmd("HSET", "tlsmode:except:soon.test", "plaintext", "allow")
    c.cmd("EXPIRE", "tlsmode:except:soon.test", 100)
    c.cmd("HSET", "tlsmode:sender:t.test", "mode", "enforced")
    c.cmd("EXPIRE", "tlsmode:sender:t.test", 100)
    p = live(w, r)
    p.wait_log("event=exception_without_end name=forever.test")
    p.wait_log("event=setting_temporary kind=sender name=t.test")
    check(p.counts()["endless"] == "1" and "name=soon.test" not in p.log(), "one without an end")
    c.cmd("EXPIRE", "tlsmode:except:forever.test", 100)
    until(lambda: p.counts()["endless"] == "0", "it has one now")
    c.cmd("PERSIST", "tlsmode:except:forever.test")
    until(lambda: p.counts()["endless"] == "1", "no more")
    c.cmd("DEL", "tlsmode:except:forever.test")
    until(lambda: p.counts()["endless"] == "0", "gone")


@tap.test("maxmemory-policy allkeys-* is an alarm at connect, volatile-* is not")
def eviction(w):
    r = w.server(args=["--maxmemory-policy", "allkeys-lru"])
    p = live(w, r)
    p.wait_log("event=redis_maxmemory_policy policy=allkeys-lru")
    check(p.counts()["policy"] == "allkeys-lru", "in the status")
    r.client().cmd("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
    q = live(w, r)
    check("event=redis_maxmemory_policy" not in q.log() and q.counts()["policy"] == "volatile-ttl", "fine")


@tap.test("EXPIRE on the dot, with 100,000 other keys that end much earlier and later")
def on_the_dot(w):
    r = w.server()
    c = r.client()
    c.pipeline([("HSET", "tlsmode:sender:o%d.test" % i, "mode", "enforced") for i in range(100000)])
    c.pipeline([("PEXPIRE", "tlsmode:sender:o%d.test" % i, 60000 + i) for i in range(100000)])
    p = live(w, r, quiet=0)
    late = []
    for i in range(20):
        c.cmd("HSET", "tlsmode:except:x%d.test" % i, "plaintext", "allow")
        c.cmd("PEXPIRE", "tlsmode:except:x%d.test" % i, 300 + 13 * i)
    at = {i: c.cmd("PEXPIRETIME", "tlsmode:except:x%d.test" % i) for i in range(20)}
    for i in range(20):
        n = "x%d.test" % i
        until(lambda: "plaintext=0" in p.ask("dest " + n)[0], "out of force")
        told = until(lambda: [e for e in p.events if e[0] == "setting" and e[4] == n and int(e[2]) >= at[i] - 50], "told")
        late.append(int(told[-1][2]) - at[i])
    note("EXPIRE with 100,000 other TTL keys: told %d to %d ms after its time" % (min(late), max(late)))
    check(p.counts()["settings"] == "100000", "the others stay")


tap.run()
