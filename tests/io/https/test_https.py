#!/usr/bin/env python3
"""src/io/https/https_curl.h against a policy host that behaves well and badly: every row of CONFORMANCE B and of vector file j."""
import json
import os
import re
import shutil
import socket
import sys
import tempfile
import time

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from probe import VECTORS, Probe, once  # noqa: E402
from world.certs import CA, self_signed  # noqa: E402
from world.policy_host import PolicyHost, write_host  # noqa: E402
from world.tap import Tap  # noqa: E402
from world.waiting import wait_for  # noqa: E402

HERE = "127.0.0.1"
OK, FAILED, WEBPKI = "ok", "fetch-failed", "webpki"

# name: certificate, how the host behaves, what the fetch must be, what its reason must say; rows of the vector file
ROWS = [
    ("plain", {}, OK, "version: STSv1", "HTTP-01"),
    ("utf8", {"type": "text/plain; charset=utf-8"}, OK, "", "HTTP-02"),
    ("upper", {"type": "TEXT/PLAIN; charset=US-ASCII; x-extra=ignored"}, OK, "", "HTTP-03"),
    ("latin", {"type": "text/plain; charset=iso-8859-1"}, OK, "", "HTTP-04"),
    ("blank-type", {"type": "text/plain ;charset=utf-8"}, OK, ""),
    ("no-type", {"type": None}, FAILED, "no Content-Type", "HTTP-05"),
    ("html", {"type": "text/html"}, FAILED, "text/html", "HTTP-06"),
    ("octets", {"type": "application/octet-stream"}, FAILED, "octet-stream"),
    ("nearly", {"type": "text/plainer"}, FAILED, "text/plainer"),
    ("many-types", {"type": "text/html", "headers": [["X-Type", "text/plain"]]}, FAILED, "text/html"),
    ("created", {"status": 201}, FAILED, "status 201"),
    ("no-content", {"status": 204}, FAILED, "status 204"),
    ("partial", {"status": 206}, FAILED, "status 206"),
    ("not-modified", {"status": 304}, FAILED, "status 304"),
    ("chunked", {"send": "chunked"}, OK, "version"),
    ("close", {"send": "close"}, OK, "version"),
    ("close-cut", {"send": "close_cut"}, FAILED, "cut"),
    ("short", {"send": "short"}, FAILED, "closed|missing"),
    ("chunked-cut", {"send": "chunked_cut"}, FAILED, "closed"),
    ("chunked-no-end", {"send": "chunked_no_end"}, FAILED, "closed"),
    ("head-cut", {"send": "head_cut"}, FAILED, ""),
    ("reset", {"send": "reset"}, FAILED, ""),
    ("garbage", {"send": "garbage"}, FAILED, "HTTP/0.9"),
    ("bare", {"send": "bare"}, FAILED, "HTTP/0.9"),
    ("no-tls", {"send": "plain"}, FAILED, ""),
    ("full-size", {"size": 65536}, OK, "version"),
    ("over-size", {"size": 65537}, FAILED, "64 KiB", "HTTP-50"),
    ("chunked-full", {"size": 65536, "send": "chunked"}, OK, "version"),
    ("chunked-over", {"size": 65537, "send": "chunked"}, FAILED, "64 KiB", "HTTP-51"),
    ("close-over", {"size": 65537, "send": "close"}, FAILED, "64 KiB"),
    ("endless", {"send": "endless"}, FAILED, "64 KiB"),
    ("endless-404", {"send": "endless", "status": 404}, FAILED, "status 404"),
    ("endless-head", {"send": "endless_head"}, FAILED, "headers over 64 KiB"),
    ("endless-continue", {"send": "endless_continue"}, FAILED, "headers over 64 KiB"),
    ("gzip", {"encoding": "gzip"}, FAILED, "Content-Encoding"),
    ("gzip-bomb", {"encoding": "gzip", "body": "x" * 1000000}, FAILED, "Content-Encoding"),
    ("tls12", {"tls": ["1.2", "1.2"]}, OK, "", "HTTP-45"),
    ("tls13", {"tls": ["1.3", "1.3"]}, OK, ""),
    ("tls11", {"tls": ["1.0", "1.1"]}, FAILED, "", "HTTP-46"),
    ("decorated", {"headers": [["Set-Cookie", "a=b"], ["ETag", '"x"'], ["Cache-Control", "max-age=1"],
                               ["Strict-Transport-Security", "max-age=9"], ["Alt-Svc", 'h2=":1"']]}, OK, "", "HTTP-65"),
    ("drip-head", {"send": "drip_head"}, FAILED, "tim(ed out|eout)", "HTTP-57"),
    ("drip", {"send": "drip"}, FAILED, "tim(ed out|eout)"),
    ("stall", {"send": "stall"}, FAILED, "tim(ed out|eout)"),
    ("silent", {"send": "silent"}, FAILED, "tim(ed out|eout)"),
    ("cert-name", {"cert": "other"}, WEBPKI, "ostname mismatch", "HTTP-29"),
    ("cert-expired", {"cert": "expired"}, WEBPKI, "expired", "HTTP-32"),
    ("cert-future", {"cert": "future"}, WEBPKI, "not yet valid"),
    ("cert-parent", {"cert": "parent"}, WEBPKI, "ostname mismatch", "HTTP-34"),
    ("cert-cn", {"cert": "cn"}, WEBPKI, "ostname mismatch", "HTTP-35"),
    ("cert-cn-ip", {"cert": "cn-ip"}, WEBPKI, "ostname mismatch"),
    ("cert-wild", {"cert": "wild"}, OK, "", "HTTP-36"),
    ("cert-partial", {"cert": "partial"}, WEBPKI, "ostname mismatch"),
    ("cert-wild-top", {"cert": "wild-top"}, WEBPKI, "ostname mismatch"),
    ("cert-wild-inner", {"cert": "wild-inner"}, WEBPKI, "ostname mismatch"),
    ("cert-wild-deep", {"cert": "wild-deep"}, WEBPKI, "ostname mismatch"),
    ("cert-upper", {"cert": "upper"}, OK, ""),
    ("cert-many", {"cert": "many"}, OK, ""),
    ("cert-ip", {"cert": "ip"}, WEBPKI, "ostname mismatch"),
    ("cert-nul", {"cert": "nul"}, WEBPKI, "ostname mismatch"),
    ("cert-unknown", {"cert": "unknown"}, WEBPKI, "issuer"),
    ("cert-self", {"cert": "self"}, WEBPKI, "self"),
    ("cert-provider", {"cert": "provider"}, WEBPKI, "ostname mismatch", "HTTP-71"),
] + [("status-%d" % n, {"status": n}, FAILED, "status %d" % n, row) for n, row in (
    (400, "HTTP-19"), (401, "HTTP-20"), (403, "HTTP-21"), (404, "HTTP-22"), (410, "HTTP-23"), (429, "HTTP-24"),
    (451, "HTTP-25"), (500, "HTTP-26"), (502, "HTTP-27"), (503, "HTTP-28"))
] + [("redirect-%d" % n, {"status": n, "headers": [["Location", "https://mta-sts.plain.test/.well-known/elsewhere.txt"]]},
      FAILED, "status %d" % n, row) for n, row in (
    (301, "HTTP-13"), (302, "HTTP-14"), (303, "HTTP-15"), (307, "HTTP-16"), (308, "HTTP-17"))]

