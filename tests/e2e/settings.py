#!/usr/bin/python3
"""Settings live: redis-cli HSET, DEL, MULTI, bad values, wrong types, lost connections, Redis away and back, EXPIRE, FLUSHALL. The next
answers are right; the time from the write to the first new answer is measured and printed, never judged."""
import http.client
import os
import signal
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

SENDER = "tlsmode:sender:"
WAYS = {"opportunistic": "NOTFOUND ", "enforced": "OK smtp-enforced:", "verified": "OK smtp-verified:"}
MANY = 100000


class Asker:
    """One connection to the socketmap and one to Redis."""

    def __init__(self, w):
        self.w = w
        self.map, self.redis = w.daemons.client(), w.redis.connect()

    def way(self, domain):
        return self.map.ask("transport", "somebody@" + domain)

    def until(self, domain, mode, began, seconds=5.0):
        """Milliseconds from BEGAN until the transport map says MODE; None when it never does."""
        while time.monotonic() - began < seconds:
            if self.way(domain) == WAYS[mode]:
                return (time.monotonic() - began) * 1000
        return None

    def write(self, domain, mode, *words):
        """Does WORDS in Redis and measures until DOMAIN is in MODE."""
        began = time.monotonic()
        self.redis(*words)
        return self.until(domain, mode, began)


def judge(tap, ms, what):
    if tap.ok(ms is not None, what, "the old answer stayed"):
        tap.note("measured: %s: %.2f ms from the write to the first new answer" % (what, ms))


