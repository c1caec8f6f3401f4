#!/usr/bin/env python3
"""The snapshot that cannot be trusted, or not be written: damaged is not none, and a failed duty is not forgotten."""
import os
import stat
import subprocess
import sys
import time

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from redis_world import Probe, Tap, check, note, until  # noqa: E402

tap = Tap()
NOWHERE = "unix:/nonexistent/redis.sock"
ALARM = "event=snapshot_damaged state=unknown"


def fill(c, n):
    c.pipeline([("HSET", "tlsmode:sender:d%d.test" % i, "mode", "enforced") for i in range(n)])


def accept(c):
    c.cmd("SET", "tlsmode:accept:settings", int(time.time() * 1000))


def read(path):
    with open(path, "rb") as f:
        return f.read()


def write(path, octets):
    with open(path, "wb") as f:
        f.write(octets)


def good_copy(w, r, snap, n=30, **options):
    """What a daemon writes of N settings, which Redis has then."""
    fill(r.client(), n)
    p = w.probe(r, snapshot=snap, **options)
    p.wait_state("live")
    p.quit()
    own = snap + "." + options["owner"] if "owner" in options else snap
    return read(own)


def spoil(good):
    """Kinds of damage; tests/io/mirror/test_snapshot_damage.c has every octet and every length."""
    half = len(good) // 2
    return {"empty": b"", "cut": good[:half], "torn": good[:half] + b"\0" * (len(good) - half), "flipped": good.replace(b"enforced", b"verified", 1),
            "no end": good[:good.rindex(b"end ")], "another format": good.replace(b"settings 1", b"settings 2"), "twice": good + good}


@tap.test("a damaged snapshot and an empty Redis: unknown, nobody's keys are asked for, and the file stays as it is")
def damaged(w):
    r = w.server()
    c = r.client()
    snap = w.file("snap")
    good = good_copy(w, r, snap)
    c.cmd("FLUSHALL")
    for what, octets in spoil(good).items():
        write(snap, octets)
        for start in ("first", "second"):  # what was damage is no less so at the next start
            p = w.probe(r, snapshot=snap)
            p.wait_log(ALARM)
            p.wait_event("settled")
            counts = p.counts()
            check((counts["state"], counts["lost"], counts["behind"]) == ("unknown", "1", "0"), "%s, %s start: %s" % (what, start, counts))
            check("event=snapshot_damaged file=%s why=" % snap in p.log() and "do=" in p.log(), what)
            p.quit()
            check(read(snap) == octets, what + ": the file is left alone, at the end, too")
    check(not os.path.exists(snap + ".damaged"), "nothing was put aside")


@tap.test("a damaged snapshot while Redis is away: unknown, and so it stays when an empty one comes, and goes, and comes")
def comes_later(w):
    r = w.server()
    c = r.client()
    snap = w.file("snap")
    write(snap, spoil(good_copy(w, r, snap))["cut"])
    r.stop()
    p = w.probe(r, snapshot=snap)
    p.wait_event("settled")
    check(p.state() == "unknown" and p.counts()["lost"] == "0", "away")
    for times in (1, 2):
        r.start()
        until(lambda: p.log().count(ALARM) == times, "an alarm for each reading")
        check(p.state() == "unknown", "empty")
        r.stop()
        until(lambda: p.counts()["up"] == "0", "away")
        check(p.state() == "unknown" and p.counts()["lost"] == "1", "away again")
    r.start()
    until(lambda: p.log().count(ALARM) == 3, "empty still")
    c = r.client()
    c.cmd("FLUSHALL")
    until(lambda: p.log().count(ALARM) == 4, "flushed, and empty still")
    check(p.state() == "unknown", "empty still")
    c.cmd("SET", "tlsmode:accept:settings", 1000)
    p.wait_log("event=guard_accept_ignored")
    check(p.state() == "unknown", "an old word is none")
    accept(c)
    p.wait_state("live")
    check((p.counts()["settings"], p.counts()["lost"]) == ("0", "0"), "the operator's word")


