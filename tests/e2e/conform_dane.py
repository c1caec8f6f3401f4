#!/usr/bin/python3
"""DANE and MX rows of the conformance matrix (E, F, H, parts of G; the ids are in the names) with real zones: what is
answered, which questions are asked of DNS for it and which are not, what a resolver that lies can do, and what happens
as records change."""
import os
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world.tap import main  # noqa: E402
from world.world import World  # noqa: E402

USABLE, UNUSABLE = "3 1 1 " + "ab" * 32, "1 1 1 " + "ab" * 32
TLS = " protocols=>=TLSv1.2"
ONLY, ENCRYPT, NONE = "OK dane-only" + TLS, "OK encrypt" + TLS, "NOTFOUND "
VERIFY = "OK verify match=hostname servername=hostname" + TLS
MODES = ("opportunistic", "enforced", "verified")
STRICT, PARTLY = (ONLY,) * 3, ("OK dane", ONLY, ONLY)
UNUSED, PLAIN = ("OK dane", ENCRYPT, VERIFY), (NONE, ENCRYPT, VERIFY)
LIAR = "127.0.0.9"

# id, label, key, answers. publish() makes the zones.
ROWS = (
    ("DANE-01", "a signed zone without DS, TLSA there", "nods.test", PLAIN),
    ("DANE-01", "an unsigned zone, TLSA there", "unsigned.test", PLAIN),
    ("DANE-04", "TLSA SERVFAIL", "servfail.tlsa.test", PARTLY),
    ("DANE-04", "TLSA REFUSED", "refused.tlsa.test", PARTLY),
    ("DANE-04", "TLSA never answered", "silent.tlsa.test", PARTLY),
    ("DANE-04", "TLSA bogus", "bogus.tlsa.test", PARTLY),
    ("DANE-04", "TLSA denied without any proof", "unproven.tlsa.test", PARTLY),
    ("DANE-05", "the address of one of two hosts SERVFAIL", "halfaddress.tlsa.test", PARTLY),
    ("DANE-06", "3 1 1", "a.good.test", STRICT),
    ("DANE-06", "2 0 1", "ta.good.test", STRICT),
    ("DANE-07", "PKIX-TA 0 1 1", "u0.good.test", UNUSED),
    ("DANE-07", "PKIX-EE 1 1 1", "u1.good.test", UNUSED),
    ("DANE-07", "unknown usage 4", "u2.good.test", UNUSED),
    ("DANE-07", "unknown selector 2", "u3.good.test", UNUSED),
    ("DANE-07", "unknown matching type 3", "u4.good.test", UNUSED),
    ("DANE-07", "SHA-256 of 31 octets", "u5.good.test", UNUSED),
    ("DANE-07", "SHA-512 of 32 octets", "u6.good.test", UNUSED),
    ("DANE-08", "TLSA NXDOMAIN", "nx.good.test", PLAIN),
    ("DANE-08", "TLSA NODATA", "nodata.good.test", PLAIN),
    ("DANE-08", "TLSA in an unsigned zone", "elsewhere.good.test", PLAIN),
    ("DANE-08", "TLSA through a CNAME into an unsigned zone", "alias.good.test", PLAIN),
    ("DANE-09", "MX 10 without TLSA, MX 20 with", "order.good.test", PARTLY),
    ("DANE-10", "an unsigned MX to a host with TLSA", "optional.test", UNUSED),
    ("DANE-11", "a host in an unsigned zone", "elsewhere.good.test", PLAIN),
    ("DANE-12", "an MX host that is a secure CNAME, TLSA at its target", "mxalias.good.test", STRICT),
    ("DANE-13", "an MX host that is a secure CNAME into an unsigned zone", "mxaway.good.test", PLAIN),
    ("DANE-13", "a CNAME loop at the domain", "loop1.good.test", ("OK dane", "TEMP", "TEMP")),
    ("DANE-15", "a secure CNAME at the TLSA name", "tlsacname.good.test", STRICT),
    ("DANE-16", "an address literal", "[127.0.2.1]", (NONE, ENCRYPT, "TEMP")),
    ("DANE-16", "an address as MX host", "literal.good.test", PLAIN),
    ("DANE-19", "0 and 1 only", "u01.good.test", UNUSED),
    ("DANE-21", "malformed records beside a good one", "mixed.good.test", STRICT),
    ("DANE-24", "61 TLSA records", "many.good.test", STRICT),
    ("MX-01", "no MX record: the domain is its own host", "implicit.good.test", STRICT),
    ("MX-02", "NXDOMAIN", "absent.good.test", PLAIN),
    ("MX-03", "an MX host without address; the domain's own is not used", "noaddress.good.test", PLAIN),
    ("MX-04", "a secure CNAME at the domain", "cname.good.test", STRICT),
    ("MX-05", "null MX; the domain's own address and TLSA are not used", "null.good.test", PLAIN),
    ("MX-06", "null MX beside a real one", "halfnull.good.test", STRICT),
    ("MX-08", "one host in three spellings", "dup.good.test", STRICT),
    ("IDN-02", "an A-label that nobody may register, but that is there", "xn--i-7iq.good.test", STRICT),
    ("IDN-02", "an MX host of such a name", "heart.good.test", STRICT),
)
UNUSABLE_FORMS = ("0 1 1 " + "ab" * 32, UNUSABLE, "4 1 1 " + "ab" * 32, "3 2 1 " + "ab" * 32, "3 1 3 " + "ab" * 32,
                  "3 1 1 " + "ab" * 31,
                  "3 1 2 " + "ab" * 32)


