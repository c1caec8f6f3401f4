#!/usr/bin/python3
"""The life of a cached MTA-STS policy (conformance matrix A, B, D; ids in the names): it serves through every kind of
live failure, through a killed daemon and a dead resolver; without one, the same failures mean no policy, and the TLSRPT maps
say why."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world import certs  # noqa: E402
from world.policy_host import write_host  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import POLICY_ADDRESS, World  # noqa: E402

NONE = "NOTFOUND "
TARGET = [["Location", "https://mta-sts.target.test/.well-known/mta-sts.txt"]]
NOBODY = "127.0.1.9"
INVALID, FETCH, WEBPKI = "sts-policy-invalid", "sts-policy-fetch-error", "sts-webpki-invalid"


def secure(name):
    return "OK secure match=mx.%s servername=hostname protocols=>=TLSv1.2" % name


# id, label, what breaks (keys of policy_host.py; cert: a kind; dns: what becomes of DNS), what the TLSRPT map calls it
# (None: nothing yet, since the fetch goes on behind the answer)
FAILURES = (
    ("STS-23", "status 206", {"status": 206}, FETCH),
    ("STS-23", "status 404", {"status": 404}, FETCH),
    ("STS-23", "status 503", {"status": 503}, FETCH),
    ("STS-24", "redirect 301", {"status": 301, "headers": TARGET}, FETCH),
    ("STS-24", "redirect 302", {"status": 302, "headers": TARGET}, FETCH),
    ("STS-24", "redirect 307", {"status": 307, "headers": TARGET}, FETCH),
    ("STS-24", "redirect 308", {"status": 308, "headers": TARGET}, FETCH),
    ("STS-26", "text/html", {"type": "text/html"}, FETCH),
    ("STS-27", "never answers", {"send": "stall"}, None),
    ("STS-27", "drips", {"send": "drip", "pause": 5}, None),
    ("STS-28", "endless", {"send": "endless"}, FETCH),
    ("STS-28", "half of it", {"send": "short"}, FETCH),
    ("STS-28", "a gzip bomb", {"encoding": "gzip", "body": "x" * 1000000}, FETCH),
    ("STS-30", "resets the connection", {"send": "reset"}, FETCH),
    ("STS-30", "speaks no TLS", {"send": "plain"}, FETCH),
    ("STS-30", "nobody listens", {"dns": ("mta-sts", "A", NOBODY)}, FETCH),
    ("STS-30", "the policy host has no address", {"dns": ("mta-sts", "A")}, FETCH),
    ("STS-35", "TLS 1.1", {"tls": ["1.0", "1.1"]}, FETCH),
    ("STS-21", "self-signed", {"cert": "self"}, WEBPKI),
    ("STS-21", "unknown authority", {"cert": "foreign"}, WEBPKI),
    ("STS-21", "expired", {"cert": "expired"}, WEBPKI),
    ("STS-21", "not yet valid", {"cert": "future"}, WEBPKI),
    ("STS-21", "another name", {"cert": "name"}, WEBPKI),
    ("STS-22", "a wildcard one label too low", {"cert": "*.mta-sts.%s"}, WEBPKI),
    ("CERT-01", "the name as CN only", {"cert": "cn"}, WEBPKI),
    ("CERT-03", "a wildcard one label too high", {"cert": "*.test"}, WEBPKI),
    ("CERT-04", "a NUL octet after the name", {"cert": "mta-sts.%s\0.evil.test"}, WEBPKI),
    ("CERT-04", "the name as URI and mailbox", {"cert": "uri"}, WEBPKI),
    ("CERT-04", "the address as IP name", {"cert": "ip"}, WEBPKI),
    ("STS-41", "no version", {"body": "mode: enforce\nmx: mx.x.test\nmax_age: 86400\n"}, INVALID),
    ("STS-42", "no mx", {"body": "version: STSv1\nmode: enforce\nmax_age: 86400\n"}, INVALID),
    ("STS-45", "max_age of 11 digits",
     {"body": "version: STSv1\nmode: enforce\nmx: mx.x.test\nmax_age: 00000086400\n"}, INVALID),
    ("STS-47", "attributes in an mx",
     {"body": "version: STSv1\nmode: enforce\nmx: x.test ciphers=null\nmax_age: 86400\n"}, INVALID),
)
# id, label, TXT records when it fails; with them nothing is fetched
TXT = (
    ("STS-03", "two records", ('"v=STSv1; id=2;"', '"v=STSv1; id=3;"')),
    ("STS-04", "an id with a hyphen", ('"v=STSv1; id=a-b;"',)),
    ("STS-10", "NXDOMAIN", ()),
    ("STS-10", "NODATA", ("A",)),
    ("STS-11", "SERVFAIL", "servfail"),
    ("STS-11", "REFUSED", "refused"),
    ("STS-11", "a timeout", "silent"),
)


def pair(w, host, kind):
    if kind == "self":
        return certs.self_signed(w.ca.root, host + "-self", dns=[host])
    if kind == "foreign":
        return certs.CA(w.folder("foreign"), name="Unknown CA").issue(host, dns=[host])
    days = {"expired": (-60, -1), "future": (1, 60)}.get(kind, (-1, 90))
    how = {"name": {"dns": ["other.test"]}, "cn": {"cn": host}, "ip": {"ip": ["127.0.1.1"]},
           "uri": {"ip": ["127.0.1.7,URI:https://%s,email:x@%s" % (host, host)]}}.get(kind, {"dns": [host]})
    if "." in kind:
        how = {"dns": [kind.replace("%s", host.partition(".")[2])]}
    return w.ca.issue("%s-%s" % (host, kind.strip("*.")[:8].replace("\0", "")), days=days, **how)


def domain(w, name, **how):
    zone = w.zone(name, **{"signed": False, "ttl": 1, "minimum": 1, **how})
    zone.set("@", "MX", "10 mx").set("mx", "A", "127.0.2.1")
    w.sts(name, ttl=1)
    return zone


def breaks(w, name, how, new_id):
    """From now on the policy host (or what leads to it) fails like that."""
    how, host = dict(how), "mta-sts." + name
    address = how.pop("dns", None)
    if "cert" in how:
        made = pair(w, host, how["cert"])
        how.update(cert=made.cert, key=made.key)
    w.sts(name, ttl=1, id=new_id, **how)
    if address:
        w.zones[name].set(*address)


def publish(w):
    """new*.test fail from the beginning, old*.test have a good policy at first."""
    for i, (_, _, how, _) in enumerate(FAILURES):
        for prefix in ("new", "old"):
            domain(w, "%s%d.test" % (prefix, i))
        breaks(w, "new%d.test" % i, how, "1")
    for i, (_, _, txt) in enumerate(TXT):
        domain(w, "txt%d.test" % i, faulty=isinstance(txt, str))
    for name in ("target.test", "good.test", "hosted.test", "zone.test"):
        domain(w, name, **({"signed": True} if name == "zone.test" else {}))
    # Both names are a provider's, who serves many policy hosts; its zone is signed, hosted.test is not.
    w.zone("provider.test").set("txt", "TXT", '"v=STSv1; id=1;"').set("web", "A", POLICY_ADDRESS)
    w.zones["hosted.test"].set("_mta-sts", "TXT").set("_mta-sts", "CNAME", "txt.provider.test.")
    w.zones["hosted.test"].set("mta-sts", "A").set("mta-sts", "CNAME", "web.provider.test.")
    # Below a signed zone: what nobody can prove is not believed.
    for name, owner, rtype, value in (("_mta-sts.bogus-txt.zone.test", "@", "TXT", '"v=STSv1; id=1;"'),
                                      ("mta-sts.bogus-host.zone.test", "@", "A", POLICY_ADDRESS)):
        w.zone(name, ds="wrong").set(owner, rtype, value)
    for name in ("bogus-txt", "bogus-host"):
        w.zones["zone.test"].set(name, "MX", "10 mx")
    w.zones["zone.test"].set("_mta-sts.bogus-host", "TXT", '"v=STSv1; id=1;"')


def without_cache(tap, w):
    wrong = pair(w, "default", "name")
    write_host(w.policies, "_default", cert=wrong.cert, key=wrong.key)
    tap.equal((w.ask("opportunistic", "good.test"), w.policy_host.connections[-1]),
              (secure("good.test"), "mta-sts.good.test"),
              "STS-34 the default certificate is another's: the server name chose the right one")
    tap.equal(w.ask("opportunistic", "hosted.test"), secure("hosted.test"),
              "STS-09 CNAMEs at _mta-sts and at the policy host")
    tap.ok("Host: mta-sts.hosted.test" in w.policy_host.requests[-1]["headers"],
           "STS-09 the policy host is asked by its own name")
    for name in ("bogus-txt", "bogus-host"):
        tap.equal((w.ask("opportunistic", name + ".zone.test"),
                   w.policy_host.connections.count("mta-sts.%s.zone.test" % name)), (NONE, 0),
                  "STS-11 %s: no policy, and nobody is connected to" % name)
    slowest = 0
    for i, (row, label, _, failure) in enumerate(FAILURES):
        name = "new%d.test" % i
        began = time.monotonic()
        got = [w.ask("opportunistic", name)]
        slowest = max(slowest, time.monotonic() - began)
        got.append(w.ask("opportunistic-tlsrpt", name))
        told = "OK may policy_type=sts policy_domain=%s policy_failure=%s" % (name, failure)
        tap.equal(got, [NONE, told if failure else NONE],
                  "%s STS-30 STS-70 %s, no cache: no policy, and the TLSRPT map says why" % (row, label))
    tap.note("measured: the slowest answer with a failing policy host took %.1f s (sts.timeout 1)" % slowest)
    tap.equal(w.policy_host.connections.count("mta-sts.target.test"), 0,
              "STS-24 the target of the redirects sees nobody")


def all_in_force(w):
    """The names whose policy is not in force."""
    names = ["old%d.test" % i for i in range(len(FAILURES))] + ["txt%d.test" % i for i in range(len(TXT))]
    return [(name, got) for name in names if (got := w.ask("opportunistic", name)) != secure(name)]


def with_cache(tap, w):
    tap.equal(all_in_force(w), [], "every policy is in force at first")
    for i, (_, _, how, _) in enumerate(FAILURES):
        breaks(w, "old%d.test" % i, how, "2")
    for i, (_, _, txt) in enumerate(TXT):
        name = "txt%d.test" % i
        if isinstance(txt, str):
            w.faultdns.faults[("_mta-sts.%s." % name, "*")] = txt
        else:
            w.zones[name].set("_mta-sts", "TXT", *(txt if txt != ("A",) else ()), ttl=1)
            w.zones[name].set("_mta-sts", "A", *(("127.0.0.1",) if txt == ("A",) else ()))
    w.publish(*(z for name, z in w.zones.items() if name.startswith(("old", "txt"))))
    wait_for("the new ids' failed fetches", lambda: not all_in_force(w) and failed(w), 20, 0.1)
    for row, label, i in [(r, t, "old%d.test" % i) for i, (r, t, _, _) in enumerate(FAILURES)] + [
            (r, "TXT: " + t, "txt%d.test" % i) for i, (r, t, _) in enumerate(TXT)]:
        tap.equal(w.ask("opportunistic", i), secure(i),
                  "%s STS-31 STS-71 %s, with a cached policy: it stays" % (row, label))


def failed(w):
    """Has every new id been tried? The policy host was asked a second time, where a question can reach it."""
    return all(w.policy_host.connections.count("mta-sts.old%d.test" % i) >= 2 for i,
               (_, _, how, _) in enumerate(FAILURES)
               if "dns" not in how)


def killed(tap, w):
    w.daemons.mapd.send(signal.SIGKILL)
    w.daemons.mapd.process.wait()
    w.daemons.start_mapd()
    tap.equal(all_in_force(w), [], "STS-72 killed and started while everything fails: all policies are in force")
    tap.equal([w.ask("opportunistic", "new%d.test" % i) for i in range(len(FAILURES))], [NONE] * len(FAILURES),
              "STS-29 STS-72 and what failed is still known to fail")


def no_dns(tap, w):
    """A silent network: MX cannot be looked up either, and the table says TEMP, never anything weaker."""
    w.daemons.mapd.send(signal.SIGKILL)
    w.daemons.mapd.process.wait()
    w.redis.cli("EVAL", "for _, k in ipairs(redis.call('KEYS', 'tlsmode:dane:*')) do redis.call('DEL', k) end", "0")
    w.unbound.stop()
    w.daemons.start_mapd()
    tap.ok(w.ask("opportunistic", "old0.test").startswith("TEMP "),
           "STS-71 no DNS at all: a policy in force is never answered by less than TEMP",
           w.ask("opportunistic", "old0.test"))
    w.unbound.start()
    wait_for("the policy in force", lambda: w.ask("opportunistic", "old0.test") == secure("old0.test"), 20, 0.1)
    tap.ok(True, "STS-31 NEG-03 DNS is back: the policy is in force within seconds")


def test(tap):
    with World("e2e-conform-sts") as w:
        publish(w)
        w.start(conf={"sts": {"timeout": 1}, "mapd": {"deadline": 4, "report_failures": True}, "dns": {"timeout": 2}},
                postfix=False,
                milter=False)
        for part in (without_cache, with_cache, killed, no_dns):
            part(tap, w)
        tap.equal(w.daemons.mapd.stop(), 0, "a clean end")


main(test)