@tap.test("settings that appear end it; the damaged file is kept aside, and a start after that is a common one")
def appears(w):
    r = w.server()
    c = r.client()
    snap = w.file("snap")
    bad = spoil(good_copy(w, r, snap))["flipped"]
    write(snap, bad)
    c.cmd("FLUSHALL")
    p = w.probe(r, snapshot=snap)
    p.wait_log(ALARM)
    c.cmd("HSET", "tlsmode:sender:new.test", "mode", "verified")
    p.wait_state("live")
    check(p.mode("new.test") == "verified" and p.counts()["lost"] == "0", "taken")
    p.wait_log("event=guard_released how=returned")
    p.quit()
    check(read(snap + ".damaged") == bad, "kept")
    check(b" new.test " in read(snap) and stat.S_IMODE(os.stat(snap).st_mode) == 0o600, "written")
    q = w.probe(NOWHERE, snapshot=snap)
    q.wait_event("settled")
    check(q.mode("new.test") == "verified" and "snapshot_damaged" not in q.log(), "a good copy")
    check(sorted(f for f in os.listdir(w.folder) if f.startswith("snap")) == ["snap", "snap.damaged"], "no litter")


@tap.test("a damaged snapshot and a Redis with settings: they are taken, with one alarm; guard_percent = 100 takes none at all")
def full(w):
    r = w.server()
    snap = w.file("snap")
    bad = spoil(good_copy(w, r, snap))["torn"]
    write(snap, bad)
    p = w.probe(r, snapshot=snap)
    p.wait_event("settled")
    check(p.state() == "live" and p.mode("d7.test") == "enforced", "taken")
    until(lambda: os.path.exists(snap + ".damaged"), "a good copy is written")
    check(read(snap + ".damaged") == bad, "kept")
    check(p.log().count("event=snapshot_damaged") == 1, "one alarm")
    p.quit()
    write(snap, bad)
    r.client().cmd("FLUSHALL")
    q = w.probe(r, snapshot=snap, guard=100)
    q.wait_state("live")


@tap.test("whatever stands in the file's place counts as damage and goes aside: a directory, a pipe, a link to nowhere")
def no_file(w):
    r = w.server()
    c = r.client()
    makers = {"directory": os.mkdir, "pipe": os.mkfifo, "link": lambda path: os.symlink(path, path)}
    for name, make in makers.items():
        snap = w.file(name)
        make(snap)
        p = w.probe(r, snapshot=snap)
        p.wait_log(ALARM)
        check(p.state() == "unknown", name)
        c.cmd("HSET", "tlsmode:sender:a.test", "mode", "enforced")
        p.wait_state("live")
        p.quit()
        check(b" a.test " in read(snap) and os.path.lexists(snap + ".damaged"), name + " went aside")
        c.cmd("FLUSHALL")


@tap.test("each program has a file of its own; the one of both is read where the own is not there yet, and left alone")
def own(w):
    r = w.server()
    snap = w.file("snap")
    shared = good_copy(w, r, snap)
    for owner in ("mapd", "milter"):
        p = w.probe(NOWHERE, snapshot=snap, owner=owner)
        p.wait_event("settled")
        check(p.state() == "stale" and p.mode("d3.test") == "enforced", "the old file is read")
        p.quit()
        check(os.path.exists(snap + "." + owner), "the own one is written, without Redis, too")
    check(read(snap) == shared, "left alone")
    r.client().cmd("HSET", "tlsmode:sender:d3.test", "mode", "verified")
    p = w.probe(r, snapshot=snap, owner="mapd")
    p.wait_state("live")
    p.quit()
    for owner, mode in (("mapd", "verified"), ("milter", "enforced")):
        p = w.probe(NOWHERE, snapshot=snap, owner=owner)
        p.wait_event("settled")
        check(p.mode("d3.test") == mode, owner + " reads its own")
    r.client().cmd("FLUSHALL")
    os.unlink(snap + ".mapd")
    write(snap, shared[:-1])
    p = w.probe(r, snapshot=snap, owner="mapd")
    p.wait_log(ALARM)
    check(p.state() == "unknown", "the old one may be damaged, too")


@tap.test("a hold is in the file at once: settings that were given back by halves are not an old loss forgotten")
def held(w):
    r = w.server()
    c = r.client()
    snap = w.file("snap")
    good_copy(w, r, snap)
    p = w.probe(r, snapshot=snap)
    p.wait_log("event=snapshot_written")  # nothing but the hold asks for the next one
    c.cmd("FLUSHALL")
    p.wait_state("held")
    fill(c, 20)
    until(lambda: p.counts()["held"] == "10", "a part is back")
    p.quit()
    q = w.probe(r, snapshot=snap)
    q.wait_log("event=guard_hold gone=10")
    check(q.state() == "held" and q.mode("d29.test") == "enforced", "held over a restart")