def mx(zone, name, *hosts):
    zone.set(name, "MX", *("%d %s" % (10 * i, h) for i, h in enumerate(hosts, 1)))


def usable_host(zone, name, *tlsa):
    zone.set(name, "A", "127.0.2.1").set("_25._tcp." + name, "TLSA", *(tlsa or (USABLE,)))


def broken_tlsa(w):
    zone = w.zone("tlsa.test")
    for kind in ("servfail", "refused", "silent", "unproven", "bogus"):
        mx(zone, kind, "mx." + kind)
        zone.set("mx." + kind, "A", "127.0.2.1")
        if kind == "bogus":
            w.zone("_tcp.mx.bogus.tlsa.test", ds="wrong").set("_25", "TLSA", USABLE)
        else:
            name = "_tcp.mx.%s.tlsa.test" % kind
            w.zone(name, faulty=True, signed=kind == "unproven")
            w.faults[(name + ".", "*")] = "nxdomain" if kind == "unproven" else kind
    mx(zone, "halfaddress", "mx.halfaddress", "lost.halfaddress")
    usable_host(zone, "mx.halfaddress")
    w.zone("lost.halfaddress.tlsa.test", faulty=True)
    w.faults[("lost.halfaddress.tlsa.test.", "*")] = "servfail"


def publish(w):
    for name, how in (("nods.test", {"ds": None}), ("unsigned.test", {"signed": False})):
        zone = w.zone(name, **how)
        mx(zone, "@", "mx")
        usable_host(zone, "mx")
    away = w.zone("away.test", signed=False).set("pool._dane", "TLSA", USABLE)
    usable_host(away, "mx")
    broken_tlsa(w)
    good = w.zone("good.test", ttl=2, minimum=2)
    for name in ("a", "ta", "nx", "nodata", "alias", "tlsacname", "mixed", "many", "roll", "late"):
        mx(good, name, "mx." + name)
        good.set("mx." + name, "A", "127.0.2.1")
    for i, form in enumerate(UNUSABLE_FORMS):
        mx(good, "u%d" % i, "mx.u%d" % i)
        usable_host(good, "mx.u%d" % i, form)
    mx(good, "u01", "mx.u01")
    usable_host(good, "mx.u01", *UNUSABLE_FORMS[:2])
    usable_host(good, "mx.a")
    usable_host(good, "mx.ta", "2 0 1 " + "ab" * 32)
    usable_host(good, "mx.roll")
    usable_host(good, "mx.mixed", *UNUSABLE_FORMS, USABLE)
    usable_host(good, "mx.many", *("3 1 1 %064x" % i for i in range(61)))
    good.set("_25._tcp.mx.nodata", "TXT", "x").set("_25._tcp.mx.alias", "CNAME", "pool._dane.away.test.")
    good.set("_25._tcp.mx.tlsacname", "CNAME", "tlsa._dane").set("tlsa._dane", "TLSA", USABLE)
    mx(good, "elsewhere", "mx.away.test.")
    mx(good, "order", "mx.nx", "mx.a")
    mx(good, "mxalias", "host.mxalias")
    good.set("host.mxalias", "CNAME", "mx.a")
    mx(good, "mxaway", "host.mxaway")
    good.set("host.mxaway", "CNAME", "mx.away.test.")
    good.set("loop1", "CNAME", "loop2").set("loop2", "CNAME", "loop1")
    mx(good, "literal", "127.0.2.1.")
    usable_host(good, "implicit")
    for name in ("xn--i-7iq", "heart"):
        mx(good, name, "mx.xn--i-7iq")
    usable_host(good, "mx.xn--i-7iq")
    mx(good, "noaddress", "mx.noaddress")
    usable_host(good, "noaddress")
    good.set("mx.noaddress", "TXT", "no address").set("cname", "CNAME", "a").set("null", "MX", "0 .")
    usable_host(good, "null")
    good.set("halfnull", "MX", "0 .", "10 mx.a").set("dup", "MX", "10 mx.a", "20 MX.A", "30 mX.a.Good.Test.")
    good.set("full", "MX", *("%d mx%d.full" % (i, i) for i in range(50)))
    for i in range(50):
        usable_host(good, "mx%d.full" % i)
    good.set("_2525._tcp.mx.nx", "TLSA", USABLE)
    mx(w.zone("optional.test", signed=False), "@", "mx.a.good.test.")
    mx(w.zone("recover.test", faulty=True), "@", "mx.a.good.test.")
    w.faults[("recover.test.", "MX")] = "servfail"


