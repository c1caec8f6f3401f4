#!/usr/bin/python3
"""MTA-STS from outside, by the rows of the conformance matrix (A to D; the ids are in the names): real TXT records, a real HTTPS host that
misbehaves, a live daemon. First what is answered at first sight, then what happens as the world changes."""
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world import certs  # noqa: E402
from world.policy_host import policy_text  # noqa: E402
from world.postfix import misnamed  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import Late, wait_for  # noqa: E402
from world.world import World  # noqa: E402

RECORD = '"v=STSv1; id=1;"'
NONE = "NOTFOUND "
BIG = 65536


def secure(name):
    return "OK secure match=%s servername=hostname protocols=>=TLSv1.2" % name


# id, label, TXT records, is the policy in force, requests the policy host may see
DISCOVERY = (
    ("STS-02", "an SPF record beside it", ('"v=spf1 -all"', RECORD), True, 1),
    ("STS-03", "two STS records", (RECORD, '"v=STSv1; id=2;"'), False, 0),
    ("STS-04", "no id", ('"v=STSv1;"',), False, 0),
    ("STS-04", "an empty id", ('"v=STSv1; id=;"',), False, 0),
    ("STS-04", "an id of 33 characters", ('"v=STSv1; id=%s;"' % ("a" * 33),), False, 0),
    ("STS-04", "an id with a hyphen", ('"v=STSv1; id=a-b;"',), False, 0),
    ("STS-04", "another version", ('"v=STSv10; id=1;"',), False, 0),
    ("STS-05", "two character-strings", ('"v=STS" "v1; id=1"',), True, 1),
    ("STS-06", "id before version", ('"id=1; v=STSv1"',), False, 0),
    ("STS-06", "version in capitals", ('"V=STSv1; id=1"',), False, 0),
    ("STS-06", "an unknown field between", ('"v=STSv1; x=1; id=1"',), True, 1),
)

# id, label, what the policy host does (keys of policy_host.py), is the policy in force
FETCH = (
    ("STS-23", "status 201", {"status": 201}, False),
    ("STS-23", "status 304", {"status": 304}, False),
    ("STS-23", "status 404", {"status": 404}, False),
    ("STS-23", "status 500", {"status": 500}, False),
    ("STS-24", "redirect 301", {"status": 301, "headers": [["Location", "https://mta-sts.target.test/.well-known/mta-sts.txt"]]}, False),
    ("STS-24", "redirect 307", {"status": 307, "headers": [["Location", "https://mta-sts.target.test/.well-known/mta-sts.txt"]]}, False),
    ("STS-26", "text/html", {"type": "text/html"}, False),
    ("STS-26", "no media type", {"type": None}, False),
    ("STS-26", "TEXT/PLAIN with parameters", {"type": "TEXT/PLAIN; charset=utf-8"}, True),
    ("STS-27", "drips its head", {"send": "drip_head"}, False),
    ("STS-27", "never answers", {"send": "stall"}, False),
    ("STS-27", "never shakes hands", {"send": "silent"}, False),
    ("STS-28", "65536 octets", {"size": BIG}, True),
    ("STS-28", "65537 octets", {"size": BIG + 1}, False),
    ("STS-28", "65537 octets, chunked", {"size": BIG + 1, "send": "chunked"}, False),
    ("STS-28", "endless", {"send": "endless"}, False),
    ("STS-28", "half of the body", {"send": "short"}, False),
    ("STS-28", "chunks without their end", {"send": "chunked_no_end"}, False),
    ("STS-35", "TLS 1.1", {"tls": ["1.0", "1.1"]}, False),
    ("STS-35", "TLS 1.2 only", {"tls": ["1.2", "1.2"]}, True),
)

# id, label, arguments of CA.issue() or "self"/"foreign", is the policy in force; %s is the policy host's name
CERTIFICATES = (
    ("STS-21", "self-signed", "self", False),
    ("STS-21", "by an unknown authority", "foreign", False),
    ("STS-21", "expired", {"dns": ["%s"], "days": (-60, -1)}, False),
    ("STS-21", "not yet valid", {"dns": ["%s"], "days": (1, 60)}, False),
    ("STS-21", "for another name", {"dns": ["other.test"]}, False),
    ("CERT-01", "the name as CN only", {"cn": "%s"}, False),
    ("CERT-04", "the address as IP name", {"ip": ["127.0.1.1"]}, False),
    ("CERT-02", "the name in capitals", {"dns": ["%S"]}, True),
    ("CERT-03", "a wildcard for the whole label", {"dns": ["*.%d"]}, True),
    ("CERT-03", "a wildcard in a part of the label", {"dns": ["m*.%d"]}, False),
    ("CERT-03", "a wildcard one label too high", {"dns": ["*.test"]}, False),
)

