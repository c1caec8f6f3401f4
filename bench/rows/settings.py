"""A setting is written: how long until the first answer that knows it

redis-cli HSET's command on a connection of its own; then the same connection to tlsmode-mapd asks until the answer is the new one.
"""
import json
import statistics
import time

from world.waiting import wait_for

from .domains import fill_settings

MILLION = 1000000


def counter(daemons, name):
    return json.loads(daemons.client().ask("status", "all")[3:])["counters"][name]


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def delay_ms(client, write, number):
    """Sets the other mode of a sender; milliseconds from the write to the first answer that says so."""
    key, mode = "s%07d.bench.test" % number, "verified"
    before = client.ask("transport", "x@" + key)
    if "verified" in before:
        mode = "enforced"
    began = time.perf_counter()
    write("HSET", "tlsmode:sender:" + key, "mode", mode)
    while client.ask("transport", "x@" + key) == before:
        if time.perf_counter() - began > 5:
            raise RuntimeError("the setting of %s never came" % key)
    return (time.perf_counter() - began) * 1000


def measure(bench):
    count = MILLION // 10 if bench.quick else MILLION
    redis = bench.redis()
    fill_settings(redis, count)
    daemons, _ = bench.daemons(redis)
    wait_for("the settings", lambda: counter(daemons, "settings") == count, 60)
    client, write = daemons.client(), redis.connect()
    delays = [delay_ms(client, write, i * 997 % count) for i in range(200 if bench.quick else 1000)]
    p99 = percentile(delays, 0.99)
    bench.row("from the write to the first new answer, %d settings" % count, "p99 <= 10 ms", p99, "%.2f ms (p50 %.2f, max %.2f)" % (
        p99, statistics.median(delays), max(delays)), at_most=10)
