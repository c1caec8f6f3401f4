#!/usr/bin/env python3
"""The mirror against a real redis-server: every kind of change, faulty contents, losses of either connection, the guard's basics."""
import os
import signal
import sys
import time

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from redis_world import Tap, World, check, expected, note, until  # noqa: E402
from wrong_redis import WrongRedis  # noqa: E402

tap = Tap()


def live(world, server, **options):
    p = world.probe(server, **options)
    p.wait_state("live")
    return p


def agree(p, c):
    until(lambda: p.dump() == expected(c), "the mirror equals Redis")


@tap.test("HSET, change, HDEL of the last field, DEL are in force")
def changes(w):
    r = w.server()
    c = r.client()
    p = live(w, r)
    check(p.mode("a.test") == "opportunistic", "nothing set yet")
    c.cmd("HSET", "tlsmode:sender:a.test", "mode", "enforced", "via", "pool2")
    p.wait_mode("a.test", "enforced")
    c.cmd("HSET", "tlsmode:sender:a.test", "mode", "VERIFIED")
    p.wait_mode("a.test", "verified")
    c.cmd("HDEL", "tlsmode:sender:a.test", "mode")
    p.wait_mode("a.test", "opportunistic")
    check("via=pool2" in p.ask("sender a.test")[0], "the other field stays")
    c.cmd("HDEL", "tlsmode:sender:a.test", "via")
    until(lambda: p.counts()["settings"] == "0", "the key is gone with its last field")
    c.cmd("HSET", "tlsmode:sender:a.test", "mode", "enforced")
    p.wait_mode("a.test", "enforced")
    c.cmd("DEL", "tlsmode:sender:a.test")
    p.wait_mode("a.test", "opportunistic")
    p.wait_event("setting", "a.test")


@tap.test("MULTI/EXEC of several keys and RENAME")
def several(w):
    r = w.server()
    c = r.client()
    p = live(w, r)
    c.cmd("MULTI")
    for i in range(20):
        c.cmd("HSET", "tlsmode:sender:m%d.test" % i, "mode", "enforced")
    c.cmd("HSET", "tlsmode:rcpt:dest.test", "mode", "verified", "match", "mx.dest.test")
    c.cmd("HSET", "tlsmode:except:dest2.test", "plaintext", "allow")
    c.cmd("EXEC")
    agree(p, c)
    c.cmd("RENAME", "tlsmode:sender:m3.test", "tlsmode:sender:other.test")
    agree(p, c)
    check(p.mode("m3.test") == "opportunistic" and p.mode("other.test") == "enforced", "renamed")
    c.cmd("RENAME", "tlsmode:sender:other.test", "elsewhere")
    p.wait_mode("other.test", "opportunistic")
    c.cmd("RENAME", "elsewhere", "tlsmode:sender:back.test")
    p.wait_mode("back.test", "enforced")
    check("plaintext=1" in p.ask("dest dest2.test")[0], "exception")


@tap.test("a bad value is read strictly, logged once per change, counted")
def bad_value(w):
    r = w.server()
    c = r.client()
    p = live(w, r)
    c.cmd("HSET", "tlsmode:sender:bad.test", "mode", "enforcd", "colour", "blue")
    p.wait_mode("bad.test", "enforced")
    p.wait_log("enforcd")
    c.cmd("HSET", "tlsmode:sender:bad.test", "mode", "enforcd")  # the same content again
    c.cmd("HSET", "tlsmode:sender:bad.test", "note", "x")  # another content
    c.cmd("HSET", "tlsmode:sender:mark.test", "mode", "verified")
    p.wait_mode("mark.test", "verified")
    until(lambda: p.counts()["bad"] == "4", "two faults twice")
    lines = [l for l in p.log().splitlines() if "event=setting_bad" in l and "enforcd" in l]
    check(len(lines) == 2, "one line per change, not %d" % len(lines))
    c.cmd("CLIENT", "KILL", "TYPE", "pubsub")
    until(lambda: p.counts()["reloads"] == "2", "re-read")
    lines = [l for l in p.log().splitlines() if "event=setting_bad" in l and "enforcd" in l]
    check(len(lines) == 2, "a re-reading of the same content is no news")
    c.cmd("HSET", "tlsmode:except:x.test", "plaintext", "yes")
    c.cmd("HSET", "tlsmode:sender:mark.test", "mode", "enforced")
    p.wait_mode("mark.test", "enforced")
    check("plaintext=0" in p.ask("dest x.test")[0], "an exception nobody understands is none")