# id, label, body with %s for the MX host's name, answer or None (not in force)
BODIES = (
    ("STS-40", "line feeds only, blanks at the ends", "version: STSv1 \nmode: enforce\t\nmx: %s\nmax_age: 86400", True),
    ("STS-41", "no version", "mode: enforce\r\nmx: %s\r\nmax_age: 86400\r\n", False),
    ("STS-41", "no max_age", "version: STSv1\r\nmode: enforce\r\nmx: %s\r\n", False),
    ("STS-42", "enforce without mx", "version: STSv1\r\nmode: enforce\r\nmax_age: 86400\r\n# %s", False),
    ("STS-43", "unknown keys", "version: STSv1\r\nmode: enforce\r\nmx: %s\r\nx_new: \u00fc\r\nmax_age: 86400\r\n", True),
    ("STS-44", "the first of two modes counts", "version: STSv1\r\nmode: enforce\r\nmode: testing\r\nmx: %s\r\nmax_age: 86400\r\n", True),
    ("STS-45", "a negative max_age", "version: STSv1\r\nmode: enforce\r\nmx: %s\r\nmax_age: -1\r\n", False),
    ("STS-45", "an absurd max_age", "version: STSv1\r\nmode: enforce\r\nmx: %s\r\nmax_age: 4294967297\r\n", True),
    ("STS-46", "mx: *", "version: STSv1\r\nmode: enforce\r\nmx: *\r\nmax_age: 86400\r\n# %s", False),
    ("STS-47", "attributes in an mx", "version: STSv1\r\nmode: enforce\r\nmx: %s ciphers=null\r\nmax_age: 86400\r\n", False),
    ("STS-47", "keywords in an mx list", "version: STSv1\r\nmode: enforce\r\nmx: %s:nexthop\r\nmax_age: 86400\r\n", False),
    ("STS-64", "testing", "version: STSv1\r\nmode: testing\r\nmx: %s\r\nmax_age: 86400\r\n", False),
    ("STS-65", "none", "version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n# %s", False),
)


def domain(w, name, **zone):
    """A destination whose policy host is good until told otherwise."""
    z = w.zone(name, **{"signed": False, "ttl": 1, "minimum": 1, **zone})
    z.set("@", "MX", "10 mx").set("mx", "A", "127.0.2.1")
    return z


def certificate(w, foreign, host, how):
    if how == "self":
        return certs.self_signed(w.ca.root, host + "-self", dns=[host])
    if how == "foreign":
        return foreign.issue(host, dns=[host])
    def fill(text):
        return text.replace("%s", host).replace("%S", host.upper()).replace("%d", host.partition(".")[2])
    made = {k: [fill(t) for t in v] if k == "dns" else fill(v) if k == "cn" else v for k, v in how.items()}
    return w.ca.issue(host + "-odd", **made)


def publish(w):
    foreign = certs.CA(w.folder("foreign"), name="Unknown CA")
    for i, (_, _, txt, _, _) in enumerate(DISCOVERY):
        zone = domain(w, "d%d.test" % i)
        w.sts(zone.name)
        zone.set("_mta-sts", "TXT", *txt)
    for i, (_, _, how, _) in enumerate(FETCH):
        zone = domain(w, "f%d.test" % i)
        w.sts(zone.name, **how)
    for i, (_, _, how, _) in enumerate(CERTIFICATES):
        zone = domain(w, "c%d.test" % i)
        pair = certificate(w, foreign, "mta-sts." + zone.name, how)
        w.sts(zone.name, cert=pair.cert, key=pair.key)
    for i, (_, _, body, _) in enumerate(BODIES):
        zone = domain(w, "b%d.test" % i)
        w.sts(zone.name, body=body % ("mx." + zone.name))
    for name in ("good.test", "relay.test", "gone.test", "two.test", "down.test", "id.test", "age.test", "life.test", "hold.test",
                 "target.test", "match.test"):
        domain(w, name)
        w.sts(name, ttl=1)
    domain(w, "alias.test")
    w.sts("alias.test")
    w.zones["alias.test"].set("_mta-sts", "TXT").set("_mta-sts", "CNAME", "_mta-sts.provider.test.")
    w.zone("provider.test", signed=False).set("_mta-sts", "TXT", RECORD)
    domain(w, "fail.test", faulty=True)
    w.sts("fail.test")
    w.faults[("_mta-sts.fail.test.", "*")] = "servfail"
    w.sts("age.test", max_age=4, ttl=1)
    w.receiver("mx.match.test", address="127.0.2.1")


