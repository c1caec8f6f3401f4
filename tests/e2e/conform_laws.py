#!/usr/bin/python3
"""The laws of PRODUCT.md's decision while everything around the daemon fails at random: DNS answers, policy hosts, the daemon itself
(kill -9). Askers go on all the time; not one reply may break a law. The seed is printed; TLSMODE_SEED repeats it."""
import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

SECONDS = 12
MAPS = [mode + form for mode in ("opportunistic", "enforced", "verified") for form in ("", "-tlsrpt")]
POLICY = ["p%d.test" % i for i in range(8)]    # an unsigned zone that fails, an enforce policy
SIGNED = ["s%d.test" % i for i in range(6)]    # a signed zone, an enforce policy; only its TLSA records fail
PLAIN = ["n%d.test" % i for i in range(4)]     # an unsigned zone that fails, no policy
FAULTS = ("servfail", "refused", "nxdomain", "silent", None, None, None)
HOSTS = ({}, {"status": 503}, {"status": 404}, {"type": "text/html"}, {"send": "reset"}, {"send": "short"}, {"body": "garbage"}, {"send": "stall"})


def publish(w):
    for name in POLICY + PLAIN:
        w.zone(name, faulty=True, ttl=1, minimum=1).set("@", "MX", "10 mx").set("mx", "A", "127.0.2.1")
    for name in SIGNED:
        w.zone(name, ttl=1, minimum=1).set("@", "MX", "10 mx").set("mx", "A", "127.0.2.1")
        w.zone("_tcp.mx." + name, faulty=True, ttl=1, minimum=1).set("_25", "TLSA", "3 1 1 " + "ab" * 32)
    for name in POLICY + SIGNED:
        w.sts(name, ttl=1)


def broken_law(name, question, reply):
    """None, or the law of PRODUCT.md that this reply breaks."""
    word = reply.split(" ")[0]
    level = reply.split(" ")[1] if word == "OK" else word
    if name in POLICY + SIGNED and level not in ("secure", "dane-only", "TEMP"):
        return "an enforce policy is in force: S, dane-only or TEMP"
    if not question.startswith("opportunistic") and level not in ("encrypt", "verify", "secure", "dane-only", "TEMP"):
        return "strict modes are never NOTFOUND, none, may or dane"
    if level == "dane-only" and name not in SIGNED:
        return "nothing here but a signed zone has DANE"
    return None


class Askers:
    """Threads that ask without end, each on its own connection, made anew whenever the daemon is gone."""

    def __init__(self, w, rng, count=4):
        self.w, self.broken, self.replies, self.stopped = w, [], {}, threading.Event()
        self.threads = [threading.Thread(target=self.ask, args=(random.Random(rng.random()),)) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def ask(self, rng):
        client = None
        while not self.stopped.is_set():
            name, question = rng.choice(POLICY + SIGNED + PLAIN), rng.choice(MAPS)
            try:
                client = client or self.w.daemons.client()
                reply = client.ask(question, name)
            except (OSError, EOFError):
                client = None
                time.sleep(0.01)
                continue
            except ValueError as wrong:  # Postfix would not understand it
                self.broken.append(str(wrong))
                continue
            self.replies[reply.split(" ", 2)[0] + " " + (reply.split(" ")[1] if reply.startswith("OK") else "")] = True
            law = broken_law(name, question, reply)
            if law:
                self.broken.append("%s %s: %s: %r" % (question, name, law, reply))

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


def fail_at_random(w, rng, serial):
    """One change of the world."""
    kind = rng.randrange(10)
    if kind < 6:
        name = rng.choice(POLICY + PLAIN)
        owner, rtype = rng.choice((("", "MX"), ("_mta-sts.", "TXT"), ("mta-sts.", "A"), ("mx.", "*")))
        fault = rng.choice(FAULTS)
        w.faultdns.faults.pop((owner + name + ".", rtype), None)
        if fault:
            w.faultdns.faults[(owner + name + ".", rtype)] = fault
    elif kind < 8:
        name = rng.choice(SIGNED)
        w.faultdns.faults[("_tcp.mx.%s." % name, "*")] = rng.choice(("servfail", "refused", "silent", "nxdomain"))
    else:
        name = rng.choice(POLICY)
        w.sts(name, ttl=1, id=str(serial), **rng.choice(HOSTS))  # a faulty zone serves the new id at once


def test(tap):
    seed = os.environ.get("TLSMODE_SEED") or str(random.randrange(10 ** 6))
    rng = random.Random(seed)
    tap.note("seed %s" % seed)
    with World("e2e-conform-laws") as w:
        publish(w)
        w.start(conf={"mapd": {"deadline": 3}, "dns": {"timeout": 2}, "sts": {"timeout": 1}}, postfix=False, milter=False, own_root=True)
        for name in POLICY + SIGNED:
            wait_for("the policy of " + name, lambda n=name: w.ask("opportunistic", n).startswith(("OK secure ", "OK dane-only")))
        askers = Askers(w, rng)
        end, serial, kills = time.monotonic() + SECONDS, 1, 0
        while time.monotonic() < end:
            serial += 1
            fail_at_random(w, rng, serial)
            if time.monotonic() > end - SECONDS + 4 * (kills + 1):
                kills += 1
                w.daemons.mapd.send(signal.SIGKILL)
                w.daemons.mapd.process.wait()
                w.daemons.start_mapd()
            time.sleep(0.03)  # the pace of the failures; nothing is awaited
        askers.stop()
        tap.equal(askers.broken[:5], [], "no reply broke a law of the decision", "%d in all" % len(askers.broken), "TLSMODE_SEED=%s" % seed)
        tap.note("measured: %d changes, %d kills, kinds of replies: %s" % (serial, kills, ", ".join(sorted(askers.replies))))
        tap.ok({"OK secure", "OK dane", "TEMP "} <= set(askers.replies), "good and bad times were seen", sorted(askers.replies))
        w.faultdns.faults.clear()
        tap.equal(w.daemons.mapd.stop(), 0, "a clean end")


main(test)
