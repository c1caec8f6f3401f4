#!/usr/bin/env python3
"""src/io/dns/dns_ub.h without forwarder: from root hints through a private signed root, one server for each level, port 53.

Runs in a network namespace of its own, where loopback has all the addresses it needs; skipped where that is not permitted.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from probe import Probe  # noqa: E402
from signed_zones import SignedZones, Zone  # noqa: E402
from world.tap import Tap  # noqa: E402

INSIDE = "TLSMODE_TEST_INSIDE"
ROOT, TOP, LEAF, OTHER, NOBODY = ("127.1.0.%d" % n for n in range(1, 6))

ROWS = [
    ("MX good.test", "ok secure", "count=1 "),
    ("A mx.good.test", "ok secure", "count=1 "),
    ("AAAA mx.good.test", "nodata secure", ""),
    ("A nothing.good.test", "nxdomain secure", ""),
    ("A nothing.nowhere.test", "nxdomain secure", ""),
    ("A nothing.nowhere", "nxdomain secure", ""),
    ("TLSA _25._tcp.mx.good.test", "ok secure", "count=61 "),
    ("A alias.good.test", "ok insecure", r"canon=www\.plain\.test "),
    ("A www.plain.test", "ok insecure", ""),
    ("A nothing.plain.test", "nxdomain insecure", ""),
    ("A www.wrongds.test", "bogus insecure", 'why="[^"]+"'),
    ("A www.half.test", "ok secure", ""),
    ("A www.lost.test", "error insecure", 'why="[^"]+"'),
    ("A localhost", "ok insecure", "data=7f000001"),
]


def zones():
    www = ["www A 192.0.2.4"]
    return [
        Zone("good.test", ["@ MX 10 mx", "mx A 192.0.2.1", "alias CNAME www.plain.test."] + [
            "_25._tcp.mx TLSA 3 1 1 %064x" % n for n in range(61)], address=LEAF),
        Zone("plain.test", www, signed=False, ds=None, address=OTHER),
        Zone("wrongds.test", www, ds="wrong", address=OTHER),
        Zone("half.test", www + ["@ NS ns2", "ns2 A " + NOBODY], address=LEAF),
        Zone("lost.test", www, signed=False, ds=None, address=NOBODY),
        Zone("test", ["half NS ns2.half", "ns2.half A " + NOBODY], address=TOP),
        Zone("", [], address=ROOT),
    ]


def enter():
    """Runs this again in a network namespace; the reason when that is not possible."""
    if os.environ.get(INSIDE):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return None
    tried = subprocess.run(["unshare", "--net", "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
    if tried.returncode:
        return "no network namespace of its own (CAP_SYS_ADMIN): " + tried.stderr.strip()
    os.environ[INSIDE] = "1"
    os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])


def test_recursion(tap, folder):
    made = SignedZones(folder, zones())
    try:
        for address in (ROOT, TOP, LEAF, OTHER):
            made.serve(address, 53, [z for z in made.zones if z.address == address])
        hints = folder + "/root.hints"
        with open(hints, "w") as f:
            f.write(". 3600000 NS ns.\nns. 3600000 A %s\n" % ROOT)
        probe = Probe("dns_probe", "-a", made.anchor, "-r", hints, "-t", 8)
        for question, status, more in ROWS:
            line = probe.ask(question, re.escape(question) + " ")
            tap.ok(re.match("%s %s .*%s" % (re.escape(question), status, more), line), "from the root, %s: %s" % (question, status), line)
        status, errors = probe.end()
        tap.ok(status == 0 and not errors, "the probe ends cleanly", "exit %d" % status, errors)
    finally:
        made.stop()


def main():
    reason = enter()
    if reason:
        print("1..0 # SKIP " + reason)
        return
    tap = Tap()
    folder = tempfile.mkdtemp(prefix="tlsmode-root-")
    with tap:
        test_recursion(tap, folder)
    shutil.rmtree(folder, ignore_errors=True)
    sys.exit(tap.exit_status())


if __name__ == "__main__":
    main()
