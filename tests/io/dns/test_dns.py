#!/usr/bin/env python3
"""src/io/dns/dns_ub.h against knot with really signed zones, behind a forwarder on a high port of loopback.

The road without forwarder, from root hints, is test_dns_root.py: it needs port 53.
"""
import os
import re
import shutil
import sys
import tempfile
import time

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from probe import Probe, once  # noqa: E402
from dns_front import Front  # noqa: E402
from signed_zones import SignedZones, Zone  # noqa: E402
from world.space import free_port  # noqa: E402
from world.tap import Tap  # noqa: E402
from world.waiting import wait_for  # noqa: E402

TLSA = "3 1 1 %064x"
DNSKEY = 48
GOOD = ["@ MX 10 mx", "@ MX 20 mx2", "mx A 192.0.2.1", "mx2 AAAA 2001:db8::1", "mx2 20 A 192.0.2.2", "*.wild A 192.0.2.3",
        '_mta-sts TXT "v=STSv1; id=1;"', "_25._tcp.mx TLSA " + TLSA % 1, "alias CNAME mx", "chain 60 CNAME alias",
        "upper CNAME MX.Good.TEST.", "toplain CNAME mx.plain.test.", "dangling CNAME nothing", "loop CNAME loop2",
        "loop2 CNAME loop", "self CNAME self", r"weird CNAME a\032b", "dname DNAME @", "empty.inner TXT x",
        r'odd CNAME a\043b', r'a\043b TXT "v=STSv1; id=2;"', r"a\043b A 192.0.2.7",
        "_25._tcp.alias CNAME _25._tcp.mx", "tobroken CNAME www.broken.test."] + [
    "_25._tcp.many TLSA " + TLSA % i for i in range(61)] + ["n%d A 192.0.2.9" % i for i in range(3000)]
WWW = ["www A 192.0.2.4", "@ MX 10 www"]


def zones():
    return [
        Zone("good.test", GOOD),
        Zone("plain.test", WWW + ["mx A 192.0.2.5", "alias CNAME mx.good.test.", "_25._tcp.mx TLSA " + TLSA % 2], signed=False, ds=None),
        Zone("nods.test", WWW, ds=None),
        Zone("strange.test", WWW, signed=False, ds="strange"),
        Zone("broken.test", WWW, spoil=(r"(?m)^(www\S*\s+\d+\s+A\s+)192\.0\.2\.4", r"\g<1>192.0.2.66")),
        Zone("unsigned-set.test", WWW, spoil=(r"(?m)^www\S*\s+\d+\s+RRSIG\s+A .*$", "")),
        Zone("no-proof.test", WWW, spoil=(r"(?m)^\S+\s+\d+\s+(RRSIG\s+)?NSEC .*$", "")),
        Zone("expired.test", WWW, at=-40),
        Zone("future.test", WWW, at=40),
        Zone("wrongds.test", WWW, ds="wrong"),
        Zone("stripped.test", WWW, signed=False, ds="wrong"),
        Zone("sub.nsec3.test", WWW, signed=False, ds=None),
        Zone("nsec3.test", WWW, nsec3=True),
        Zone("test", []),
        Zone("", []),
    ]


FAULTS = {"servfail.test": "servfail", "refused.test": "refused", "hole.test": "silent"}

