#!/usr/bin/python3
"""The decision table of doc/decision.md, every combination of facts that real zones can show: MX secure or insecure, every
non-empty set of host states, policy enforce, testing or none at all; bogus, failing, absent and null MX; through a
forwarder and by our own recursion. The table below is copied from the contract by hand; for each combination exactly
one row may apply, and `explain` must have seen the very facts that were published."""
import itertools
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world import grammar  # noqa: E402
from world.tap import main  # noqa: E402
from world.world import World  # noqa: E402

MODES = ("opportunistic", "enforced", "verified")
TLS = " protocols=>=TLSv1.2"
TEMP, NONE, DANE, ONLY = "TEMP", "NOTFOUND", "OK dane", "OK dane-only" + TLS
ENCRYPT, VERIFY = "OK encrypt" + TLS, "OK verify match=hostname servername=hostname" + TLS
SECURE = "OK secure match=mx.policy.test servername=hostname" + TLS
TEMPS, ONLYS, SECURES, PLAIN, UNUSED = (TEMP,) * 3, (ONLY,) * 3, (SECURE,) * 3, (NONE, ENCRYPT, VERIFY), (DANE,
        ENCRYPT, VERIFY)


def all_usable(s):
    return s == {"usable"}


def partly(s):
    return s != {"usable"} and bool(s & {"usable", "error"})


def unusable(s):
    return "unusable" in s and not s & {"usable", "error"}


# row, MX column, TLSA column, enforce (None: any), the answers of the three modes
TABLE = (
    (1, ("bogus",), None, None, TEMPS),
    (2, ("error",), None, True, TEMPS),
    (3, ("error",), None, False, (DANE, TEMP, TEMP)),
    (4, ("secure",), all_usable, None, ONLYS),
    (5, ("secure",), partly, False, (DANE, ONLY, ONLY)),
    (6, ("secure",), partly, True, ONLYS),
    (7, ("secure",), unusable, False, UNUSED),
    (8, ("secure",), unusable, True, SECURES),
    (9, ("secure",), lambda s: s == {"none"}, False, PLAIN),
    (10, ("secure",), lambda s: s == {"none"}, True, SECURES),
    (11, ("insecure",), lambda s: "usable" in s, False, UNUSED),
    (12, ("insecure",), lambda s: "usable" not in s, False, PLAIN),
    (13, ("insecure",), None, True, SECURES),
    (14, ("absent",), None, False, PLAIN),
    (15, ("absent",), None, True, SECURES),
)
STATES = {"u": "usable", "x": "unusable", "n": "none", "e": "error"}
POLICIES = {"no": None, "te": "testing", "en": "enforce"}


def row_of(mx, states, enforce):
    fits = [(row, answers) for row, column, tlsa, sts, answers in TABLE
            if mx in column and (tlsa is None or tlsa(states)) and sts in (None, enforce)]
    assert len(fits) == 1, (mx, states, enforce, fits)
    return fits[0]


def hosts(w):
    """Hosts in all four states; there are two ways to fail and four to have nothing."""
    zone = w.zone("hosts.test")
    for name in ("u", "x", "n", "nodata", "alias", "b", "s"):
        zone.set(name, "A", "127.0.2.1")
    zone.set("_25._tcp.u", "TLSA", "3 1 1 " + "ab" * 32).set("_25._tcp.x", "TLSA", "1 1 1 " + "ab" * 32)
    zone.set("_25._tcp.nodata", "TXT", "another type").set("_25._tcp.alias", "CNAME", "_25._tcp.i.open.test.")
    w.zone("_tcp.b.hosts.test", ds="wrong").set("_25", "TLSA", "3 1 1 " + "ab" * 32)
    w.zone("_tcp.s.hosts.test", faulty=True)
    w.faults[("_tcp.s.hosts.test.", "*")] = "servfail"
    w.zone("open.test", signed=False).set("i", "A", "127.0.2.1").set("_25._tcp.i", "TLSA", "3 1 1 " + "ab" * 32)


def host_of(letter, turn):
    ways = {"u": ("u.hosts.test",), "x": ("x.hosts.test",), "e": ("b.hosts.test", "s.hosts.test"),
            "n": ("n.hosts.test", "nodata.hosts.test", "alias.hosts.test", "i.open.test")}[letter]
    return ways[turn % len(ways)]


