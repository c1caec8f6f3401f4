#!/usr/bin/python3
"""Every row of doc/decision.md's table with real zones: what tlsmode-mapd answers to Postfix's own client (postmap -q), and the row
that `explain` says it came from. The table here is written by hand from the contract."""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world.tap import main  # noqa: E402
from world.world import World  # noqa: E402

MODES = ("opportunistic", "enforced", "verified")
USABLE, UNUSABLE = "3 1 1 " + "ab" * 32, "1 1 1 " + "cd" * 32
TEMP, NONE, DANE = "TEMP", "NOTFOUND", "dane"
ONLY = "dane-only protocols=>=TLSv1.2"
ENCRYPT = "encrypt protocols=>=TLSv1.2"
VERIFY = "verify match=hostname servername=hostname protocols=>=TLSv1.2"
SECURE = "secure match=mx.policy.test servername=hostname protocols=>=TLSv1.2"
TEMPS, ONLYS, SECURES = (TEMP,) * 3, (ONLY,) * 3, (SECURE,) * 3
PLAIN, UNUSED = (NONE, ENCRYPT, VERIFY), (DANE, ENCRYPT, VERIFY)

# key, what it is, row, answers for the three modes. The zones are made by publish() below.
ROWS = (
    ("r1.test", "MX bogus", 1, TEMPS),
    ("d.r1s.test", "MX bogus behind a secure CNAME, policy enforce", 1, TEMPS),
    ("r2.test", "MX SERVFAIL, policy enforce", 2, TEMPS),
    ("r2t.test", "MX times out, policy enforce", 2, TEMPS),
    ("r3.test", "MX SERVFAIL", 3, (DANE, TEMP, TEMP)),
    ("r3r.test", "MX REFUSED", 3, (DANE, TEMP, TEMP)),
    ("r3t.test", "MX times out", 3, (DANE, TEMP, TEMP)),
    ("r4.test", "all hosts usable", 4, ONLYS),
    ("r4s.test", "all hosts usable, policy enforce", 4, ONLYS),
    ("r4i.test", "no MX record, the domain itself usable", 4, ONLYS),
    ("d.r4c.test", "MX through a secure CNAME, usable", 4, ONLYS),
    ("[mx1.r4.test]", "bracketed host, usable", 4, ONLYS),
    ("[mx1.r4.test]:587", "bracketed host, other port usable", 4, ONLYS),
    ("r4.test:25", "domain and port", 4, ONLYS),
    ("r5.test", "one usable, one none", 5, (DANE, ONLY, ONLY)),
    ("r5u.test", "one usable, one unusable", 5, (DANE, ONLY, ONLY)),
    ("r5e.test", "one TLSA bogus, one none", 5, (DANE, ONLY, ONLY)),
    ("r5f.test", "the only host's TLSA SERVFAIL", 5, (DANE, ONLY, ONLY)),
    ("r5ue.test", "one unusable, one TLSA bogus", 5, (DANE, ONLY, ONLY)),
    ("r6.test", "one usable, one none, policy enforce", 6, ONLYS),
    ("r6e.test", "the only host's TLSA bogus, policy enforce", 6, ONLYS),
    ("r7.test", "TLSA unusable", 7, UNUSED),
    ("r7n.test", "one unusable, one none", 7, UNUSED),
    ("r8.test", "TLSA unusable, policy enforce", 8, SECURES),
    ("r9.test", "secure, no TLSA", 9, PLAIN),
    ("r9t.test", "secure, no TLSA, policy testing", 9, PLAIN),
    ("[mx1.r9.test]:2525", "bracketed host without TLSA", 9, PLAIN),
    ("[mx1.r4.test]:2525", "TLSA at another port than asked", 9, PLAIN),
    ("r10.test", "secure, no TLSA, policy enforce", 10, SECURES),
    ("r11.test", "insecure MX, usable host", 11, UNUSED),
    ("r12.test", "insecure, no TLSA", 12, PLAIN),
    ("r12u.test", "insecure MX, unusable TLSA", 12, PLAIN),
    ("r12n.test", "insecure, policy none", 12, PLAIN),
    ("r13.test", "insecure, policy enforce", 13, SECURES),
    ("r13u.test", "insecure MX, usable host, policy enforce", 13, SECURES),
    ("nothing.r9.test", "NXDOMAIN", 14, PLAIN),
    ("r14.test", "null MX", 14, PLAIN),
    ("r15.test", "null MX, policy enforce", 15, SECURES),
    ("r15n.test", "NXDOMAIN that nobody signed, policy enforce", 15, SECURES),
    ("[127.0.0.1]", "address literal", 9, (NONE, ENCRYPT, TEMP)),
    ("[IPv6:2001:db8::1]:25", "IPv6 literal", 9, (NONE, ENCRYPT, TEMP)),
)
SLOW = ("r2t.test", "r3t.test")


