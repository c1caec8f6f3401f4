#!/usr/bin/python3
"""Everything around tlsmode-mapd fails at random, and it keeps its promise: what must not travel in the clear does not, every question is
answered in its turn, and when the storm is over all is exact again. MLT-07, MRG-02, STS-31, STS-71, STS-72, SM-01, SM-06.

    TLSMODE_CHAOS_SECONDS=25 TLSMODE_CHAOS_SEED=1 tests/e2e/chaos.py        the same seed: the same actions in the same order

chaos_storm.py does the harm, chaos_oracle.py judges.
"""
import os
import random
import re
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from chaos_oracle import SOON, WAYS, Oracle  # noqa: E402
from chaos_storm import CONF, DANE, DEADLINE, FAULTY, PLAIN, SEED, SENDERS, STS, Storm, sender_name  # noqa: E402
from world.grammar import reply_fault  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import Late, wait_for  # noqa: E402
from world.world import World  # noqa: E402

SECONDS = float(os.environ.get("TLSMODE_CHAOS_SECONDS", "25"))
HANGS = DEADLINE + 10  # an answer that late is none
POLICY_MAPS = [m + t for m in ("opportunistic", "enforced", "verified") for t in ("", "-tlsrpt")] + ["sts"]
CLIENTS = 5


class Client(threading.Thread):
    """Asks without end on one connection, several questions at once, and has every answer judged."""

    def __init__(self, w, oracle, seed):
        super().__init__(daemon=True)
        self.w, self.oracle, self.random = w, oracle, random.Random(seed)
        self.ended = threading.Event()
        self.map = None

    def question(self):
        kind = self.random.random()
        if kind < 0.45:
            return self.random.choice(("transport", "transport", "mode")), "a%d+x@%s" % (
                self.random.randrange(99), sender_name(self.random.randrange(SENDERS)))
        if kind < 0.9:
            domain = self.random.choice(STS + DANE + PLAIN)
            return self.random.choice(POLICY_MAPS), domain + self.random.choice(("", "", "", ":587"))
        if kind < 0.95:
            return "refusal", "4.7.4 TLS is required, but was not offered by host mx.%s[192.0.2.1]" % self.random.choice(STS + DANE)
        return "explain", "[192.0.2.%d]" % self.random.randrange(1, 255)

    def turn(self):
        asked = time.monotonic()
        questions = [self.question() for _ in range(self.random.randrange(1, 9))]
        try:
            self.map = self.map or self.w.daemons.client()
            self.map.socket.settimeout(HANGS)
            for name, key in questions:
                self.map.send(name, key)
            for name, key in questions:
                reply = self.map.reply()
                wrong = reply_fault(name, reply)
                if wrong:
                    self.oracle.blame("%s %s: %s: %r" % (name, key, wrong, reply[:300]))
                self.oracle.judge(name, key, reply, asked, time.monotonic())
        except TimeoutError:
            self.oracle.blame("no answer within %d s to one of %s" % (HANGS, questions))
            self.close()
        except (OSError, EOFError) as error:
            self.close()
            if not self.oracle.restarting(asked):
                self.oracle.blame("a connection broke: %r" % error)
            time.sleep(0.02)

    def close(self):
        if self.map:
            self.map.close()
        self.map = None

    def run(self):
        while not self.ended.is_set():
            self.turn()
            time.sleep(self.random.random() * 0.01)
        self.close()


def publish(w):
    for domain, signed in (("sts.test", True), ("plain.test", False), ("excepted.test", False)):
        w.zone(domain, signed=signed, ttl=2).set("@", "MX", "10 mx.%s." % domain).set("mx", "A", "127.0.2.1")
    w.zone("dane.test", ttl=2).set("@", "MX", "10 mx").set("mx", "A", "127.0.2.1")
    for port in (25, 587):
        w.zones["dane.test"].set("_%d._tcp.mx" % port, "TLSA", "3 1 1 " + "ab" * 32)
    for domain in FAULTY:
        w.zone(domain, faulty=True, ttl=2, minimum=1).set("@", "MX", "10 mx.%s." % domain).set("mx", "A", "127.0.2.1")
    for domain in STS:
        w.sts(domain, ttl=1)


