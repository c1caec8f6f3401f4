"""A million domains with their answers, a million settings: resident memory, and answers drawn from all of them

Facts of the domains come from Redis, as from another node. Resident memory counts everything the process holds: settings, answers,
and the facts that answers are decided anew from when a setting changes.
"""
import json

from world.waiting import wait_for

from .bench import rss_mb
from .domains import KEYS, fill, fill_settings
from .policy import show

MILLION = 1000000
UNIFORM = (("50 connections", 0.80, ("-c", 50)), ("500 connections", 0.72, ("-c", 500)),
           ("50 connections x 16 pipelined", 0.35, ("-c", 50, "-p", 16)))


def status(daemons):
    return json.loads(daemons.client().ask("status", "all")[3:])


def counter(daemons, name):
    return status(daemons)["counters"][name]


def ask_all(bench, place, count, mode):
    """Asks for every domain once, and again where a busy machine let Redis answer too late: errors live for five seconds."""
    for _ in range(10):
        result = bench.load(place, "-m", mode, "-f", KEYS, "-k", count, "-n", count, "-c", 100)
        if not result["temp"] and not result["other"]:
            return result
    raise RuntimeError("not all domains were answered: %r" % result)


def measure(bench):
    count = MILLION // 10 if bench.quick else MILLION
    redis = bench.redis()
    fill(redis, count)
    fill_settings(redis, count)
    daemons, place = bench.daemons(redis)
    pid = daemons.mapd.pid
    wait_for("the settings", lambda: counter(daemons, "settings") == count, 60)
    settings = rss_mb(pid)
    first = ask_all(bench, place, count, "enforced")
    one = rss_mb(pid)
    bench.note("%d domains found in Redis and answered in %.0f s (%.0f/s)" % (count, first["seconds"], first["per_s"]))
    rates(bench, daemons, place, count)
    for mode in ("opportunistic", "verified"):
        ask_all(bench, place, count, mode)
    three = rss_mb(pid)
    facts = counter(daemons, "facts_bytes")
    bench.row("%d domains, one answer each, as many settings" % count, "<= 300 MB RSS", one,
              "%.0f MB: program and settings %.0f, answers and facts %.0f" % (one, settings, one - settings), at_most=300, settings_mb=settings)
    bench.row("%d domains, all three modes, as many settings" % count, "<= 600 MB RSS", three, "%.0f MB" % three, at_most=600)
    bench.row("facts beside the answers, of a domain", "stated", facts / count, "%.0f octets" % (facts / count))


def rates(bench, daemons, place, count):
    echo, echo_place = bench.echo()
    for work, goal, options in UNIFORM:
        options = ("-m", "enforced", "-f", KEYS, "-k", count, "-d", "uniform", *options)
        show(bench, "1M keys uniformly, " + work, goal, bench.turns({
            "echo": (echo, echo_place, options), "mapd": (daemons.mapd, place, options)}, rounds=5))