# Rows with a test of their own below.
ELSEWHERE = {"HTTP-48": "the default certificate is wrong in every row here", "HTTP-68": "no address", "HTTP-70": "plain",
             "HTTP-72": "proxy variables"}

# What RFC 6890's registries keep for special uses, and what is next to it.
ADDRESSES = {
    "public": "1.1.1.1 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 169.253.255.255 172.15.0.1 "
              "172.32.0.0 192.0.1.1 192.167.1.1 192.169.0.1 198.17.0.1 198.20.0.1 223.255.255.255 2001:200::1 2003::1 "
              "2606:4700::1111 2a00::1 64:ff9b::808:808",
    "special": "0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.1.2.3 169.254.169.254 172.16.0.1 "
               "172.31.255.255 192.0.0.1 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 "
               "224.0.0.1 239.1.1.1 240.0.0.1 255.255.255.255 :: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::7f00:1 fe80::1 febf::1 "
               "fec0::1 fc00::1 fd12::1 ff02::1 2001::1 2001:db8::1 2002:7f00:1::1 3fff::1 100::1 64:ff9b::7f00:1 "
               "64:ff9b::a9fe:a9fe 64:ff9b:1::1 5f00::1 4000::1 1.2.3 0x7f000001 2130706433 017700000001 localhost fe80::1%lo "
               "127.0.0.1.",
}