def settled(w, oracle):
    """What is not as it should be, when nothing is wrong."""
    wrong = []
    for i in range(SENDERS):
        name = sender_name(i)
        if w.ask("transport", "a@" + name) != WAYS[oracle.settings.now(name)]:
            wrong.append((name, w.ask("transport", "a@" + name), oracle.settings.now(name)))
    end = " protocols=>=TLSv1.2"
    secure = "OK secure match=mx.%s servername=hostname" + end
    verify = "OK verify match=hostname servername=hostname" + end
    for domain in STS + DANE + PLAIN:
        want = (secure % domain,) * 3 if domain in STS else ("OK dane-only" + end,) * 3 if domain in DANE else (
            "NOTFOUND ", "OK encrypt" + end, verify)
        got = tuple(w.ask(mode, domain) for mode in WAYS)
        if got != want:
            wrong.append((domain, got, want))
    return wrong


def settles(tap, w, storm, oracle):
    storm.calm()
    for _ in range(4):
        try:
            wait_for("everything exact", lambda: not settled(w, oracle), 12, 0.2)
            break
        except Late:  # a fetch that a busy machine made fail is held off for five minutes
            storm.renew_policies()
    tap.equal(settled(w, oracle), [], "after the storm everything is exact again")
    tap.equal(storm.status()["counters"]["settings_held"], 0, "nothing is held")
    wait_for("the clients' last answers", lambda: storm.status()["counters"]["requests_waiting"] == 0, 60)  # they ask on meanwhile
    counters = storm.status()["counters"]
    tap.note("measured: %s" % {k: counters[k] for k in ("jobs_started", "jobs_timed_out", "fetches_ok", "fetches_failed", "redis_reconnects",
                                                        "settings_reloads", "conf_reloads", "conf_reloads_failed", "cache_hits")})


def blame(tap, w, oracle, log):
    tap.equal(oracle.violations, [], "no answer broke the promise", *oracle.violations[:20])
    bad = [line for line in log.splitlines() if re.search(r"Sanitizer|runtime error|ssert", line)]
    tap.equal(bad, [], "no sanitizer and no assertion has spoken", log[-3000:] if bad else "")
    if oracle.violations or bad or tap.failed:
        tap.note("\n".join("%7.2f %s" % did for did in oracle.history[-60:]))
        tap.note(log[-6000:])


def test(tap):
    tap.note("measured: TLSMODE_CHAOS_SEED=%d TLSMODE_CHAOS_SECONDS=%g repeats this storm" % (SEED, SECONDS))
    with World("e2e-chaos") as w:
        publish(w)
        w.start_dns()
        w.start_redis("dir /run/redis\nlua-time-limit 50\n")
        w.start_mapd(CONF)
        oracle = Oracle(STS, DANE, ("excepted.test",))
        storm = Storm(w, oracle)
        client = w.redis.connect()
        for i in range(SENDERS):
            storm.put(client, i, ("enforced", "verified", "opportunistic", "enforced")[i % 4])
        storm.in_step()
        clients = [Client(w, oracle, SEED + i) for i in range(1, CLIENTS + 1)]
        for c in clients:
            c.start()
        try:
            storm.run(SECONDS)
            settles(tap, w, storm, oracle)
        finally:
            for c in clients:
                c.ended.set()
            for c in clients:
                c.join(HANGS + 5)
            blame(tap, w, oracle, w.daemons.mapd.text())
            w.daemons.mapd.insist()
        tap.equal(w.daemons.mapd.stop(seconds=30), 0, "and it ends as it should")
        tap.ok(not re.search("Sanitizer", w.daemons.mapd.text()), "without leaving memory behind", w.daemons.mapd.text()[-2000:])
        tap.note("measured: %d answers judged, the slowest after %.2f s (deadline %d s); %d settings seen later than %d ms" % (
            oracle.asked, oracle.worst, DEADLINE, oracle.settings.late, SOON * 1000))
        tap.note("measured: %d actions" % len(oracle.history))


if __name__ == "__main__":
    main(test)