@tap.test("a snapshot that cannot be written is tried again until it can be, with growing pauses, an alarm and its age")
def retried(w):
    r = w.server()
    c = r.client()
    os.mkdir(w.file("state"))
    snap = w.file("state/snap")
    p = w.probe(r, snapshot=snap)
    p.wait_state("live")
    c.cmd("HSET", "tlsmode:sender:a.test", "mode", "enforced")
    until(lambda: os.path.exists(snap), "a snapshot")
    until(lambda: p.counts()["behind_ms"] == "0", "nothing waits")
    os.rename(w.file("state"), w.file("away"))
    c.cmd("HSET", "tlsmode:sender:a.test", "mode", "verified")
    p.wait_log("event=snapshot_retry file=%s failures=3 pause_s=4" % snap)
    check([n for n in (1, 2, 4) if "pause_s=%d" % n not in p.log()] == [], "the pauses grow")
    check(p.log().count("event=snapshot_failed") == 1, "one alarm for one reason")
    counts = p.counts()
    check(int(counts["age_ms"]) >= int(counts["behind_ms"]) >= 5000, "ages: %s" % counts)
    os.rename(w.file("away"), w.file("state"))
    p.wait_log("event=snapshot_recovered file=%s failures=" % snap)
    check(b"mode=verified" in read(snap), "the change is in it")
    counts = p.counts()
    check(counts["behind_ms"] == "0" and int(counts["age_ms"]) < 5000, "ages: %s" % counts)


@tap.test("at the end it is tried once more; what cannot be kept then is said")
def at_the_end(w):
    r = w.server()
    c = r.client()
    os.mkdir(w.file("state"))
    snap = w.file("state/snap")
    good_copy(w, r, snap, n=1)
    for mode, back in (("verified", True), ("enforced", False)):
        p = w.probe(r, snapshot=snap)
        p.wait_state("live")
        os.rename(w.file("state"), w.file("away"))
        c.cmd("HSET", "tlsmode:sender:d0.test", "mode", mode)
        p.wait_log("failures=3 pause_s=4")
        if back:
            os.rename(w.file("away"), w.file("state"))
        p.quit()
        if back:
            check(b"mode=" + mode.encode() in read(snap), "written at the end")
            check("failures=4" not in p.log(), "not by chance")
    p.wait_log("it was the last attempt")


@tap.test("a full disk: the last good copy stays, and the change is written as soon as there is room")
def full_disk(w):
    r = w.server()
    c = r.client()
    os.mkdir(w.file("disk"))
    script = w.file("probe.sh")
    with open(script, "w") as f:
        f.write('#!/bin/sh\nmount -t tmpfs -o size=64k none %s && exec %s "$@"\n' % (
            w.file("disk"), os.environ.get("REDIS_PROBE") or os.path.abspath(os.path.join(os.environ.get("builddir", "."), "redis_probe"))))
    os.chmod(script, 0o755)
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", w.file("disk")], stderr=subprocess.DEVNULL).returncode != 0:
        note("no mount of our own may be made here: not tried")
        return
    snap = w.file("disk/snap")
    p = Probe(w, r.address, before=["unshare", "-rm"], program=script, snapshot=snap)
    p.wait_state("live")
    inside = "/proc/%d/root%s" % (p.process.pid, w.file("disk"))
    fill(c, 30)
    until(lambda: os.path.exists(inside + "/snap"), "a snapshot")
    until(lambda: p.counts()["behind_ms"] == "0", "nothing waits")
    good = read(inside + "/snap")
    with open(inside + "/filler", "wb", buffering=0) as f:
        try:
            while True:
                f.write(b"x" * 4096)
        except OSError as e:
            note("the disk is full: " + e.strerror)
    c.cmd("HSET", "tlsmode:sender:d3.test", "mode", "verified")
    p.wait_log("failures=2 pause_s=2")
    check('why="No space left on device"' in p.log(), "says why")
    check(read(inside + "/snap") == good and sorted(os.listdir(inside)) == ["filler", "snap"], "the good copy, and no litter")
    os.unlink(inside + "/filler")
    p.wait_log("event=snapshot_recovered")
    check(b"sender d3.test 0 0 mode=verified" in read(inside + "/snap"), "written")


tap.run()