# question: status, secure; what more the line must show
ROWS = [
    ("MX good.test", "ok secure", "count=2 "),
    ("A mx.good.test", "ok secure", "canon= count=1 .* data=c0000201"),
    ("A n1.good.test", "ok secure", "ttl=300 "),
    ("A mx2.good.test", "ok secure", "ttl=(20|19|18) "),
    ("AAAA mx.good.test", "nodata secure", "ttl=7[0-7] canon= count=0 "),
    ("A nothing.good.test", "nxdomain secure", "ttl=7[0-7] canon= count=0 "),
    ("A inner.good.test", "nodata secure", ""),
    ("A x.wild.good.test", "ok secure", "canon= count=1 "),
    ("TXT _mta-sts.good.test", "ok secure", "data=0e763d"),
    ("TLSA _25._tcp.mx.good.test", "ok secure", "data=030101"),
    ("TLSA _25._tcp.mx2.good.test", "nxdomain secure", ""),
    ("TLSA _25._tcp.many.good.test", "ok secure", "count=61 "),
    ("CNAME alias.good.test", "ok secure", "canon= count=1 "),
    ("A alias.good.test", "ok secure", r"canon=mx\.good\.test count=1 "),
    ("A chain.good.test", "ok secure", r"ttl=(60|5\d) canon=mx\.good\.test count=1 "),
    ("A upper.good.test", "ok secure", r"canon=mx\.good\.test "),
    ("A dangling.good.test", "nxdomain secure", r"canon=nothing\.good\.test "),
    ("AAAA alias.good.test", "nodata secure", r"canon=mx\.good\.test "),
    ("TLSA _25._tcp.alias.good.test", "ok secure", r"canon=_25\._tcp\.mx\.good\.test "),
    ("A mx.dname.good.test", "ok secure", r"canon=mx\.good\.test "),
    ("A toplain.good.test", "ok insecure", r"canon=mx\.plain\.test "),
    ("CNAME toplain.good.test", "ok secure", ""),
    ("A alias.plain.test", "ok insecure", r"canon=mx\.good\.test "),
    ("A weird.good.test", "(error|nxdomain) insecure", "ttl=0 canon= "),
    ("A odd.good.test", "error insecure", "ttl=0 canon= "),
    ("TXT odd.good.test", "ok secure", "canon= count=1 .* data=0e763d"),
    ("A tobroken.good.test", "bogus insecure", "ttl=0 "),
    ("A www.plain.test", "ok insecure", ""),
    ("MX plain.test", "ok insecure", ""),
    ("TLSA _25._tcp.mx.plain.test", "ok insecure", ""),
    ("A nothing.plain.test", "nxdomain insecure", ""),
    ("AAAA www.plain.test", "nodata insecure", ""),
    ("A www.nods.test", "ok insecure", ""),
    ("A www.strange.test", "ok insecure", ""),
    ("A www.broken.test", "bogus insecure", 'ttl=0 .* why="[^"]*signature'),
    ("MX broken.test", "ok secure", ""),
    ("A www.unsigned-set.test", "bogus insecure", 'why="[^"]+"'),
    ("A nothing.no-proof.test", "bogus insecure", 'why="[^"]+"'),
    ("AAAA www.no-proof.test", "bogus insecure", 'why="[^"]+"'),
    ("A www.expired.test", "bogus insecure", 'why="[^"]*expired'),
    ("A www.future.test", "bogus insecure", 'why="[^"]+"'),
    ("A www.wrongds.test", "bogus insecure", 'why="[^"]+"'),
    ("A www.stripped.test", "bogus insecure", 'why="[^"]+"'),
    ("A www.nsec3.test", "ok secure", ""),
    ("AAAA www.nsec3.test", "nodata secure", ""),
    ("A nothing.nsec3.test", "nxdomain (in)?secure", ""),  # opt-out: no proof that no insecure delegation is there (RFC 5155 s9.2)
    ("A www.sub.nsec3.test", "ok insecure", ""),
    ("A www.servfail.test", "error insecure", 'ttl=0 .* why="SERVFAIL"'),
    ("A www.refused.test", "error insecure", 'ttl=0 .* why="SERVFAIL|REFUSED"'),
    ("A www.hole.test", "error insecure", 'why="(no answer within 3 s|SERVFAIL)"'),  # libunbound may give up before
    ("A loop.good.test", "error insecure", ""),
    ("A self.good.test", "error insecure", ""),
]