def certificates(folder):
    ca, stranger = CA(folder + "/ca"), CA(folder + "/stranger", "Stranger CA")
    both = ["mta-sts.%s.test"]

    def issue(stem, by=ca, **more):
        return by.issue(stem, **more)

    def named(name, **more):
        return issue(name, dns=["mta-sts.%s.test" % name], **more)

    return ca, {
        "good": issue("good", dns=["*.%s.test" % r[0] for r in ROWS] + ["*.n%d.test" % i for i in range(250)] + [
            "*.pinned.test", "*.address.test", "*.joined.test", "*.flow.test"]),
        "other": issue("other", dns=["mta-sts.somebody.test"]),
        "expired": named("cert-expired", days=(-60, -1)),
        "future": named("cert-future", days=(1, 60)),
        "parent": issue("parent", dns=["cert-parent.test"]),
        "cn": issue("cn", cn="mta-sts.cert-cn.test"),
        "cn-ip": issue("cn-ip", cn="mta-sts.cert-cn-ip.test", ip=[HERE]),
        "wild": issue("wild", dns=["*.cert-wild.test"]),
        "partial": issue("partial", dns=["m*.cert-partial.test", "*ts.cert-partial.test", "mta-*.cert-partial.test"]),
        "wild-top": issue("wild-top", dns=["*.test"]),
        "wild-inner": issue("wild-inner", dns=["mta-sts.*.test"]),
        "wild-deep": issue("wild-deep", dns=["*.mta-sts.cert-wild-deep.test", "*.*.test"]),
        "upper": issue("upper", dns=["MTA-STS.Cert-Upper.TEST"]),
        "many": issue("many", dns=["a%d.test" % i for i in range(50)] + [both[0] % "cert-many"]),
        "ip": issue("ip", ip=[HERE]),
        "nul": issue("nul", dns=["mta-sts.cert-nul.test\0.evil.test"]),
        "unknown": named("cert-unknown", by=stranger),
        "self": self_signed(folder, "self", dns=["mta-sts.cert-self.test"]),
        "provider": issue("provider", dns=["policies.provider.test"]),
        "default": issue("default", dns=["wrong.default.test"]),
    }


