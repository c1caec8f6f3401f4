#!/usr/bin/python3
"""Several nodes on one Redis: one of them fetches, all of them know, and what is forgotten is forgotten everywhere.

Real tlsmode-mapd twice, with the real adapters: libunbound, libcurl, Redis with client tracking.
"""
import itertools
import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world.node import Node, all_at_once
from world.policy_host import write_host
from world.tap import main
from world.waiting import wait_for
from world.world import World

PORTS = itertools.count(3000)
SECURE = "OK secure match=mx.%s servername=hostname protocols=>=TLSv1.2"


def until(what, probe, want, seconds=5):
    """Seconds until PROBE() gives WANT."""
    begin = time.monotonic()
    wait_for(what, lambda: probe() == want, seconds)
    return time.monotonic() - begin


def one_fetch(tap, w, b):
    answers = all_at_once([lambda n=n: n("opportunistic", "shared.test") for n in (w.ask, b.ask) * 25])
    tap.equal(set(answers), {SECURE % "shared.test"}, "fifty askers of a cold domain on two nodes get its policy")
    tap.equal(w.fetches("shared.test"), 1, "and it was fetched once")
    tap.equal(w.ask("enforced", "shared.test:587"), SECURE % "shared.test", "a variant of the domain has the same policy")
    tap.equal(w.fetches("shared.test"), 1, "without another fetch")


def known_elsewhere(tap, w, b):
    w.ask("opportunistic", "known.test")
    tap.equal(b.ask("opportunistic", "known.test"), SECURE % "known.test", "what one node found, another takes from Redis")
    tap.equal(w.fetches("known.test"), 1, "without another fetch")


def failure_is_ones_own(tap, w, b):
    tap.equal(w.ask("opportunistic", "failing.test"), "NOTFOUND ", "a policy that cannot be fetched is no policy")
    tap.equal(b.ask("opportunistic", "failing.test"), "NOTFOUND ", "on the other node neither")
    tap.equal(w.fetches("failing.test"), 2, "which tried for itself")
    tap.equal((w.ask("opportunistic", "failing.test:587"), w.fetches("failing.test")), ("NOTFOUND ", 2), "and none tries again for five minutes")


def txt_state(ask, domain):
    return json.loads(ask("explain", domain)[3:])["sts"]["txt"]


def forget(tap, w, b):
    for ask in (w.ask, b.ask):
        tap.equal(ask("opportunistic", "forgotten.test"), SECURE % "forgotten.test", "a policy is in force")
    zone = w.zone_of("forgotten.test")
    zone.set("_mta-sts.forgotten.test.", "TXT")
    w.publish(zone)
    for ask in (w.ask, b.ask):
        wait_for("the end of the TXT record", lambda: txt_state(ask, "forgotten.test") == "none")
        tap.equal(ask("opportunistic", "forgotten.test"), SECURE % "forgotten.test", "and stays when its TXT record is gone")
    w.redis.cli("DEL", "tlsmode:sts:forgotten.test", "tlsmode:dane:forgotten.test")
    for ask in (w.ask, b.ask):
        tap.equal(ask("opportunistic", "forgotten.test"), SECURE % "forgotten.test", "also when its hash is gone, which may be an eviction")
    w.redis.cli("DEL", "tlsmode:sts:forgotten.test", "tlsmode:dane:forgotten.test")  # as tlsmode cache forget does it
    w.redis.cli("HSET", "tlsmode:sts:forgotten.test", "forgotten", "1")
    for name, ask in (("this node", w.ask), ("the other node", b.ask)):
        seconds = until("NOTFOUND from " + name, lambda: ask("opportunistic", "forgotten.test"), "NOTFOUND ")
        tap.ok(True, "a forgotten policy is forgotten by " + name)
        tap.note("after %.0f ms" % (seconds * 1000))