@tap.test("WRONGTYPE: a mode is demanded, an exception is not made")
def wrong_type(w):
    r = w.server()
    c = r.client()
    c.cmd("SET", "tlsmode:sender:s.test", "opportunistic")
    p = live(w, r)
    check(p.mode("s.test") == "enforced", "read strictly at load")
    c.cmd("LPUSH", "tlsmode:rcpt:r.test", "x")
    c.cmd("SET", "tlsmode:except:r.test", "plaintext allow")
    until(lambda: p.ask("dest r.test")[0].startswith("enforced"), "rcpt read strictly")
    until(lambda: p.counts()["settings"] == "3", "three keys")
    check("dane=0 sts=0 plaintext=0" in p.ask("dest r.test")[0], "no exception")
    c.cmd("HSET", "tlsmode:except:.up.test", "dane", "ignore", "sts", "ignore", "plaintext", "allow")
    c.cmd("SET", "tlsmode:except:r.up.test", "x")
    until(lambda: p.counts()["settings"] == "5", "an exception above it")
    check("dane=1 sts=1 plaintext=1" in p.ask("dest other.up.test")[0], "which is in force")
    check("dane=0 sts=0 plaintext=0" in p.ask("dest r.up.test")[0], "but not where nobody understands what is said")
    c.cmd("DEL", "tlsmode:except:.up.test", "tlsmode:except:r.up.test")
    check(p.counts()["bad"] == "4", "counted")
    c.cmd("DEL", "tlsmode:sender:s.test")
    p.wait_mode("s.test", "opportunistic")
    c.cmd("HSET", "tlsmode:sender:s.test", "mode", "verified")
    p.wait_mode("s.test", "verified")


@tap.test("names that are none, or not canonical, are ignored and logged once with the right form")
def names(w):
    r = w.server()
    c = r.client()
    p = live(w, r)
    c.cmd("HSET", "tlsmode:sender:Example.COM", "mode", "verified")
    c.cmd("HSET", "tlsmode:sender:bücher.test", "mode", "verified")
    c.cmd("HSET", b"tlsmode:sender:a b\nc\xff", "mode", "verified")
    c.cmd("HSET", "tlsmode:sender:", "mode", "verified")
    c.cmd("HSET", "tlsmode:sender:Example.COM", "mode", "enforced")
    c.cmd("HSET", "tlsmode:rcpt:[mx.test]:587", "mode", "enforced")
    until(lambda: p.ask("dest [mx.test]:587")[0].startswith("enforced"), "a next hop is a name")
    check(p.counts()["settings"] == "1", "only the good one")
    p.wait_log("write it as example.com")
    p.wait_log("write it as xn--bcher-kva.test")
    c.cmd("CLIENT", "KILL", "TYPE", "pubsub")
    until(lambda: p.counts()["reloads"] == "2", "re-read")
    check(p.log().count("write it as example.com") == 1, "once")


@tap.test("a killed pub/sub connection means tracking anew and reading everything")
def kill_pubsub(w):
    r = w.server()
    c = r.client()
    c.cmd("HSET", "tlsmode:sender:a.test", "mode", "enforced")
    p = live(w, r)
    c.cmd("MULTI")
    c.cmd("CLIENT", "KILL", "TYPE", "pubsub")
    c.cmd("HSET", "tlsmode:sender:a.test", "mode", "verified")  # nobody can announce this one
    c.cmd("EXEC")
    p.wait_mode("a.test", "verified")
    p.wait_state("live")
    check(p.counts()["reconnects"] == "2", "a new pair")
    c.cmd("HSET", "tlsmode:sender:b.test", "mode", "verified")
    p.wait_mode("b.test", "verified")