def ask_all(w, key):
    return tuple("TEMP" if r.startswith("TEMP ") else r for r in (w.ask(mode, key) for mode in MODES))


def rows(tap, w):
    for row, label, key, want in ROWS:
        tap.equal(ask_all(w, key), want, "%s %s" % (row, label))
    replies = [w.ask(mode + form, key) for _, _, key, _ in ROWS for mode in MODES for form in ("", "-tlsrpt")]
    tap.equal([r for r in replies if r.startswith("OK dane") and r not in ("OK dane", ONLY)], [],
              "DANE-18 no answer of a DANE level names a certificate")


def questions(tap, w):
    """What was asked of the resolver for all that."""
    asked = set(w.unbound.questions())
    tlsa = {name for name, rtype in asked if rtype == "TLSA"}
    tap.ok(("_25._tcp.mx.a.good.test", "TLSA") in asked, "DANE-11 the log of questions shows TLSA of a secure host")
    insecure = {"_25._tcp.mx." + name for name in ("away.test", "unsigned.test", "nods.test")}
    tap.equal(tlsa & insecure, set(), "DANE-11 no TLSA question for an insecure host")
    for row, name in (("MX-02", "absent.good.test"), ("MX-03", "noaddress.good.test"), ("MX-05", "null.good.test")):
        more = {q for q in asked if q[1] in ("A", "AAAA", "TLSA") and (q[0] == name or q[0].endswith("_tcp." + name))}
        tap.equal(more, set(), "%s no address and no TLSA of %s itself is asked for" % (row, name))
    tap.ok(not {q for q in asked if q[0] in ("", "_25._tcp") and q[1] in ("A", "AAAA", "TLSA")},
           "MX-05 nor of the root")
    tap.ok(not {q for q in asked if q[0].startswith("127.0.2") or q[0].startswith("[")},
           "DANE-16 an address is never asked for as a name")
    tap.equal(ask_all(w, "[mx.nx.good.test]:2525"), STRICT, "DANE-14 TLSA at the port of the next hop")
    tap.ok(("_2525._tcp.mx.nx.good.test", "TLSA") in set(w.unbound.questions()),
           "DANE-14 that owner name was asked for")
    before = len(w.unbound.questions())
    odd = ("a" * 64 + ".test", ".".join(["a" * 62] * 4) + ".test", "xn--\u00fc.test", "xn--a.test", "[192.0.2.1]",
           "[IPv6:2001:db8::1]")
    tap.equal([w.ask("opportunistic", key) for key in odd], [NONE] * len(odd),
              "IDN-02 IDN-04 STS-14 names that are none are not found")
    tap.equal(w.unbound.questions()[before:], [], "IDN-02 IDN-04 STS-14 and nothing is asked of DNS for them")
    tap.equal(ask_all(w, "full.good.test"), STRICT, "MX-08 fifty hosts, all usable")


