#!/usr/bin/python3
"""What one local user may ask without end: ports of one name. tlsmode-mapd lives, its work is bounded, others are served."""
import os
import re
import socket
import sys

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from mapd_room import Room, main, netstrings, request  # noqa: E402

STRICT = "OK encrypt protocols=>=TLSv1.2"
PORTS = 2000
VARIANTS = 16  # of one name, cached (verdict_cache.h) or looked up (jobs.h)
LITERALS = ("[192.0.2.1]:%d", "192.0.2.2:%d", "[2001:db8::1]:%d")
NAMES = ("slow.test:%d", "[slow.test]:%d", "[SLOW.test.]:%d")
OTHERS = ("user%d@x.test", "recipient=u@x.test host=mx%d.slow.test", "slow.test:%d", "a@x.test u@[192.0.2.1]:%d")


def talk(room, requests):
    """REQUESTS on one connection, its replies in order."""
    wire, got, data = b"".join(requests), [], b""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(room.where[len("unix:"):])
        while len(got) < len(requests):
            s.setblocking(False)
            try:
                wire = wire[s.send(wire[:65536]):] if wire else wire
            except BlockingIOError:
                pass
            s.settimeout(60 if not wire else 0.01)
            try:
                more = s.recv(65536)
            except (socket.timeout, BlockingIOError):
                if wire:
                    continue
                raise
            if not more:
                break
            found, data = netstrings(data + more)
            got += found
    return got


def every_port(forms, name):
    return [request(name, form % port) for port in range(1000, 1000 + PORTS) for form in forms]


def test_cached(tap, room):
    """Verdicts that need no question fill the cache at once."""
    room.ask("enforced", "[192.0.2.1]")
    got = talk(room, every_port(LITERALS, "enforced") + [request("enforced", "[192.0.2.9]")])
    tap.ok(len(got) == PORTS * len(LITERALS) + 1 and set(got) == {STRICT},
           "#2 %d ports of each of three addresses have their answer" % PORTS, len(got), sorted(set(got))[:3])
    tap.ok(room.metric("tlsmode_mapd_cache_entries") <= VARIANTS * len(LITERALS) + 2, "and few of them are kept",
           room.metric("tlsmode_mapd_cache_entries"))
    hits = room.metric("tlsmode_mapd_cache_hits_total")
    tap.equal(room.ask("enforced", "[192.0.2.1]"), STRICT, "the address without a port is answered")
    tap.ok(room.metric("tlsmode_mapd_cache_hits_total") == hits + 1, "from the cache: no port has taken its place")
    room.logged("event=ports_crowded nexthop=")
    lines = re.findall(r"event=ports_crowded nexthop=.*", room.log())
    tap.ok(len(lines) == 1 and "do=" in lines[0], "one line says so, and what to do", lines[:3])


def test_looked_up(tap, room):
    """Names that have to be looked up: DNS is silent in this room."""
    got = talk(room, every_port(NAMES, "enforced"))
    tap.ok(len(got) == PORTS * len(NAMES) and all(g.startswith(("TEMP ", "OK dane-only ")) for g in got),
           "#2 %d ports of a name that is being looked up, bracketed and not" % PORTS, len(got), sorted(set(got))[:5])
    crowded = sum("too many ports" in g for g in got)
    tap.ok(crowded > 0, "those beyond %d at once wait for nothing" % VARIANTS, crowded)
    room.logged("event=ports_crowded domain=slow")
    lines = re.findall(r"event=ports_crowded domain=slow.test .*", room.log())
    tap.ok(len(lines) == 1 and "do=" in lines[0], "one line says so, and what to do", lines[:3])
    tap.ok(room.metric("tlsmode_mapd_jobs_refused_total") >= crowded, "and they are counted", room.metric("tlsmode_mapd_jobs_refused_total"))


def test_other_maps(tap, room):
    """Every map and the kinds of keys that go into a table."""
    for name in ("opportunistic", "verified", "sts", "explain", "transport", "refusal", "mode", "enforced-tlsrpt"):
        got = talk(room, every_port(OTHERS, name))
        tap.ok(len(got) == PORTS * len(OTHERS) and all(g.split(" ")[0] in ("OK", "NOTFOUND", "TEMP") for g in got),
               "%d keys for the map %s" % (len(got), name), sorted(set(got))[:3])
        tap.equal(room.ask("enforced", "[192.0.2.77]"), STRICT, "and others are served")


def test(tap):
    with Room() as room:
        room.start(**{"log": {"level": "info"}})
        room.live()
        test_cached(tap, room)
        test_looked_up(tap, room)
        test_other_maps(tap, room)
        tap.equal(room.stop(), 0, "tlsmode-mapd has lived through it")


main(test)