def combinations():
    """(name, MX column, {host: state} or None, policy) of every destination."""
    sets = ["".join(c) for n in range(1, 5) for c in itertools.combinations("uxne", n)]
    turn = 0
    for zone, mx in (("sec.test", "secure"), ("ins.test", "insecure")):
        for letters in sets:
            for policy in POLICIES:
                turn += 1
                yield "%s-%s.%s" % (letters, policy, zone), mx, {host_of(c, turn): STATES[c] for c in letters}, policy
    for policy in POLICIES:
        yield "bogus-%s.sec.test" % policy, "bogus", None, policy
        yield "%s.err.test" % policy, "error", None, policy
        yield "nx-%s.err.test" % policy, "absent", None, policy
        yield "null-%s.sec.test" % policy, "absent", None, policy
        yield "null-%s.ins.test" % policy, "absent", None, policy
    yield "nothing.sec.test", "absent", None, "no"


def publish(w, rows):
    hosts(w)
    for name, signed in (("sec.test", True), ("ins.test", False)):
        w.zone(name, signed=signed)
    w.zone("err.test", faulty=True)
    w.zone("bog.test", ds="wrong").set("r", "MX", "10 u.hosts.test.")
    pair = w.ca.issue("policies", dns=["mta-sts." + name for name, _, _, policy in rows if policy != "no"])
    for name, mx, states, policy in rows:
        zone = w.zone_of(name)
        if mx == "bogus":
            zone.set(name + ".", "CNAME", "r.bog.test.")
        elif mx == "error" or name.startswith("nx-"):
            w.faults[(name + ".", "MX")] = "servfail" if mx == "error" else "nxdomain"
        elif name.startswith("null-"):
            zone.set(name + ".", "MX", "0 .")
        for i, host in enumerate(states or ()):
            zone.add(name + ".", "MX", "%d %s." % (i, host))
        if POLICIES[policy]:
            w.sts(name, POLICIES[policy], mx=["mx.policy.test"], cert=pair.cert, key=pair.key)


def seen(told):
    """The columns of the table as `explain` saw them: MX, {host: state}, enforce."""
    mx, sts = told["mx"], told.get("sts", {}).get("policy", {})
    column = "absent" if mx["kind"] in ("null", "nxdomain") else mx["state"]
    states = {h["name"]: h["tlsa"] for h in mx["hosts"]} if column in ("secure", "insecure") else None
    return column, states, bool(sts.get("in_force") and sts.get("mode") == "enforce")


def attributes(reply):
    return [word.partition("=")[0] for word in grammar.words(reply)[1:]]


def ask_row(tap, client, way, name, mx, states, policy):
    """One destination in all modes and forms; the row of the table it is in."""
    enforce = policy == "en"
    row, want = row_of(mx, set(states.values()) if states else set(), enforce)
    got = tuple(TEMP if r.startswith("TEMP ") else r.rstrip(" ") for r in (client.ask(mode, name) for mode in MODES))
    told = json.loads(client.ask("explain", name)[3:])
    facts = seen(told)
    reports = [client.ask(mode + "-tlsrpt", name) for mode in MODES]
    # The same level, and a report exactly where a policy is in force.
    same = [r.split(" ")[:2] == (g + " ").split(" ")[:2] or r[:4] == g == TEMP for r, g in zip(reports, got)]
    reported = [r.startswith("OK secure ") == ("policy_type" in attributes(r)) for r in reports]
    tap.ok((got, [v["row"] for v in told["verdicts"]]) == (want, [row] * 3) and facts == (mx, states,
            enforce) and all(same + reported),
           "row %d: MX %s, hosts %s, policy %s (%s)" % (
               row, mx, "+".join(states.values()) if states else "-", POLICIES[policy], way),
           name, "got %r" % (got,), "want %r" % (want,), facts, reports, json.dumps(told["mx"]))
    return row


def test(tap):
    rows = list(combinations())
    quick = {"mapd": {"deadline": 6}, "dns": {"timeout": 4}}
    with World("e2e-conform-table") as w:
        publish(w, rows)
        w.start(conf=quick, postfix=False, milter=False)
        for way in ("a forwarder", "own recursion"):
            if way == "own recursion":
                w.daemons.mapd.stop()
                w.redis.cli("FLUSHALL")
                w.start_mapd(quick, own_root=True)
            client = w.daemons.client()
            met = {ask_row(tap, client, way, *row) for row in rows}
            tap.equal(met, set(range(1, 16)), "every row of the decision table was met with %s" % way)
        tap.equal(w.daemons.mapd.stop(), 0, "a clean end")


main(test)