def becomes(tap, w, key, want, what, seconds=12):
    return tap.becomes(lambda: ask_all(w, key), want, what, seconds)


def changes(tap, w):
    """TTLs here are 2 seconds: neither our memory nor the resolver's may last longer."""
    zone = w.zones["good.test"]
    tap.equal((ask_all(w, "roll.good.test"), ask_all(w, "late.good.test"), w.ask("opportunistic", "recover.test")),
              (STRICT, PLAIN, "OK dane"),
              "before the changes")
    w.knot.apply(zone.set("_25._tcp.mx.roll", "TLSA"))
    w.knot.apply(zone.set("_25._tcp.mx.late", "TLSA", USABLE))
    w.faults.clear()
    w.faultdns.faults.clear()
    becomes(tap, w, "roll.good.test", PLAIN, "DANE-25 TLSA removed: out of force when its TTL ends")
    becomes(tap, w, "late.good.test", STRICT, "NEG-01 DANE-25 TLSA published: in force when the negative TTL ends")
    w.unbound.forget("recover.test")
    becomes(tap, w, "recover.test", UNUSED, "NEG-03 MX SERVFAIL recovers: found within seconds")


class Liar:
    """A resolver that says AD to everything and changes what passes: the usable TLSA data becomes another."""

    def __init__(self):
        self.changed = 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((LIAR, 53))
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        above = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        above.settimeout(5)
        while True:
            query, peer = self.socket.recvfrom(4096)
            above.sendto(query, ("127.0.0.1", 53))
            try:
                reply = bytearray(above.recv(65536))
            except OSError:
                continue
            reply[3] |= 0x20
            false = bytes(reply).replace(b"\xab" * 32, b"\xcd" * 32)
            self.changed += false != bytes(reply)
            self.socket.sendto(false, peer)


def liar(tap, w):
    w.daemons.mapd.stop()
    w.redis.cli("FLUSHALL")
    lies = Liar()
    w.daemons.write(dns={"forward": [LIAR]})
    w.daemons.start_mapd()
    tap.equal(ask_all(w, "unsigned.test"), PLAIN,
              "DANE-02 DANE-23 AD from a resolver is not believed: unsigned stays insecure")
    tap.equal(ask_all(w, "nods.test"), PLAIN, "DANE-02 DANE-23 nor for a zone without DS")
    got = ask_all(w, "a.good.test")
    tap.ok(got == PARTLY and lies.changed, "DANE-02 DANE-23 changed TLSA data under AD is bogus, not usable", got,
           lies.changed)
    tap.equal(ask_all(w, "nx.good.test"), PLAIN, "DANE-02 what it passes on unchanged is validated as ever")


def test(tap):
    with World("e2e-conform-dane") as w:
        publish(w)
        w.start(conf={"mapd": {"deadline": 5}, "dns": {"timeout": 2}}, postfix=False, milter=False)
        for part in (rows, questions, changes, liar):
            part(tap, w)
        tap.equal(w.daemons.mapd.stop(), 0, "a clean end")


main(test)