class Stage:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tlsmode-dns-")
        self.zones = SignedZones(self.folder, zones())
        self.port = free_port("127.0.0.1")
        self.zones.serve("127.0.0.1", self.port)
        self.front = self.new_front(faults=FAULTS)

    def new_front(self, **how):
        return Front(("127.0.0.1", self.port), **how)

    def probe(self, *options, port=None, timeout=3):
        probe = Probe("dns_probe", "-a", self.zones.anchor, "-t", timeout, "-f", "127.0.0.1@%d" % (port or self.front.port), *options)
        probe.expect("ready")
        return probe

    def remove(self):
        self.front.stop()
        self.zones.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def dnskeys(stage, start):
    """How often the keys of good.test were asked for since START of what the front was asked."""
    return sum(asked == ("good.test", DNSKEY) for asked in stage.front.asked[start:])


def check_end(tap, probe, name):
    status, errors = probe.end()
    tap.ok(status == 0 and not errors, name + ": the probe ends cleanly", "exit %d" % status, errors)


def test_rows(tap, stage):
    for options, name in ([], ""), (["-b"], " (blocking)"), (["-j", 4], " (4 threads)"):
        probe = stage.probe(*options)
        probe.say(*(question for question, _, _ in ROWS))
        for question, status, more in ROWS:
            line = probe.expect(re.escape(question) + " ", 60)
            tap.ok(re.match("%s %s .*%s" % (re.escape(question), status, more), line), "%s: %s%s" % (question, status, name), line)
        check_end(tap, probe, "rows" + name)
    tap.ok(stage.front.tcp_asked > 0, "the large answer came by TCP (DANE-24)")


def test_aged(tap, stage):
    """The TTL of a remembered answer is what is left of it."""
    probe = stage.probe()
    first = probe.ask("A mx2.good.test", r"A mx2\.good")
    negative = probe.ask("A never.good.test", r"A never\.good")
    before = len(stage.front.asked)
    later = wait_for("an aged answer", lambda: (line := probe.ask("A mx2.good.test", r"A mx2\.good")) and "ttl=20 " not in line and line, 10, 0.3)
    again = wait_for("an aged negative answer", lambda: (line := probe.ask("A never.good.test", r"A never\.good")) and "ttl=77 " not in line and line, 10, 0.3)
    left = [int(re.search(r"ttl=(\d+)", line).group(1)) for line in (first, later, negative, again)]
    tap.ok(left[0] == 20 > left[1] > 0, "a remembered answer's TTL shrinks", first, later)
    tap.ok(left[2] == 77 > left[3] > 0, "and the negative one's, from the SOA's minimum", negative, again)
    tap.equal(len(stage.front.asked), before, "nobody was asked again")
    check_end(tap, probe, "aged")


def test_stripping_forwarder(tap, stage):
    """A forwarder that knows nothing of DNSSEC makes signed names unusable, never insecure."""
    front = stage.new_front(strips=True)
    probe = stage.probe(port=front.port, timeout=6)
    for question in ("A mx.good.test", "MX good.test", "TLSA _25._tcp.mx.good.test", "A nothing.good.test", "A www.plain.test"):
        line = probe.ask(question, re.escape(question))
        tap.ok(re.search(r" (bogus|error) insecure ttl=0 ", line), "%s through it: bogus or error" % question, line)
    check_end(tap, probe, "stripped")
    front.stop()


def test_deadline(tap, stage):
    front = stage.new_front()
    front.dead = True
    for options, name in ([], ""), (["-b"], " (blocking)"):
        probe = stage.probe(*options, port=front.port, timeout=2)
        line = probe.ask("MX good.test", "MX good")
        took = int(re.search(r"ms=(\d+)", line).group(1))
        tap.ok("error insecure" in line and "no answer within 2 s" in line and took >= 1900, "a dead server: our own deadline" + name, line)
        tap.note("asked for 2 s, told after %d ms" % took)
        check_end(tap, probe, "deadline" + name)
    front.stop()