@tap.test("a killed data connection likewise, the last known settings serving meanwhile")
def kill_data(w):
    r = w.server()
    c = r.client()
    c.cmd("HSET", "tlsmode:sender:a.test", "mode", "enforced")
    p = live(w, r)
    n = len(p.events)
    c.cmd("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    c.cmd("HSET", "tlsmode:sender:b.test", "mode", "enforced")
    check(p.mode("a.test") == "enforced", "last known")
    p.wait_event("all", "stale", since=n)
    check(p.mode("a.test") == "enforced", "last known")
    p.wait_mode("b.test", "enforced")
    p.wait_state("live")


@tap.test("Redis stopped, and started with other data; commands meanwhile are answered")
def restart(w):
    r = w.server(args=["--appendonly", "yes", "--appendfsync", "always"])
    c = r.client()
    for i in range(20):
        c.cmd("HSET", "tlsmode:sender:d%d.test" % i, "mode", "enforced")
    p = live(w, r)
    r.stop()
    p.wait_state("stale")
    check(p.mode("d3.test") == "enforced", "last known")
    p.ask("ping")
    p.wait_event("reply", "none")
    r.start()
    c = r.client()
    c.cmd("HSET", "tlsmode:sender:new.test", "mode", "verified")
    c.cmd("DEL", "tlsmode:sender:d3.test")
    p.wait_mode("new.test", "verified")
    p.wait_state("live")
    agree(p, c)


@tap.test("a hung Redis is noticed, and its end too")
def hung(w):
    r = w.server()
    c = r.client()
    c.cmd("HSET", "tlsmode:sender:a.test", "mode", "enforced")
    p = live(w, r)
    start = time.monotonic()
    r.signal(signal.SIGSTOP)
    p.wait_state("stale")
    note("hung Redis noticed after %.1f s" % (time.monotonic() - start))
    p.wait_log("no answer for 2 s")
    check(p.mode("a.test") == "enforced", "last known")
    r.signal(signal.SIGCONT)
    p.wait_state("live")
    c.cmd("HSET", "tlsmode:sender:a.test", "mode", "verified")
    p.wait_mode("a.test", "verified")


@tap.test("over TCP, with another prefix and database; other databases' keys do no harm")
def tcp(w):
    r = w.server(tcp=True)
    c = r.client()
    c.cmd("SELECT", 3)
    c.cmd("HSET", "x[y]*:sender:a.test", "mode", "enforced")
    c.cmd("HSET", "xy:sender:b.test", "mode", "enforced")
    p = live(w, r, prefix="x[y]*:", database=3)
    check(p.dump() == ["sender a.test 0 0 mode=enforced"], "only our prefix: %s" % p.dump())
    c.cmd("SELECT", 0)
    c.cmd("HSET", "x[y]*:sender:a.test", "mode", "verified")
    c.cmd("HSET", "x[y]*:sender:zero.test", "mode", "verified")
    c.cmd("SELECT", 3)
    c.cmd("HSET", "x[y]*:sender:mark.test", "mode", "verified")
    p.wait_mode("mark.test", "verified")
    check(p.mode("a.test") == "enforced" and p.mode("zero.test") == "opportunistic", "database 0 is not ours")


@tap.test("a start without Redis settles as unknown, then becomes live")
def absent(w):
    r = w.server()
    r.stop()
    p = w.probe(r)
    p.wait_event("settled")
    check(p.state() == "unknown", "unknown")
    r.start()
    r.client().cmd("HSET", "tlsmode:sender:a.test", "mode", "enforced")
    p.wait_mode("a.test", "enforced")
    p.wait_state("live")
    check(len([e for e in p.events if e[0] == "settled"]) == 1, "settled once")


@tap.test("an old snapshot is not what a program begins to serve with while Redis is there")
def behind(w):
    r = w.server()
    r.client().cmd("HSET", "tlsmode:sender:a.test", "mode", "opportunistic")
    snapshot = w.file("snapshot")
    live(w, r, snapshot=snapshot).quit()
    slow = WrongRedis(w.file("slow.sock"), keys={"tlsmode:sender:a.test": {"mode": "enforced"}})
    slow.endless = True
    p = w.probe(slow.address, snapshot=snapshot)
    p.wait_log("event=redis_up")
    pages = slow.seen["SCAN"]
    time.sleep(2.5)  # without Redis it would have begun by now
    check(slow.seen["SCAN"] > pages, "it is being read all the time")
    check(p.mode("a.test") == "opportunistic" and p.state() == "stale", "the old is what is known")
    check(not [e for e in p.events if e[0] == "settled"], "not settled with what is old")
    slow.endless = False
    p.wait_event("settled")
    check(p.mode("a.test") == "enforced", "settled with what Redis has")
    slow.close()


PLACES = ["tlsmode:lock:=settings-%d" % i for i in range(4)]


def cut_off(p, c, *change):
    """The connections are lost, and CHANGE is made meanwhile."""
    n = p.counts()["reconnects"]
    c.cmd("MULTI")
    c.cmd("CLIENT", "KILL", "TYPE", "pubsub")
    c.cmd(*change)
    c.cmd("EXEC")
    until(lambda: p.counts()["reconnects"] != n, "a new pair")


@tap.test("cut off with many others: reads everything when it is its turn, and hears of changes meanwhile")
def turns(w):
    r = w.server()
    c = r.client()
    for i in range(20):
        c.cmd("HSET", "tlsmode:sender:s%d.test" % i, "mode", "enforced")
    for place in PLACES:
        c.cmd("SET", place, "another", "PX", "19000")
    p = live(w, r)
    note("the first reading did not wait")
    cut_off(p, c, "HSET", "tlsmode:sender:missed.test", "mode", "enforced")
    p.wait_state("stale")
    c.cmd("HSET", "tlsmode:sender:s1.test", "mode", "verified")
    p.wait_mode("s1.test", "verified")
    c.cmd("DEL", "tlsmode:sender:s2.test")
    p.wait_mode("s2.test", "opportunistic")
    check(p.mode("s3.test") == "enforced" and p.mode("missed.test") == "opportunistic", "else the last known are in force")
    check(p.counts()["reloads"] == "1", "not read yet")
    c.cmd("DEL", PLACES[2])
    p.wait_state("live")
    agree(p, c)
    check(p.mode("missed.test") == "enforced" and p.counts()["reloads"] == "2", "read")
    until(lambda: c.cmd("EXISTS", *PLACES) == 3, "it left its place")


@tap.test("places that are always taken, or taken without an end, keep nobody from reading for more than five seconds")
def turns_bound(w):
    r = w.server()
    c = r.client()
    for i in range(20):
        c.cmd("HSET", "tlsmode:sender:s%d.test" % i, "mode", "enforced")
    p = live(w, r)
    for place in PLACES:
        c.cmd("SET", place, "another")
    cut_off(p, c, "HSET", "tlsmode:sender:missed.test", "mode", "enforced")
    p.wait_mode("missed.test", "enforced", 2)
    note("what has no end is nobody's")
    p.wait_state("live")
    for place in PLACES:
        c.cmd("SET", place, "another", "PX", "19000")
    since = time.monotonic()
    cut_off(p, c, "HSET", "tlsmode:sender:missed2.test", "mode", "enforced")
    p.wait_mode("missed2.test", "enforced", 10)
    took = time.monotonic() - since
    check(1.5 < took < 6, "after its time one reads anyway: %.1f s" % took)
    check(c.cmd("EXISTS", *PLACES) == 4, "and leaves the others' places to them")


@tap.test("a connection lost while reading does not keep the place taken")
def turns_lost(w):
    r = w.server()
    c = r.client()
    c.pipeline([("HSET", "tlsmode:sender:s%d.test" % i, "mode", "enforced") for i in range(20000)])
    p = live(w, r)
    for place in PLACES[1:]:
        c.cmd("SET", place, "another", "PX", "19000")
    cut_off(p, c, "PING")
    until(lambda: c.cmd("EXISTS", PLACES[0]), "it has its place")
    cut_off(p, c, "PING")
    p.wait_state("live", 10)
    agree(p, c)
    until(lambda: c.cmd("EXISTS", PLACES[0]) == 0, "and left it", 10)


@tap.test("waiting for a turn: a second loss of the connection, a mass loss, the end")
def turns_end(w):
    r = w.server()
    c = r.client()
    for i in range(20):
        c.cmd("HSET", "tlsmode:sender:s%d.test" % i, "mode", "enforced")
    p = live(w, r)
    for place in PLACES:
        c.cmd("SET", place, "another", "PX", "19000")
    cut_off(p, c, "PING")
    cut_off(p, c, "PING")
    p.wait_state("stale")
    c.cmd("FLUSHALL")
    p.wait_state("held")
    check(p.mode("s1.test") == "enforced", "a mass loss is judged at once")
    for place in PLACES:
        c.cmd("SET", place, "another", "PX", "19000")
    for i in range(20):
        c.cmd("HSET", "tlsmode:sender:s%d.test" % i, "mode", "enforced")
    p.wait_state("live")
    cut_off(p, c, "PING")
    p.wait_state("stale")


@tap.test("MTA-STS facts are announced, those of MX and TLSA are not, nor locks")
def facts(w):
    r = w.server()
    c = r.client()
    p = live(w, r)
    n = len(p.events)
    p.ask("write dane own.test 100 mx insecure until 1")
    until(lambda: c.cmd("EXISTS", "tlsmode:dane:own.test"), "written")
    c.cmd("SET", "tlsmode:lock:l.test", "x")
    c.cmd("HSET", "tlsmode:sts:other.test", "txt", "none")
    c.cmd("HSET", "tlsmode:dane:[mx.test]:587", "mx", "secure")
    c.cmd("HSET", "tlsmode:sts:last.test", "txt", "none")
    p.wait_event("fact", "last.test", since=n)
    names_seen = [e[3] for e in p.events[n:] if e[0] == "fact"]
    check(names_seen == ["other.test", "last.test"], "seen: %s" % names_seen)
    c.cmd("FLUSHDB")
    p.wait_event("fact", "-", since=n)


@tap.test("reconfiguration to another server keeps the last known until the new one is read")
def reconf(w):
    r1, r2 = w.server(), w.server()
    r1.client().cmd("HSET", "tlsmode:sender:one.test", "mode", "enforced")
    r2.client().cmd("HSET", "tlsmode:sender:two.test", "mode", "enforced")
    p = live(w, r1)
    p.ask("reconf " + r1.address)
    check(p.counts()["reconnects"] == "1", "nothing changed, nothing reconnects")
    p.ask("reconf " + r2.address)
    check(p.mode("one.test") == "enforced", "last known")
    p.wait_mode("two.test", "enforced")
    check(p.mode("one.test") == "opportunistic", "read anew")


@tap.test("a configuration that is reloaded while the connections are being made")
def reload_in_the_making(w):
    r = w.server()
    c = r.client()
    r.signal(signal.SIGSTOP)
    p = w.probe(r)
    for _ in range(20):  # turns of its loop: both connections are open, and the first command waits for its answer
        check(p.counts()["up"] == "0", "a Redis that says nothing")
    p.ask("reconf " + r.address)
    r.signal(signal.SIGCONT)
    p.wait_state("live")
    c.cmd("HSET", "tlsmode:sender:a.test", "mode", "enforced")
    p.wait_mode("a.test", "enforced")


tap.run()
