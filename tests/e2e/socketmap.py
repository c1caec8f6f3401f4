#!/usr/bin/python3
"""CONFORMANCE L with real zones: every row of i_socketmap_wire.jsonl to the letter, variants of a key, Postfix's own client."""
import json
import os
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world import grammar
from world.space import ROOT
from world.tap import main
from world.waiting import wait_for
from world.world import World

SECURE = "OK secure match=mx.%s servername=hostname protocols=>=TLSv1.2"
GOOD = SECURE % "good.test"
IDN = SECURE % "xn--bcher-kva.test"
NOTFOUND = "NOTFOUND "
CLOSED = []
VECTORS = os.path.join(ROOT, "..", "shared", "vectors", "i_socketmap_wire.jsonl")

# What each row's question (MAP is `opportunistic`) must bring; None: judged apart.
EXPECTED = {
    "SM-001": [GOOD], "SM-002": [GOOD], "SM-003": [GOOD], "SM-004": [GOOD], "SM-006": [GOOD], "SM-008": [NOTFOUND],
    "SM-010": ["TEMP unknown map name"], "SM-011": [NOTFOUND], "SM-012": [NOTFOUND], "SM-013": [NOTFOUND], "SM-014": [NOTFOUND],
    "SM-015": [NOTFOUND], "SM-017": [NOTFOUND], "SM-021": [NOTFOUND], "SM-024": ["TEMP unknown map name"], "SM-025": [GOOD],
    "SM-030": [IDN], "SM-039": ["TEMP unknown map name"], "SM-040": CLOSED, "SM-041": CLOSED, "SM-042": CLOSED, "SM-043": CLOSED,
    "SM-045": CLOSED, "SM-047": CLOSED, "SM-048": [GOOD], "SM-049": [GOOD, NOTFOUND], "SM-056": None,
    "SM-058": ["TEMP unknown map name"], "SM-059": ["TEMP unknown map name"], "SM-060": ["TEMP unknown map name"],
    "SM-061": ["TEMP unknown map name"],
}


def destinations(w):
    w.destination("good.test", sts="enforce")
    w.destination("xn--bcher-kva.test", sts="enforce")
    w.destination("valid-none.test", sts="none")
    w.destination("testing.test", sts="testing")
    w.destination("no-record.test")
    w.destination("many-mx.test")
    w.sts("many-mx.test", mx=["mx%d.many-mx.test" % i for i in range(2000)])
    w.destination("dane.test", signed=True, tlsa="3 1 1")


def connect(w):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(w.daemons.where.partition(":")[2])
    return s


def frame(text):
    return b"%d:%s," % (len(text), text)


def translated(wire):
    """The row with `opportunistic` for MAP; whole netstrings get their new length, zeros in front of it stay."""
    out, rest = b"", wire.encode()
    while rest:
        digits, colon, body = rest.partition(b":")
        if not colon or not digits.isdigit() or len(digits) > 6 or int(digits) > len(body):
            return out + rest
        text, end, rest = body[:int(digits)], body[int(digits):int(digits) + 1], body[int(digits) + 1:]
        if text.startswith(b"MAP "):
            text = b"opportunistic " + text[4:]
        zeros = digits[:len(digits) - len(digits.lstrip(b"0"))] if digits.strip(b"0") else b""
        out += zeros + b"%d:%s%s" % (len(text), text, end)
    return out


def replies(s):
    """Those that come until the server closes."""
    data = b""
    while True:
        try:
            more = s.recv(65536)
        except ConnectionError:
            more = b""
        if not more:
            break
        data += more
    found = []
    while data:
        digits, _, data = data.partition(b":")
        found.append(data[:int(digits)].decode())
        assert data[int(digits):int(digits) + 1] == b","
        data = data[int(digits) + 1:]
    return found


def ask_wire(w, wire, slowly=False):
    with connect(w) as s:
        if slowly:
            for octet in wire:
                s.sendall(bytes([octet]))
                time.sleep(0.05)
        else:
            s.sendall(wire)
        try:
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # closed already
        return replies(s)


def vectors(tap, w):
    if not os.path.exists(VECTORS):
        tap.skip("i_socketmap_wire.jsonl", "shared/vectors is not there")
        return
    with open(VECTORS, encoding="utf-8") as rows:
        for row in map(json.loads, rows):
            got = ask_wire(w, translated(row["wire"]), slowly="byte-by-byte" in row["desc"])
            name = "%s %s" % (row["id"], row["desc"])
            if row["id"] == "SM-056":
                tap.ok(len(got) == 1 and len(got[0]) <= 100000 and got[0].startswith("OK secure match=mx0.many-mx.test:mx1."), name, got[0][:80])
                tap.ok(got[0].count(":") >= 1999 and not grammar.reply_fault("opportunistic", got[0]), "SM-056 all of them, and Postfix takes it")
            else:
                tap.equal(got, EXPECTED[row["id"]], name)
            tap.equal(w.ask("opportunistic", "good.test"), GOOD, "%s: nobody else notices" % row["id"])