def requests(w, name):
    return sum(1 for r in w.policy_host.requests if r["host"] == "mta-sts." + name)


def connections(w, name):
    return w.policy_host.connections.count("mta-sts." + name)


def first_sight(tap, w):
    for i, (row, label, _, force, most) in enumerate(DISCOVERY):
        name = "d%d.test" % i
        tap.equal((w.ask("opportunistic", name), requests(w, name)), (secure("mx." + name) if force else NONE, most),
                  "%s %s" % (row, label))
    for prefix, rows in (("f", FETCH), ("c", CERTIFICATES), ("b", BODIES)):
        for i, (row, label, _, force) in enumerate(rows):
            name = "%s%d.test" % (prefix, i)
            tap.equal(w.ask("opportunistic", name), secure("mx." + name) if force else NONE, "%s %s" % (row, label))
    tap.equal(connections(w, "target.test"), 0, "STS-24 the target of a redirect sees nobody")


def names(tap, w):
    tap.equal(w.ask("opportunistic", "good.test"), secure("mx.good.test"), "STS-01 a plain policy")
    asked = {name for name, rtype in w.unbound.questions() if rtype == "TXT" and name.endswith("good.test") and "_mta-sts" in name}
    tap.equal(asked, {"_mta-sts.good.test"}, "STS-01 no other TXT name is asked for it")
    line = next(r for r in w.policy_host.requests if r["host"] == "mta-sts.good.test")
    tap.ok(line["line"].startswith("GET /.well-known/mta-sts.txt HTTP/") and "Host: mta-sts.good.test" in line["headers"],
           "STS-20 the request, STS-34 its server name", line)
    tap.ok(not [h for h in line["headers"] if h.lower().startswith(("if-", "cookie", "authorization", "referer"))],
           "STS-25 nothing conditional in it", line)
    tap.equal([w.ask("opportunistic", k) for k in ("sub.good.test", ".good.test", ".test")], [NONE] * 3,
              "STS-12 a parent's policy is nobody else's")
    tap.equal([w.ask("opportunistic", k) for k in ("[relay.test]", "[relay.test]:587")],
              [secure("mx.relay.test")] * 2, "STS-13 the policy domain of a bracketed next hop")
    tap.equal(w.ask("opportunistic", "alias.test"), secure("mx.alias.test"), "STS-09 a CNAME at _mta-sts")
    tap.equal(connections(w, "provider.test"), 0, "STS-09 the policy host's name stays the domain's own")
    tap.equal([w.ask("opportunistic", k) for k in ("GOOD.test", "good.test.", "Good.Test.")], [secure("mx.good.test")] * 3,
              "IDN-03 one canonical key")
    tap.equal(requests(w, "good.test"), 1, "STS-16 the same id: one fetch for all of this")


def becomes(tap, w, name, want, what, seconds=12):
    """Awaits the answer; the resolver's and our own memory of the old records may last a second or two."""
    return tap.becomes(lambda: w.ask("opportunistic", name), want, what, seconds)


def stays(tap, w, name, want, what, seconds=3):
    """The same answer for longer than every TTL in play; fails at the first other one."""
    try:
        other = wait_for("another answer", lambda: w.ask("opportunistic", name).replace(want, ""), seconds, 0.1)
        tap.ok(False, what, other)
    except Late:
        tap.ok(True, what)


def again(w, name, **how):
    w.sts(name, ttl=1, **how)
    w.publish(w.zones[name])