def wrong_type(tap, w, b):
    """A key that is no hash says nothing: in particular not that the policy was removed."""
    b.ask("opportunistic", "known.test")
    serve(w, "known.test", send="reset")
    w.redis.cli("SET", "tlsmode:sts:known.test", "what?")
    for ask in (w.ask, b.ask):
        tap.equal(ask("enforced", "known.test:2525"), SECURE % "known.test", "WRONGTYPE forgets nothing")


def holder_dies(tap, w, b):
    c = Node(w.daemons, 3).start()
    threading.Thread(target=lambda: swallow(lambda: c.ask("opportunistic", "stalled.test")), daemon=True).start()
    wait_for("the lock", lambda: w.redis.cli("EXISTS", "tlsmode:lock:stalled.test") == 1)
    wait_for("the transfer", lambda: w.fetches("stalled.test") == 1)
    tap.equal(b.ask("opportunistic", "stalled.test"), "NOTFOUND ", "sts.timeout: while another node fetches there is no policy")
    c.kill()
    serve(w, "stalled.test")
    until("the policy", lambda: b.ask("opportunistic", "stalled.test"), SECURE % "stalled.test", 20)
    tap.ok(True, "the node that held the lock died: another fetches")
    tap.equal(w.ask("opportunistic", "stalled.test"), SECURE % "stalled.test", "and all know")


def swallow(call):
    try:
        call()
    except (OSError, EOFError):
        pass


def serve(w, domain, **how):
    pair = w.pair("ca", "mta-sts." + domain)
    write_host(w.policies, "mta-sts." + domain, cert=pair.cert, key=pair.key,
               body="version: STSv1\nmode: enforce\nmx: mx.%s\nmax_age: 604800\n" % domain, **how)


def restart(tap, w, b):
    serve(w, "shared.test", send="reset")
    b.kill()
    b.start()
    tap.equal(b.ask("opportunistic", "shared.test"), SECURE % "shared.test", "killed and started anew while HTTPS is down: still there")


def redis_away(tap, w, b):
    w.redis.stop()
    for name, ask in (("one", w.ask), ("another", b.ask)):
        tap.equal(ask("verified", "shared.test"), SECURE % "shared.test", "Redis away: " + name + " node still has the policy")
    tap.equal(b.ask("opportunistic", "alone.test"), SECURE % "alone.test", "Redis away: a cold domain is resolved without it")
    w.redis.start()
    begin = time.monotonic()
    wait_for("the facts in the new Redis", lambda: lost_and_shared(w, b), 20)
    tap.ok(True, "Redis came back empty: policies in force are shared again")
    tap.note("after %.1f s" % (time.monotonic() - begin))
    tap.equal(w.ask("opportunistic", "shared.test"), SECURE % "shared.test", "and none is lost")


def lost_and_shared(w, b):
    b.ask("opportunistic", "shared.test:%d" % next(PORTS))  # a question whose answer is not remembered
    return w.redis.cli("HGET", "tlsmode:sts:shared.test", "mode") == "enforce"


def test(tap):
    with World("e2e-nodes") as w:
        for name in ("shared", "known", "forgotten", "stalled", "failing", "alone"):
            domain = name + ".test"
            w.destination(domain, **({"sts": "enforce"} if name != "failing" else {}))
        w.sts("failing.test", status=500)
        w.sts("forgotten.test", ttl=1)
        serve(w, "stalled.test", send="stall")
        w.start(postfix=False, milter=False, conf={"sts": {"timeout": 2}})
        b = Node(w.daemons, 2).start()
        try:
            one_fetch(tap, w, b)
            known_elsewhere(tap, w, b)
            failure_is_ones_own(tap, w, b)
            forget(tap, w, b)
            wrong_type(tap, w, b)
            holder_dies(tap, w, b)
            restart(tap, w, b)
            redis_away(tap, w, b)
        finally:
            if b.program.alive():
                b.program.stop()


if __name__ == "__main__":
    main(test)