class Stage:
    """Policy host, certificates and probes of one run."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="tlsmode-https-")
        self.ca, self.certs = certificates(self.folder)
        self.hosts = self.folder + "/hosts"
        os.mkdir(self.hosts)
        self.server = PolicyHost((HERE, 0), self.hosts)
        self.server.start()
        self.behave("_default", cert="default")

    def behave(self, host, cert="good", **spec):
        write_host(self.hosts, host, cert=self.certs[cert].cert, key=self.certs[cert].key, **spec)

    def probe(self, *options, env=None, private=True):
        return Probe("https_probe", "-c", self.ca.cert, "-p", self.server.port, *(["-P"] if private else []), *options, env=env)

    def requests(self, host):
        return [r for r in self.server.requests if r["host"] == host]

    def remove(self):
        self.server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def host_of(name):
    return "mta-sts.%s.test" % name


def check_end(tap, probe, name):
    status, errors = probe.end()
    tap.ok(status == 0 and not errors, name + ": the probe ends cleanly", "exit %d" % status, errors)


def test_rows(tap, stage):
    probe = stage.probe("-l", 4)
    for name, spec, *_ in ROWS:
        stage.behave(host_of(name), **spec)
    probe.say(*("fetch %s %s" % (host_of(row[0]), HERE) for row in ROWS))
    for name, spec, want, why, *vector in ROWS:
        line = probe.expect(re.escape(host_of(name)) + " ", 60)
        tap.ok(re.match(r"\S+ %s " % want, line) and re.search(why, line), "%s: %s%s" % (name, want, "".join(" (%s)" % v for v in vector)), line)
    asked = {r["line"] for r in stage.server.requests}
    tap.equal(asked, {"GET /.well-known/mta-sts.txt HTTP/1.1"}, "nothing but the well-known path was asked: no redirect was followed")
    check_end(tap, probe, "rows")


def test_vectors(tap):
    path = os.path.join(VECTORS, "j_https_behaviour.jsonl")
    if not os.path.exists(path):
        tap.skip("vector file j_https_behaviour.jsonl", "not there: " + path)
        return
    expected = {v: row[2] for row in ROWS for v in row[4:]}
    with open(path) as f:
        vectors = {v["id"]: v["fetch_result"] for v in map(json.loads, f)}
    missing = sorted(set(vectors) - set(expected) - set(ELSEWHERE))
    tap.equal(missing, [], "every vector has a row")
    wrong = sorted(v for v, want in expected.items() if v in vectors and (vectors[v] == "ok") != (want == OK))
    tap.equal(wrong, [], "and both want the same")


def test_request(tap, stage):
    probe = stage.probe(env={"https_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"})
    host = host_of("decorated")
    before = len(stage.requests(host))
    for _ in range(2):
        line = probe.ask("fetch %s %s" % (host, HERE), re.escape(host))
        tap.ok(" ok " in line, "proxy variables change nothing (HTTP-72)", line)
    first, second = stage.requests(host)[before:]
    names = sorted(h.split(":")[0] for h in second["headers"])
    tap.equal(names, ["Accept", "Host", "User-Agent"], "the second request is made, without cookie or condition (HTTP-65)")
    tap.ok(any(re.match(r"User-Agent: tlsmode/\d", h) for h in first["headers"]), "it says who we are")
    line = probe.ask("fetch %s" % host_of("nowhere"), re.escape(host_of("nowhere")))
    tap.ok("fetch-failed" in line and '"no address"' in line, "a host without address fails (HTTP-68)", line)
    check_end(tap, probe, "request")


def black_hole(address, port):
    """A listener whose queue is full: the kernel drops what else arrives."""
    sockets = [socket.create_server((address, port), backlog=0)]
    for _ in range(2):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex((address, port))
        sockets.append(client)
    return sockets


def test_addresses(tap, stage):
    probe = stage.probe(private=False)
    for want, addresses in ADDRESSES.items():
        wrong = [a for a in addresses.split() if probe.ask("public " + a, re.escape(a) + " ") != "%s %s" % (a, want)]
        tap.equal(wrong, [], "%d addresses are %s" % (len(addresses.split()), want))
    stage.behave(host_of("address"))
    before = len(stage.server.connections)
    line = probe.ask("fetch %s 127.0.0.1 ::1 169.254.169.254" % host_of("address"), re.escape(host_of("address")))
    tap.ok("fetch-failed" in line and "127.0.0.1" in line, "special addresses are refused (STS-37)", line)
    tap.equal(len(stage.server.connections), before, "without a connection")
    check_end(tap, probe, "special addresses")
    probe = stage.probe("-l", 9)
    line = probe.ask("fetch %s 127.0.0.7 %s" % (host_of("address"), HERE), re.escape(host_of("address")))
    tap.ok(" ok " in line, "the second address serves when the first refuses", line)
    hole = black_hole("127.0.0.8", stage.server.port)
    line = probe.ask("fetch %s 127.0.0.8 %s" % (host_of("address"), HERE), re.escape(host_of("address")))
    tap.ok(" ok " in line, "and when it does not answer at all", line)
    for s in hole:
        s.close()
    line = probe.ask("fetch %s ::1 %s" % (host_of("address"), HERE), re.escape(host_of("address")))
    tap.ok(" ok " in line, "IPv4 serves when IPv6 refuses", line)
    line = probe.ask("fetch %s %s nonsense %s" % (host_of("address"), "1.2.3.4.5", HERE), re.escape(host_of("address")))
    tap.ok(" ok " in line, "what is no address is left out", line)
    check_end(tap, probe, "addresses")


def test_pins(tap, stage):
    """Pinned addresses serve one fetch and no other, within one process."""
    probe = stage.probe("-l", 3)
    host = host_of("pinned")
    stage.behave(host)
    for address, want in ((HERE, OK), ("127.0.0.9", FAILED), (HERE, OK), ("127.0.0.9", FAILED)):
        line = probe.ask("fetch %s %s" % (host, address), re.escape(host))
        tap.ok(" %s " % want in line, "pinned to %s: %s" % (address, want), line)
    check_end(tap, probe, "pins")


def test_join_and_abort(tap, stage):
    probe = stage.probe("-l", 5)
    host = host_of("joined")
    stage.behave(host, send="drip", pause=0.01)
    probe.say(*["fetch %s %s" % (host, HERE)] * 20)
    probe.expect(re.escape(host) + " ok", count=20)
    tap.equal(len(stage.requests(host)), 1, "twenty askers of one host: one request")
    probe.say("abort %s %s" % (host, HERE))
    probe.expect(re.escape(host) + " aborted pending=0")
    stage.behave(host, send="stall")
    probe.say(*["fetch %s %s" % (host, HERE)] * 2)
    asked = len(stage.requests(host))
    wait_for("the stalled request", lambda: len(stage.requests(host)) > asked - 1 and len(stage.requests(host)) >= 2)
    probe.say("cancel " + host)
    probe.expect(re.escape(host) + " aborted pending=1")
    probe.say("cancel " + host)
    probe.expect(re.escape(host) + " aborted pending=0", count=2)
    stage.behave(host)
    line = probe.ask("fetch %s %s" % (host, HERE), re.escape(host) + " (ok|fetch)")
    tap.ok(" ok " in line, "a new fetch does not join one that everybody left", line)
    check_end(tap, probe, "joined and aborted")


def test_slow_hosts(tap, stage):
    probe = stage.probe("-l", 30)
    for i in range(200):
        stage.behave(host_of("n%d" % i), send="stall" if i % 2 else "drip", pause=1)
    stage.behave(host_of("flow"))
    probe.say(*("fetch %s %s" % (host_of("n%d" % i), HERE) for i in range(200)))
    wait_for("200 slow connections", lambda: len([c for c in stage.server.connections if c and re.match(r"mta-sts\.n\d", c)]) >= 200, 60)
    line = probe.ask("fetch %s %s" % (host_of("flow"), HERE), re.escape(host_of("flow")), 60)
    tap.ok(" ok " in line, "200 dripping hosts do not keep a good one from its turn", line)
    tap.equal(len(probe.matching(r"mta-sts\.n\d")), 0, "while all of them still drip")
    tap.note("a good fetch among 200 slow ones took " + re.search(r"ms=(\d+)", line).group(1) + " ms")
    probe.say("free")
    probe.expect("freed")
    check_end(tap, probe, "freed with 200 fetches under way")


def test_cost(tap, stage):
    """Measured, not judged."""
    probe = stage.probe()
    for i in range(200):
        stage.behave(host_of("n%d" % i))
    probe.ask("fetch %s %s" % (host_of("n0"), HERE), r"mta-sts\.n0\.test ok")
    before, at = float(probe.ask("cpu", "cpu").split("=")[1]), time.monotonic()
    probe.say(*("fetch %s %s" % (host_of("n%d" % i), HERE) for i in range(200)))
    probe.expect(r"mta-sts\.n\d+\.test ok", 60, count=201)
    took, after = time.monotonic() - at, float(probe.ask("cpu", "cpu", 10).split("=")[1])
    tap.note("200 fetches: %.2f ms of CPU each (TLS handshake and all), %.0f fetches/s" % ((after - before) / 200, 200 / took))
    tap.ok(not probe.matching(r"mta-sts\.n\d+\.test (fetch|web)"), "200 fetches at once all end well")
    check_end(tap, probe, "cost")


def test_options(tap, stage):
    empty = stage.folder + "/empty"
    open(empty, "w").close()
    for file, want in (("/nonexistent/ca.pem", "No such file"), (empty, "no certificates"), (stage.folder, "Is a directory")):
        status, text = once("https_probe", "-c", file)
        tap.ok(status == 78 and text == text.splitlines()[0] and "sts.ca_file" in text and file in text and want in text,
               "CA file %s: one clear sentence" % os.path.basename(file), "exit %d" % status, text)


def main():
    tap = Tap()
    stage = Stage()
    with tap:
        test_rows(tap, stage)
        test_vectors(tap)
        test_request(tap, stage)
        test_addresses(tap, stage)
        test_pins(tap, stage)
        test_join_and_abort(tap, stage)
        test_slow_hosts(tap, stage)
        test_cost(tap, stage)
        test_options(tap, stage)
    stage.remove()
    sys.exit(tap.exit_status())


if __name__ == "__main__":
    main()
