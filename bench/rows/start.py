"""Start with a million settings in Redis and nothing else

From the start of the program: the first right answers (the keys of the sender that is asked for are read at once), and the complete
mirror.
"""
import json
import os
import time

from world.socketmap import Socketmap
from world.waiting import wait_for

from .domains import fill_settings

MILLION = 1000000


def first_answer(where, key, want, began):
    """Seconds until WHERE answers WANT; every other answer than TEMP is a fault."""
    while time.monotonic() - began < 60:
        try:
            client = Socketmap(where)
            while (reply := client.ask("transport", key)).startswith("TEMP"):
                time.sleep(0.002)
        except OSError:
            time.sleep(0.002)
            continue
        if reply != want:
            raise RuntimeError("%s: %r instead of %r" % (key, reply, want))
        return time.monotonic() - began
    raise RuntimeError("no answer for a minute")


def complete(where, count, began):
    client = Socketmap(where)
    while time.monotonic() - began < 120:
        status = json.loads(client.ask("status", "all")[3:])
        if status["settings"]["state"] == "live" and status["counters"]["settings"] == count:
            return time.monotonic() - began
        time.sleep(0.02)
    raise RuntimeError("the mirror was not complete after two minutes")


def start(bench, daemons):
    """Seconds to the first right answer and to the complete mirror."""
    began = time.monotonic()
    daemons.mapd = bench.start("mapd", [daemons.program("tlsmode-mapd"), "-f", "-c", daemons.write()])
    return (first_answer(daemons.where, "x@s%07d.bench.test" % (MILLION - 1), "OK smtp-enforced:", began),
            complete(daemons.where, MILLION, began))


def measure(bench):
    redis = bench.redis()
    fill_settings(redis, MILLION)
    snapshot = bench.space.path("state", "start")
    daemons = bench.configured(redis, {"settings": {"snapshot": snapshot}})
    first, whole = start(bench, daemons)
    bench.row("first right answer after the start, 1M settings", "<= 1 s", first, "%.2f s" % first, at_most=1)
    wait_for("the snapshot", lambda: os.path.exists(snapshot + ".mapd"), 60)
    daemons.mapd.stop(seconds=60)
    bench.row("first right answer with a snapshot of them", "reported", None, "%.2f s" % start(bench, daemons)[0])
    bench.row("complete mirror after the start, 1M settings", "<= 20 s", whole, "%.1f s" % whole, at_most=20)