def changes(tap, w):
    for name in ("gone.test", "two.test", "down.test", "id.test"):
        w.ask("opportunistic", name)
    w.publish(w.zones["gone.test"].set("_mta-sts", "TXT"))
    stays(tap, w, "gone.test", secure("mx.gone.test"), "STS-10 STS-71 NEG-04 the TXT record goes, the cached policy stays")
    w.publish(w.zones["two.test"].set("_mta-sts", "TXT", RECORD, '"v=STSv1; id=2;"', ttl=1))
    stays(tap, w, "two.test", secure("mx.two.test"), "STS-03 two records, the cached policy stays")
    again(w, "down.test", id="2", status=503)
    stays(tap, w, "down.test", secure("mx.down.test"), "STS-31 a new id cannot be fetched, the cached policy stays")
    tap.ok(1 < requests(w, "down.test") <= 2, "STS-29 and the failed fetch is not repeated", requests(w, "down.test"))
    again(w, "down.test", id="3", mx=["new.down.test"])
    becomes(tap, w, "down.test", secure("new.down.test"), "STS-29 a newer id is fetched at once")
    before = requests(w, "id.test")
    again(w, "id.test", id="0")
    wait_for("a fetch", lambda: w.ask("opportunistic", "id.test") and requests(w, "id.test") > before, 12, 0.1)
    tap.ok(True, "STS-15 a smaller id is a new id, STS-16 the same body is fetched again")
    again(w, "id.test", id="5", mode="none", mx=["mx.id.test"])
    becomes(tap, w, "id.test", NONE, "STS-65 from enforce to none by a new id")
    w.ask("opportunistic", "fail.test")
    tap.equal((w.ask("opportunistic", "fail.test"), connections(w, "fail.test")), (NONE, 0), "STS-11 TXT SERVFAIL, no cache: as not implemented")
    w.faultdns.faults.clear()
    w.unbound.forget("fail.test")
    becomes(tap, w, "fail.test", secure("mx.fail.test"), "STS-11 NEG-03 DNS recovers: found within seconds")
    for _ in range(20):
        w.ask("opportunistic", "f3.test")
    tap.equal(requests(w, "f3.test"), 1, "STS-29 twenty questions, one failed fetch")


def ends(tap, w):
    """max_age, and what a restart remembers."""
    w.sts("age.test", max_age=4, ttl=1, status=503)
    w.sts("life.test", status=503)
    before = w.ask("opportunistic", "age.test"), w.ask("opportunistic", "life.test")
    tap.ok(before[1].startswith("OK secure"), "a policy in force", before)
    w.daemons.mapd.send(signal.SIGKILL)
    w.daemons.mapd.process.wait()
    w.daemons.start_mapd()
    tap.equal(w.ask("opportunistic", "life.test"), secure("mx.life.test"), "STS-72 killed and started with HTTPS down: still in force")
    becomes(tap, w, "age.test", NONE, "STS-67 max_age is over and HTTPS is down: out of force")


def newer_policy(tap, w):
    """Mail waits for a policy that does not fit; the receiver mends it; the mail goes, nothing is restarted."""
    again(w, "match.test", id="2", mx=["elsewhere.match.test"])
    becomes(tap, w, "match.test", secure("elsewhere.match.test"), "STS-60 STS-73 a policy that no MX host fits is in force")
    qid = w.postfix.send("a@good.test", "x@match.test")
    got = w.postfix.outcome(qid, "x@match.test")
    tap.equal((got.status, got.dsn), ("deferred", misnamed()), "STS-63 STS-66 and the mail waits", got)
    again(w, "match.test", id="3", mx=["mx.match.test"])
    becomes(tap, w, "match.test", secure("mx.match.test"), "STS-66 a newer policy is found without a restart")
    w.postfix.flush()
    got = w.postfix.outcome(qid, "x@match.test", nth=2)
    tap.equal((got.status, got.trust), ("sent", "Verified"), "STS-66 and the waiting mail goes", got)
    seen = w.sinks.await_event(lambda e: e["event"] == "tls" and e["sink"] == "mx.match.test")
    tap.equal(seen and seen["sni"], "mx.match.test", "STS-62 the server name is the MX host's")


def no_private_addresses(tap, w):
    w.daemons.mapd.stop()
    w.redis.cli("FLUSHALL")
    w.daemons.write(sts={"allow_private": False})
    before = len(w.policy_host.connections)
    w.daemons.start_mapd()
    tap.equal((w.ask("opportunistic", "relay.test"), len(w.policy_host.connections)), (NONE, before),
              "STS-37 by default no policy is fetched from a loopback address")


def test(tap):
    with World("e2e-sts") as w:
        publish(w)
        w.start(conf={"sts": {"timeout": 1}, "mapd": {"deadline": 5}}, milter=False)
        w.ask("opportunistic", "age.test")
        w.ask("opportunistic", "life.test")
        for part in (first_sight, names, changes, newer_policy, ends, no_private_addresses):
            part(tap, w)


main(test)
