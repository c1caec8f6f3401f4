#!/usr/bin/python3
"""Names whose servers are silent hold back nobody else (tlsmode-mapd(8), Connections):
with a forwarder, whose one address carries the silent names' timeouts as well, and with our own recursion. SM-07, NEG-05."""
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world.tap import main  # noqa: E402
from world.world import World  # noqa: E402

SILENT, GOOD, ROUNDS, ALONE, DEADLINE = 12, 40, 3, 4, 4
ONLY = "OK dane-only protocols=>=TLSv1.2"


def publish(w):
    for i in range(SILENT * 3):
        w.zone("silent%d.test" % i, faulty=True, server="127.0.5.%d" % (i + 1))  # one dead server each
        w.faults[("silent%d.test." % i, "MX")] = "silent"  # alive for everything else, so that it is asked again and again
    for i in range(ALONE):
        w.zone("alone%d.test" % i, faulty=True, server="127.0.6.%d" % (i + 1))
        w.faults[("alone%d.test." % i, "MX")] = "silent"
    for name in ["good%d.test" % i for i in range(GOOD * ROUNDS)] + ["after%d.test" % i for i in range(ALONE)]:
        w.zone(name).set("@", "MX", "10 mx").set("mx", "A", "127.0.2.1").set(
            "_25._tcp.mx", "TLSA", "3 1 1 " + "ab" * 32)


def ask_silent(w, answers, batch):
    def one(number):
        began = time.monotonic()
        answers.append((w.ask("enforced", "silent%d.test" % number), time.monotonic() - began))
    threads = [threading.Thread(target=one, args=(i,)) for i in range(batch * SILENT, (batch + 1) * SILENT)]
    for thread in threads:
        thread.start()
    return threads


def round_of_good(w, number):
    """(answers that are wrong, the slowest in seconds) of cold good names, one after the other."""
    wrong, slowest = [], 0
    for i in range(number * GOOD, (number + 1) * GOOD):
        began = time.monotonic()
        reply = w.ask("enforced", "good%d.test" % i)
        slowest = max(slowest, time.monotonic() - began)
        if reply != ONLY:
            wrong.append((i, reply))
    return wrong, slowest


def way(tap, w, name):
    answers, threads = [], []
    for number, what in enumerate(("while silent names wait", "right after silent names gave up", "right after more of them gave up")):
        threads += ask_silent(w, answers, number)
        if number:
            for thread in threads:
                thread.join()
        wrong, slowest = round_of_good(w, number)
        tap.equal(wrong, [], "%s: %d cold good names %s" % (name, GOOD, what))
        tap.note("measured: %s: the slowest of %d cold names %s: %.0f ms" % (name, GOOD, what, slowest * 1000))
    tap.equal({reply.split(" ")[0] for reply, _ in answers}, {"TEMP"}, name + ": silent names are TEMP")
    tap.note("measured: %s: a silent name was answered after %.1f to %.1f s (deadline %d)" % (
        name, min(s for _, s in answers), max(s for _, s in answers), DEADLINE))


def one_by_one(tap, w, name):
    """The same without company: nothing succeeds meanwhile that could keep a forwarder in good repute."""
    for number in range(ALONE):
        w.ask("enforced", "alone%d.test" % number)
    replies = [w.ask("enforced", "after%d.test" % number) for number in range(ALONE)]
    tap.equal(replies, [ONLY] * ALONE, "%s: %d cold good names after %d silent ones and nothing else" % (name, ALONE, ALONE))


def test(tap):
    with World("e2e-slow") as w:
        publish(w)
        w.start(conf={"mapd": {"deadline": DEADLINE}, "dns": {"timeout": 3}}, postfix=False, milter=False)
        way(tap, w, "a forwarder")
        one_by_one(tap, w, "a forwarder")
        w.daemons.mapd.stop()
        w.redis.cli("FLUSHALL")
        w.start_mapd({"mapd": {"deadline": DEADLINE}, "dns": {"timeout": 3}}, own_root=True)
        way(tap, w, "own recursion")
        one_by_one(tap, w, "own recursion")


if __name__ == "__main__":
    main(test)