def domain(w, name, *hosts, policy=None, **how):
    """A zone with hosts mx1.NAME, mx2.NAME...; HOSTS: TLSA data, None, or "bogus"/"servfail" for a look-up that fails."""
    zone = w.zone(name, **how)
    for number, tlsa in enumerate(hosts, 1):
        host = "mx%d" % number
        zone.add("@", "MX", "%d %s.%s." % (number * 10, host, name)).set(host, "A", "127.0.2.%d" % number)
        if tlsa == "bogus":
            w.zone("_tcp.%s.%s" % (host, name), ds="wrong").set("_25", "TLSA", USABLE)
        elif tlsa == "servfail":
            w.zone("_tcp.%s.%s" % (host, name), faulty=True)
            w.faults[("_tcp.%s.%s." % (host, name), "*")] = "servfail"
        elif tlsa:
            zone.set("_25._tcp." + host, "TLSA", tlsa)
    if policy:
        w.sts(name, policy, mx=["mx.policy.test"])
    return zone


def publish(w):
    domain(w, "r1.test", USABLE, ds="wrong")
    domain(w, "r1s.test").set("d", "CNAME", "r1.test.")
    w.sts("d.r1s.test", mx=["mx.policy.test"])
    for name, fault, policy in (("r2.test", "servfail", "enforce"), ("r2t.test", "silent", "enforce"), ("r3.test", "servfail", None),
                                ("r3r.test", "refused", None), ("r3t.test", "silent", None), ("r15n.test", "nxdomain", "enforce")):
        domain(w, name, policy=policy, faulty=True)
        w.faults[(name + ".", "MX")] = fault
    domain(w, "r4.test", USABLE, USABLE).set("_587._tcp.mx1", "TLSA", USABLE)
    domain(w, "r4s.test", USABLE, policy="enforce")
    domain(w, "r4i.test").set("@", "A", "127.0.2.1").set("_25._tcp", "TLSA", USABLE)
    domain(w, "r4c.test").set("d", "CNAME", "r4.test.")
    domain(w, "r5.test", USABLE, None)
    domain(w, "r5u.test", USABLE, UNUSABLE)
    domain(w, "r5e.test", "bogus", None)
    domain(w, "r5f.test", "servfail")
    domain(w, "r5ue.test", UNUSABLE, "bogus")
    domain(w, "r6.test", USABLE, None, policy="enforce")
    domain(w, "r6e.test", "bogus", policy="enforce")
    domain(w, "r7.test", UNUSABLE)
    domain(w, "r7n.test", UNUSABLE, None)
    domain(w, "r8.test", UNUSABLE, policy="enforce")
    domain(w, "r9.test", None)
    domain(w, "r9t.test", None, policy="testing")
    domain(w, "r10.test", None, policy="enforce")
    domain(w, "r11.test", signed=False).set("@", "MX", "10 mx1.r4.test.")
    domain(w, "r12.test", None, signed=False)
    domain(w, "r12u.test", signed=False).set("@", "MX", "10 mx1.r7.test.")
    domain(w, "r12n.test", None, signed=False, policy="none")
    domain(w, "r13.test", None, signed=False, policy="enforce")
    domain(w, "r13u.test", signed=False, policy="enforce").set("@", "MX", "10 mx1.r4.test.")
    domain(w, "r14.test").set("@", "MX", "0 .")
    domain(w, "r15.test", policy="enforce").set("@", "MX", "0 .")


def answer(w, key, mode):
    text, complaint = w.postfix_query(key, mode)
    return text or ("TEMP" if complaint else "NOTFOUND")


def row_of(explained, mode):
    verdicts = json.loads(explained.removeprefix("OK "))["verdicts"]
    return next(v["row"] for v in verdicts if v["mode"] == mode)


def test(tap):
    with World("e2e-decision") as w:
        publish(w)
        w.start(conf={"mapd": {"deadline": 4}, "dns": {"timeout": 3}}, postfix=False, milter=False)
        for key, what, row, wanted in ROWS:
            got = tuple(answer(w, key, mode) for mode in MODES)
            rows = [row_of(w.ask("explain", "%s %s" % (mode, key)), mode) for mode in MODES]
            tap.equal((got, rows), (wanted, [row] * 3), "row %d: %s (%s)" % (row, what, key))
            for mode in MODES if key not in SLOW else ():
                direct, tlsrpt = w.ask(mode, key), w.ask(mode + "-tlsrpt", key)
                level = wanted[MODES.index(mode)].split()[0]
                if not (level in (direct + " ").split() and level in (tlsrpt + " ").split()):
                    tap.ok(False, "%s %s: postmap, the plain and the -tlsrpt map agree" % (mode, key), direct, tlsrpt)


main(test)