def http_status(path):
    connection = http.client.HTTPConnection("127.0.0.1", 9461, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def log_has(w, *words):
    return [line for line in w.daemons.mapd.text().splitlines() if all(word in line for word in words)]


def writes(tap, a):
    judge(tap, a.write("a.test", "enforced", "HSET", SENDER + "a.test", "mode", "enforced"), "HSET of a new sender")
    judge(tap, a.write("a.test", "verified", "HSET", SENDER + "a.test", "mode", "VERIFIED"), "HSET changes a mode, in any case")
    judge(tap, a.write("a.test", "opportunistic", "HDEL", SENDER + "a.test", "mode"), "HDEL of the only field")
    judge(tap, a.write("b.test", "enforced", "HSET", SENDER + "b.test", "mode", "enforced", "note", "x"), "HSET of two fields")
    judge(tap, a.write("b.test", "opportunistic", "DEL", SENDER + "b.test"), "DEL")
    times = [a.write("t.test", mode, "HSET", SENDER + "t.test", "mode", mode) for _ in range(100) for mode in ("enforced", "verified")]
    if tap.ok(None not in times, "200 changes one after the other, each in force"):
        tap.note("measured: 200 HSET: median %.2f ms, worst %.2f ms" % (statistics.median(times), max(times)))


def transaction(tap, a):
    a.redis("MULTI")
    for name in ("m1.test", "m2.test", "m3.test"):
        a.redis("HSET", SENDER + name, "mode", "enforced")
    began = time.monotonic()
    a.redis("EXEC")
    times = [a.until(name, "enforced", began) for name in ("m1.test", "m2.test", "m3.test")]
    judge(tap, max(times) if None not in times else None, "MULTI with three senders")


def closest(tap, a):
    a.redis("HSET", SENDER + "*", "mode", "enforced")
    a.redis("HSET", SENDER + ".corp.test", "mode", "verified")
    a.redis("HSET", SENDER + "shop.corp.test", "via", "pool2")
    a.redis("HSET", SENDER + "open.corp.test", "mode", "opportunistic")
    judge(tap, a.write("last.test", "verified", "HSET", SENDER + "last.test", "mode", "verified"), "the last of five writes")
    tap.equal([a.way(d) for d in ("else.test", "x.corp.test", "shop.corp.test", "corp.test", "OPEN.corp.TEST")],
              ["OK smtp-enforced:", "OK smtp-verified:", "OK pool2-verified:", "OK smtp-enforced:", "NOTFOUND "],
              "each field comes from the closest key that has it")
    for key in ("*", ".corp.test", "shop.corp.test", "open.corp.test", "last.test"):
        a.redis("DEL", SENDER + key)
    wait_for("the old world", lambda: a.way("else.test") == WAYS["opportunistic"], 5)


def nonsense(tap, a):
    judge(tap, a.write("typo.test", "enforced", "HSET", SENDER + "typo.test", "mode", "verifed"), "an unknown mode reads as enforced")
    wait_for("a log line", lambda: log_has(a.w, "typo.test"), 5)
    for _ in range(5):
        a.way("typo.test")
    a.redis("HSET", SENDER + "other.test", "mode", "enforced")
    a.until("other.test", "enforced", time.monotonic())
    tap.equal(len(log_has(a.w, "typo.test")), 1, "it is logged once", *log_has(a.w, "typo.test"))
    judge(tap, a.write("typo.test", "verified", "HSET", SENDER + "typo.test", "mode", "verified"), "the corrected value")
    judge(tap, a.write("string.test", "enforced", "SET", SENDER + "string.test", "enforced"), "a string where a hash should be is read strictly")
    judge(tap, a.write("string.test", "opportunistic", "DEL", SENDER + "string.test"), "and goes away with its key")
    a.redis("HSET", SENDER + "string.test", "colour", "blue")
    judge(tap, a.write("after.test", "enforced", "HSET", SENDER + "after.test", "mode", "enforced"), "a write after an unknown field")
    tap.equal(a.way("string.test"), "NOTFOUND ", "an unknown field is ignored")


def lost_connections(tap, a):
    killed = a.redis("CLIENT", "KILL", "TYPE", "pubsub")
    tap.ok(killed >= 1, "the daemon has a pub/sub connection to kill")
    judge(tap, a.write("a.test", "enforced", "HSET", SENDER + "a.test", "mode", "enforced"), "HSET right after the pub/sub connection was killed")
    a.redis("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    tap.equal(a.way("a.test"), WAYS["enforced"], "both connections killed: the last known is served")
    judge(tap, a.write("a.test", "verified", "HSET", SENDER + "a.test", "mode", "verified"), "HSET right after all its connections were killed")
    a.w.redis.program.send(signal.SIGSTOP)
    began = time.monotonic()
    tap.equal(a.way("a.test"), WAYS["verified"], "Redis hangs: answers go on")
    tap.note("measured: an answer while Redis hangs took %.2f ms" % ((time.monotonic() - began) * 1000))
    a.w.redis.program.send(signal.SIGCONT)
    judge(tap, a.write("a.test", "enforced", "HSET", SENDER + "a.test", "mode", "enforced"), "HSET after Redis hung")


def restart(tap, a):
    w = a.w
    a.redis("SAVE")
    w.redis.stop()
    tap.equal(a.way("a.test"), WAYS["enforced"], "Redis is away: the last known is served")
    w.redis.start()
    a.redis = w.redis.connect()
    tap.equal(a.way("a.test"), WAYS["enforced"], "Redis is back: the same answer")
    judge(tap, a.write("a.test", "verified", "HSET", SENDER + "a.test", "mode", "verified"), "HSET right after Redis came back")


def expiry(tap, a):
    a.redis("DEBUG", "SET-ACTIVE-EXPIRE", "0")  # Redis itself announces nothing now
    for start in range(0, MANY, 1000):
        a.redis.socket.sendall(b"".join(b"*5\r\n$3\r\nSET\r\n$%d\r\nother:%d\r\n$1\r\nx\r\n$2\r\nPX\r\n$6\r\n600000\r\n" % (
            len("other:%d" % i), i) for i in range(start, start + 1000)))
        for _ in range(1000):
            a.redis.reply()
    a.redis("HSET", SENDER + "e.test", "mode", "verified")
    a.until("e.test", "verified", time.monotonic())
    began = time.monotonic()
    a.redis("PEXPIRE", SENDER + "e.test", "1000")
    tap.equal(a.way("e.test"), WAYS["verified"], "EXPIRE: in force until its time")
    ms = a.until("e.test", "opportunistic", began)
    if tap.ok(ms is not None and ms >= 999, "EXPIRE: out of force by our own clock, not before its time", ms):
        tap.note("measured: EXPIRE with %d other TTL keys, Redis silent: %.1f ms after its time" % (MANY, ms - 1000))
    a.redis("DEBUG", "SET-ACTIVE-EXPIRE", "1")
    a.redis("HSET", SENDER + "p.test", "mode", "enforced")
    a.until("p.test", "enforced", time.monotonic())
    a.redis("PEXPIRE", SENDER + "p.test", "400")
    a.redis("PERSIST", SENDER + "p.test")
    began = time.monotonic()
    while time.monotonic() - began < 0.8:
        if a.way("p.test") != WAYS["enforced"]:
            break
    tap.equal(a.way("p.test"), WAYS["enforced"], "PERSIST before the end: it stays")


def flush(tap, a):
    for key in a.redis("KEYS", SENDER + "*"):
        a.write(key[len(SENDER):], "opportunistic", "DEL", key)
    for i in range(20):
        a.write("f%d.test" % i, "enforced", "HSET", SENDER + "f%d.test" % i, "mode", "enforced")
    tap.equal(http_status("/readyz"), 200, "/readyz is content before")
    a.redis("FLUSHALL")
    tap.becomes(lambda: http_status("/readyz") != 200, True, "FLUSHALL: /readyz fails", 10)
    tap.equal([a.way("f%d.test" % i) for i in range(20)], [WAYS["enforced"]] * 20, "FLUSHALL: the last known stay in force")
    tap.ok([line for line in log_has(a.w) if "guard" in line or "vanish" in line or "alarm" in line], "FLUSHALL: an alarm is logged",
           a.w.daemons.mapd.text()[-800:])
    a.redis("HSET", SENDER + "f0.test", "mode", "verified")
    judge(tap, a.until("f0.test", "verified", time.monotonic()), "a key written while the guard holds")
    for i in range(1, 20):
        a.redis("HSET", SENDER + "f%d.test" % i, "mode", "enforced")
    tap.becomes(lambda: http_status("/readyz"), 200, "the settings return: /readyz is content again", 10)
    times = [a.write("f%d.test" % i, "opportunistic", "DEL", SENDER + "f%d.test" % i) for i in range(20)]
    tap.ok(None not in times, "deleting one by one works as always", times)


def snapshot():
    try:
        with open("/run/world/state/settings.mapd", errors="replace") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def start_without_redis(tap, w):
    w.mode("kept.test", "enforced")
    a = Asker(w)
    a.until("kept.test", "enforced", time.monotonic())
    wait_for("the snapshot", lambda: "kept.test" in snapshot(), 20)
    w.daemons.mapd.stop()
    w.redis.stop()
    w.daemons.start_mapd()
    tap.equal(w.ask("transport", "a@kept.test"), WAYS["enforced"], "started while Redis is away: the snapshot is in force")
    w.daemons.mapd.stop()
    for name in os.listdir("/run/world/state"):
        os.unlink("/run/world/state/" + name)
    w.daemons.start_mapd()
    tap.ok(w.ask("transport", "a@kept.test").startswith("TEMP "), "without a snapshot: when_unknown = tempfail")
    w.redis.start()
    w.mode("kept.test", "verified")
    wait_for("settings", lambda: w.ask("transport", "a@kept.test") == WAYS["verified"], 15)
    tap.ok(True, "Redis comes: settings are read without a restart")


def test(tap):
    with World("e2e-settings") as w:
        w.destination("plain.test", starttls="none")
        w.start_dns()
        w.start_redis("dir /run/redis\nenable-debug-command yes\n")
        w.start_mapd()
        a = Asker(w)
        for part in (writes, transaction, closest, nonsense, lost_connections, restart, expiry, flush):
            part(tap, a)
        start_without_redis(tap, w)


main(test)
