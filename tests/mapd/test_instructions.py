#!/usr/bin/python3
"""Instructions per cached answer, counted by callgrind over a fixed replay: a tenth more than the baseline is a regression.

The count is the whole turn of a connection: read, netstring, map, cache, reply, write, as tlsmode-mapd really does it, libevent's loop
left out. It depends on the compiler and on libc, so tests/mapd/instructions.baseline has a line for each pair: compiler, libc, count.
"""
import os
import re
import shutil
import signal
import subprocess
import sys

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from mapd_room import MAPD, Room, main, request, wait_for  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
BASELINE = os.path.join(HERE, "instructions.baseline")
REPLAY = 20000
KEYS = 200
MORE = 1.10


def built_with():
    """What the count depends on: "GCC 12.2.0 libc 2.36"."""
    comment = subprocess.run(["readelf", "-p", ".comment", MAPD], stdout=subprocess.PIPE, text=True).stdout
    compiler = re.search(r"GCC: \([^)]*\) (\S+)", comment)
    clang = re.search(r"clang version (\S+)", comment)
    libc = os.confstr("CS_GNU_LIBC_VERSION").split()[1]
    return "%s libc %s" % ("clang " + clang[1] if clang else "GCC " + compiler[1] if compiler else "?", libc)


def why_not():
    """Why nothing can be counted here, or None."""
    if not shutil.which("valgrind"):
        return "valgrind is not installed"
    symbols = subprocess.run(["nm", "-D", MAPD], stdout=subprocess.PIPE, text=True).stdout
    if re.search(r" __(asan|tsan)_init", symbols + subprocess.run(["nm", MAPD], stdout=subprocess.PIPE, text=True).stdout):
        return "built with a sanitizer"
    return None


def replay(client, count):
    questions = [request("enforced", "[192.0.2.%d]" % (i % KEYS)) for i in range(count)]
    for question in questions:
        client.socket.sendall(question)
        client.reply()


def instructions_per_answer():
    """A float; the program runs under callgrind for this."""
    with Room() as room:
        out = room.path("callgrind.out")
        room.start("valgrind", "--tool=callgrind", "--callgrind-out-file=" + out, "--toggle-collect=client_read_turn",
                   log={"level": "warn"})
        room.live()
        client = room.client()
        replay(client, 2 * KEYS)
        subprocess.run(["callgrind_control", "-z", str(room.mapd.pid)], stdout=subprocess.DEVNULL, check=True)
        replay(client, REPLAY)
        client.close()
        room.stop(signal.SIGTERM, 60)
        wait_for("callgrind's count", lambda: os.path.exists(out))
        with open(out) as f:
            return int(re.search(r"^totals: (\d+)", f.read(), re.M)[1]) / REPLAY


def baselines():
    with open(BASELINE) as f:
        lines = [line.rsplit(None, 1) for line in f if line.strip() and not line.startswith("#")]
    return {what: int(count) for what, count in lines}


def test(tap):
    reason = why_not()
    if reason:
        tap.skip("instructions per cached answer", reason)
        return
    count, what = instructions_per_answer(), built_with()
    base = baselines().get(what)
    tap.note("measured: %.0f instructions per cached answer (%s)" % (count, what))
    if base is None:
        tap.skip("instructions per cached answer", "%.0f; no baseline for %s in tests/mapd/instructions.baseline" % (count, what))
        return
    tap.ok(count <= base * MORE, "instructions per cached answer: no more than a tenth above the baseline", "%.0f, baseline %d" % (count, base))


if __name__ == "__main__":
    main(test)