def test_recovery(tap, stage):
    """A server that was away is used again within seconds, also when many questions found it dead."""
    for name in ("silent", "port closed"):
        front = stage.new_front()
        probe = stage.probe(port=front.port, timeout=2)
        probe.ask("A n0.good.test", r"A n0\.")
        port = front.port
        if name == "silent":
            front.dead = True
        else:
            front.stop()
        for i in range(4):  # many find it dead, again and again
            start = len(probe.lines)
            probe.say(*["A n%d.good.test" % n for n in range(1 + i * 50, 51 + i * 50)])
            probe.expect(r"A n\d", start=start, count=50)
        tap.equal(len(probe.matching(r"A n\d+\.good\.test error insecure")), 200, "away (%s) means error" % name)
        back = time.monotonic()
        if name == "silent":
            front.dead = False
        else:
            front = stage.new_front(port=port)
        tries = iter(range(1000, 3000))

        def answered():
            i = next(tries)
            return " ok secure" in probe.ask("A n%d.good.test" % i, r"A n%d\." % i)
        wait_for("an answer of the server that is back", answered, 30, 0.1)
        tap.ok(True, "a server that was away (%s) is used again" % name)
        tap.note("%s: used again %.1f s after its return" % (name, time.monotonic() - back))
        line = wait_for("the name that failed", lambda: (line := probe.ask("A n1.good.test", r"A n1\.")) and " ok " in line and line, 30, 0.1)
        tap.note("%s: a name that had failed is answered %.1f s after" % (name, time.monotonic() - back))
        check_end(tap, probe, "recovery (%s)" % name)
        front.stop()


def test_abort(tap, stage):
    probe = stage.probe()
    probe.say(*["abort A www.hole.test", "abort A mx.good.test"] * 50)
    probe.expect("aborted A mx", count=50)
    tap.ok(all(line.endswith("pending=0") for line in probe.matching("aborted")), "aborted questions are not pending")
    line = probe.ask("A mx.good.test", r"A mx\.good")
    tap.ok(" ok secure" in line, "the next question is answered", line)
    check_end(tap, probe, "abort")
    for name, threads in ("under way", 1), ("answered", 1), ("under way, 3 threads", 3):
        probe = stage.probe("-j", threads, timeout=60)
        if name == "answered":
            probe.ask("A mx.good.test", r"A mx\.good")
        probe.say(*["A www%d.hole.test" % i for i in range(300)])
        wait_for("questions at the silent server", lambda: stage.front.asked[-1][0].endswith("hole.test"))
        probe.say("free")
        probe.expect("freed")
        check_end(tap, probe, "freed with 300 questions (%s)" % name)


def test_threads(tap, stage):
    """What is asked about one domain goes to one context; domains are spread over all of them."""
    probe, start = stage.probe("-j", 4), len(stage.front.asked)
    probe.say(*["A n%d.good.test good.test" % i for i in range(200)])
    probe.expect(r"A n\d+\.good\.test ok secure", 30, count=200)
    tap.equal(dnskeys(stage, start), 1, "200 questions about one domain, 4 threads: its keys are fetched once")
    probe.say(*["A n%d.good.test" % i for i in range(200, 400)])
    probe.expect(r"A n\d+\.good\.test ok secure", 30, count=400)
    tap.equal(dnskeys(stage, start), 4, "200 about as many domains: every thread works")
    probe.say(*["abort A n%d.hole.test" % i for i in range(40)])
    probe.expect("aborted", count=40)
    tap.ok(probe.matching("aborted")[-1].endswith("pending=0"), "aborted with all of them")
    check_end(tap, probe, "threads")


