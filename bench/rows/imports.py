"""Settings are written by the million while tlsmode-mapd runs: memory afterwards, and a change of something else meanwhile

Redis announces every key of the import. The one change is written on another connection and is asked for until it is in force.
"""
import json
import statistics
import threading
import time

from world.waiting import wait_for

from .bench import rss_mb
from .domains import fill_settings
from .settings import counter, percentile

MILLION = 1000000
OTHER = "tlsmode:sender:other.bench.test"


class Import(threading.Thread):
    def __init__(self, redis, count):
        super().__init__(daemon=True)
        self.redis, self.count, self.ended = redis, count, None

    def run(self):
        fill_settings(self.redis, self.count)
        self.ended = time.monotonic()


def change(client, write, mode):
    """Seconds until the other sender's new mode is in force."""
    began = time.monotonic()
    write("HSET", OTHER, "mode", mode)
    while mode not in client.ask("transport", "x@other.bench.test"):
        if time.monotonic() - began > 120:
            raise RuntimeError("the other setting never came")
        time.sleep(0.001)
    return time.monotonic() - began


def measure(bench):
    count = MILLION // 10 if bench.quick else MILLION
    redis = bench.redis()
    daemons, _ = bench.daemons(redis)
    client, write, delays, peak = daemons.client(), redis.connect(), [], 0
    wait_for("the settings", lambda: json.loads(client.ask("status", "all")[3:])["settings"]["state"] == "live", 30)
    empty, load, began = rss_mb(daemons.mapd.pid), Import(redis, count), time.monotonic()
    load.start()
    while load.is_alive() or counter(daemons, "settings") < count + 1:
        delays.append(change(client, write, "verified" if len(delays) % 2 else "enforced"))
        peak = max(peak, rss_mb(daemons.mapd.pid))
    wait_for("the mirror", lambda: json.loads(client.ask("status", "all")[3:])["settings"]["state"] == "live", 120)
    complete = time.monotonic()
    time.sleep(7)  # the snapshot, and what is freed beside the loop
    after = rss_mb(daemons.mapd.pid)
    reloads = counter(daemons, "settings_reloads")
    daemons.mapd.stop()
    daemons.start_mapd()
    bench.programs.append(daemons.mapd)
    wait_for("the settings", lambda: counter(daemons, "settings") == count + 1, 120)
    time.sleep(7)
    fresh = rss_mb(daemons.mapd.pid)
    bench.note("%d settings written in %.1f s, all in force after %.1f s, %s full readings" % (
        count, load.ended - began, complete - began, reloads))
    bench.row("memory after the import of %d settings, by that after a start with them" % count, "<= 1.2", after / fresh,
              "%.0f MB (empty %.0f, most %.0f, after a start %.0f)" % (after, empty, peak, fresh), at_most=1.2)
    bench.row("another change meanwhile, until it is in force", "stated", None, "p50 %.2f s, p99 %.2f s, max %.2f s of %d" % (
        statistics.median(delays), percentile(delays, 0.99), max(delays), len(delays)))