def variants(tap, w):
    for key in ("good.test", "GOOD.Test", "good.test.", "[good.test]", "[GOOD.test]", "[good.test]:25", "good.test:25", "good.test:smtp",
                "good.test:587", "[good.test]:submission", "good.test:", "[good.test]:"):
        tap.equal(w.ask("enforced", key), GOOD, "SM-08 %s" % key)
    for key in ("xn--bcher-kva.test", "b\u00fccher.test", "B\u00dcCHER.test", "XN--BCHER-KVA.TEST"):
        tap.equal(w.ask("opportunistic", key), IDN, "SM-08 %s" % key)
    for key in ("sub.good.test", ".good.test", ".test"):
        tap.equal(w.ask("opportunistic", key), NOTFOUND, "STS-12 %s has no policy of a parent" % key)
    tap.equal(w.ask("opportunistic", "dane.test"), "OK dane-only protocols=>=TLSv1.2", "DANE beside it")
    tap.equal(w.ask("sts", "good.test"), "OK secure match=mx.good.test servername=hostname", "sts, for Sendmail")
    tap.equal(w.ask("sts", "dane.test"), NOTFOUND, "sts knows nothing of DANE")
    for key in ("_x.test", "single", "a..b", "a b", "-a.test", "x" * 300, "a\x7fb", "10.1.2.3.4"):
        for name in ("opportunistic", "enforced", "verified"):
            reply = w.ask(name, key)
            tap.ok(reply == NOTFOUND if name == "opportunistic" else reply != NOTFOUND, "IDN-05 %s %.20r: %.60s" % (name, key, reply))


def refusal(tap, w):
    text = "4.7.4 TLS is required, but was not offered by host mx.%s[192.0.2.1]"
    w.ask("enforced", "no-record.test")
    tap.equal(w.ask("refusal", text % "no-record.test"),
              "OK 5.7.10 Sender domain requires TLS: its mail is sent encrypted or not at all (mode enforced), but the receiving "
              "host mx.no-record.test[192.0.2.1] does not offer encryption (STARTTLS)",
              "refusal: the sender's mode alone")
    for domain in ("good.test", "dane.test"):
        w.ask("enforced", domain)
        tap.equal(w.ask("refusal", text % domain), NOTFOUND, "refusal: what %s publishes stays temporary" % domain)
    w.ask("opportunistic", "testing.test")
    tap.equal(w.ask("refusal", text % "testing.test"), NOTFOUND, "refusal: no strict answer was given")
    w.ask("verified", "testing.test")
    tap.ok(w.ask("refusal", text % "testing.test").startswith("OK 5.7.10 "), "refusal: now one was")


def pipelining(tap, w):
    keys = ["good.test", "no-record.test", "[192.0.2.1]", "dane.test", "cold%d.test", "b\u00fccher.test"]
    with connect(w) as s:
        wire = b"".join(frame(b"enforced " + (key % i if "%" in key else key).encode()) for i in range(167) for key in keys)
        threading.Thread(target=lambda: (s.sendall(wire), s.shutdown(socket.SHUT_WR)), daemon=True).start()
        got = replies(s)
    want = [GOOD, "OK encrypt protocols=>=TLSv1.2", "OK encrypt protocols=>=TLSv1.2", "OK dane-only protocols=>=TLSv1.2",
            "OK encrypt protocols=>=TLSv1.2", IDN] * 167
    tap.equal(got, want, "SM-01 %d pipelined requests, hits and cold names mixed, in order" % len(want))


def postmap(w, key, name):
    """What Postfix's own client makes of it: (answer or None, complaint). Its exit status alone cannot tell TEMP from not found."""
    done = subprocess.run(["postmap", "-q", key, "socketmap:%s:%s" % (w.daemons.where, name)], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    return (done.stdout.rstrip("\n") if done.returncode == 0 else None), done.stderr.strip()


def postfix(tap, w):
    tap.equal(postmap(w, "good.test", "opportunistic"), (GOOD[3:], ""), "SM-09 postmap takes the reply")
    tap.equal(postmap(w, "no-record.test", "opportunistic"), (None, ""), "SM-09 postmap: not found, without complaint")
    answer, complaint = postmap(w, "", "enforced")
    tap.ok(answer is None and complaint, "SM-03 postmap: TEMP is an error", complaint)
    many, complaint = postmap(w, "many-mx.test", "opportunistic")
    tap.ok(many and len(many) > 30000, "SM-04 postmap takes a long reply", "%.80r" % many, complaint, w.ask("explain", "many-mx.test"))
    for _ in range(3):
        w.daemons.mapd.stop()
        w.daemons.start_mapd()
        tap.equal(postmap(w, "good.test", "opportunistic"), (GOOD[3:], ""), "SM-06 after a restart of the daemon")


def test(tap):
    with World("e2e-socketmap") as w:
        destinations(w)
        w.start(milter=False)
        vectors(tap, w)
        variants(tap, w)
        refusal(tap, w)
        pipelining(tap, w)
        postfix(tap, w)
        wait_for("no request waiting", lambda: json.loads(w.ask("status", "all")[3:])["counters"]["requests_waiting"] == 0)
        tap.equal(w.daemons.mapd.stop(), 0, "a clean end")


main(test)