def test_many(tap, stage):
    """Thousands at once, and slow ones do not hold back the others."""
    probe = stage.probe(port=stage.port, timeout=20)
    at = time.monotonic()
    probe.say(*["A n%d.good.test" % i for i in range(3000)])
    probe.expect(r"A n\d+\.good", 60, count=3000)
    took = time.monotonic() - at
    tap.equal(len(probe.matching(r"A n\d+\.good\.test ok secure")), 3000, "3000 questions at once, all answered and secure")
    tap.note("%.0f validated answers/s, knot on the same cores" % (3000 / took))
    check_end(tap, probe, "many")
    probe = stage.probe(timeout=6)
    probe.say(*["A w%d.hole.test" % i for i in range(1500)])
    wait_for("the silent server to be asked", lambda: sum(n.endswith("hole.test") for n, _ in stage.front.asked) > 1000, 30)
    line = probe.ask("A mx.good.test", r"A mx\.good")
    tap.ok(" ok secure" in line, "1500 questions without answer do not hold back another", line)
    check_end(tap, probe, "many silent")


def test_options(tap, stage):
    def file(name, text):
        path = os.path.join(stage.folder, name)
        with open(path, "w") as f:
            f.write(text)
        return path
    good = stage.zones.anchor
    rows = [
        (["-a", ""], "dns.trust_anchor", "without a trust anchor"),
        (["-a", "/nonexistent/root.key"], "dns.trust_anchor", "No such file"),
        (["-a", stage.folder], "dns.trust_anchor", "Is a directory"),
        (["-a", file("empty", "; nothing\n")], "dns.trust_anchor", "no DS or DNSKEY"),
        (["-a", file("cut", ". IN DNSKEY 257 3\n")], "dns.trust_anchor", "parse error"),
        (["-a", file("letters", ". IN DS 1 8 2 zz\n")], "dns.trust_anchor", "parse error"),
        (["-a", file("strange", "example. DS 1 99 99 00\n")], "dns.trust_anchor", "algorithm"),
        (["-a", good, "-f", "localhost"], "dns.forward", "not an IP address"),
        (["-a", good, "-f", "127.0.0.1@0"], "dns.forward", "ADDRESS@PORT"),
        (["-a", good, "-f", "127.0.0.1@65536"], "dns.forward", "ADDRESS@PORT"),
        (["-a", good, "-f", "127.0.0.1@53x"], "dns.forward", "ADDRESS@PORT"),
        (["-a", good, "-f", "127.0.0.1:53"], "dns.forward", "ADDRESS@PORT"),
        (["-a", good, "-r", "/nonexistent/hints"], "dns.root_hints", "No such file"),
        (["-a", good, "-r", file("hints", ". NS ns.\nns. A 1.2.3\n")], "root hints", "ip4 addr expected"),
    ]
    for options, option, why in rows:
        status, text = once("dns_probe", *options)
        tap.ok(status == 78 and option in text and why in text and len(text.splitlines()) == 1,
               "bad option %s: one clear sentence" % " ".join(map(os.path.basename, options)), "exit %d" % status, text)
    with open(file("both", "elsewhere. IN DS 1 13 2 %s\n" % ("ab" * 32)), "a") as f:
        f.write(open(good).read())
    probe = Probe("dns_probe", "-a", f.name, "-f", "127.0.0.1@%d" % stage.front.port)
    line = probe.ask("A mx.good.test", r"A mx\.good")
    tap.ok(" ok secure" in line, "several anchors in one file", line)
    line = probe.ask("A localhost", "A localhost")
    tap.ok("data=7f000001" in line, "localhost is answered without a server", line)
    check_end(tap, probe, "several anchors")


def main():
    tap = Tap()
    stage = Stage()
    with tap:
        test_rows(tap, stage)
        test_aged(tap, stage)
        test_stripping_forwarder(tap, stage)
        test_deadline(tap, stage)
        test_recovery(tap, stage)
        test_abort(tap, stage)
        test_threads(tap, stage)
        test_many(tap, stage)
        test_options(tap, stage)
    stage.remove()
    sys.exit(tap.exit_status())


if __name__ == "__main__":
    main()
