"""Cached answers, as fast as they come: ratio to a bare echo asked in turn

A hit is bytes in, table, bytes out: 1,000 keys that are always hot, on 1, 50 and 500 connections; pipelined; over TCP.
"""
from world.space import free_port

from .domains import KEYS, fill

HOT = 1000
# work, goal, options of bench_load
UNIX = (
    ("1 connection", 0.90, ("-c", 1)),
    ("50 connections", 0.88, ("-c", 50)),
    ("500 connections", 0.85, ("-c", 500)),
    ("50 connections x 16 pipelined", 0.60, ("-c", 50, "-p", 16)),
)
LATENCY = 1.5


def show(bench, work, goal, measured):
    ratio = bench.ratio(measured, "mapd", "echo", "per_s")
    bench.row(work, ">= %.2f" % goal, ratio, "%.2f   %.0f/s of %.0f/s, server %.2f us an answer (echo %.2f)" % (
        ratio, bench.median(measured, "mapd", "per_s"), bench.median(measured, "echo", "per_s"),
        bench.median(measured, "mapd", "cpu_us"), bench.median(measured, "echo", "cpu_us")), at_least=goal,
        per_s=bench.median(measured, "mapd", "per_s"), echo_per_s=bench.median(measured, "echo", "per_s"),
        p99_us=bench.median(measured, "mapd", "p99_us"), echo_p99_us=bench.median(measured, "echo", "p99_us"),
        cpu_us=bench.median(measured, "mapd", "cpu_us"))


def show_latency(bench, measured):
    for what in ("p50_us", "p99_us"):
        ratio = bench.ratio(measured, "mapd", "echo", what)
        bench.row("%s at 50 connections" % what[:3], "<= %.1f x echo" % LATENCY, ratio, "%.2f   %.0f us, echo %.0f us" % (
            ratio, bench.median(measured, "mapd", what), bench.median(measured, "echo", what)), at_most=LATENCY)
    bench.row("p99.9 at 50 connections", "reported", None, "%.0f us, echo %.0f us" % (
        bench.median(measured, "mapd", "p999_us"), bench.median(measured, "echo", "p999_us")))


def measure(bench):
    redis = bench.redis()
    port = free_port("127.0.0.1")
    daemons, place = bench.daemons(redis, {"mapd": {"listen": ["unix:" + bench.space.path("map.sock"), "inet:127.0.0.1:%d" % port]}})
    tcp = "127.0.0.1:%d" % port
    echo, echo_place = bench.echo()
    hot = hot_keys(bench, redis, place)
    for work, goal, options in UNIX:
        measured = bench.turns({"echo": (echo, echo_place, (*hot, *options)), "mapd": (daemons.mapd, place, (*hot, *options))})
        show(bench, "1,000 hot keys, " + work, goal, measured)
        if work == "50 connections":
            show_latency(bench, measured)
    echo_tcp, echo_tcp_place = bench.echo("127.0.0.1:%d" % free_port("127.0.0.1"))
    options = (*hot, "-c", 50)
    show(bench, "1,000 hot keys over TCP, 50 connections", 0.80, bench.turns({
        "echo": (echo_tcp, echo_tcp_place, options), "mapd": (daemons.mapd, tcp, options)}))


def hot_keys(bench, redis, place):
    fill(redis, HOT)
    options = ("-m", "enforced", "-f", KEYS, "-k", HOT)
    bench.load(place, *options, "-n", HOT * 4, "-c", 8)
    return options
