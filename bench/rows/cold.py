"""Cold domains, six validated lookups each, every zone with keys of its own: ratio to libunbound alone

The same domains for all arms within a turn, in changing order: libunbound alone (bench_cold_unbound) and tlsmode-mapd, each with one
validating thread, then with two (dns.threads). No arm has seen them before: bench_cold_unbound is started anew, each mapd keeps its
facts under a prefix of its own. Beside them knotd runs on the same cores, and for mapd the load and Redis.
"""
import json
import statistics
import subprocess

from .bench import cpu_seconds
from .own_zones import OwnZones

TURNS = 11
DOMAINS = 600  # in a turn
AT_ONCE = 100
THREADS = (1, 2)


class Arms:
    """One measuring of each kind: threads and the number of the first domain -> {per_s, cpu_ms of the process per domain}."""

    def __init__(self, bench, zones):
        self.bench, self.zones = bench, zones
        socket = bench.space.path("redis.sock")  # as in the sample configuration
        self.redis = bench.redis("unixsocket %s\n" % socket)
        self.redis.where = "unix:" + socket
        self.mapd = {threads: self.start_mapd(threads) for threads in THREADS}

    def start_mapd(self, threads):
        space, dns = self.bench.space, {"forward": [self.zones.where], "trust_anchor": self.zones.anchor, "threads": threads}
        return self.bench.daemons(self.redis, {
            "redis": {"prefix": "cold%d:" % threads}, "settings": {"snapshot": space.path("state", "cold%d" % threads)},
            "mapd": {"listen": ["unix:" + space.path("cold%d.sock" % threads)]}}, dns)

    def alone(self, threads, first):
        words = ["-f", self.zones.where, "-a", self.zones.anchor, "-c", AT_ONCE, "-k", DOMAINS, "-o", first, "-j", threads]
        out = subprocess.run([self.bench.tool("bench_cold_unbound"), *map(str, words)], stdout=subprocess.PIPE, check=True, text=True)
        result = json.loads(out.stdout)
        if result["unsound"]:
            raise RuntimeError("%d answers were not validated" % result["unsound"])
        return {"per_s": result["per_s"], "cpu_ms": result["cpu_s"] * 1e3 / DOMAINS}

    def through_mapd(self, threads, first):
        daemons, place = self.mapd[threads]
        before = cpu_seconds(daemons.mapd.pid)
        result = self.bench.load(place, "-m", "enforced", "-f", self.zones.FORMAT, "-c", AT_ONCE, "-k", DOMAINS, "-n", DOMAINS, "-o", first)
        cpu = cpu_seconds(daemons.mapd.pid) - before
        if result["ok"] != DOMAINS:
            raise RuntimeError("not all of %d answers were OK: %s" % (DOMAINS, result))
        return {"per_s": result["per_s"], "cpu_ms": cpu * 1e3 / DOMAINS}


def turns(arms):
    kinds = [(what, threads) for threads in THREADS for what in (arms.alone, arms.through_mapd)]
    measured = {(what.__name__, threads): [] for what, threads in kinds}
    for turn in range(TURNS):
        for what, threads in kinds[turn % len(kinds):] + kinds[:turn % len(kinds)]:
            measured[what.__name__, threads].append(what(threads, turn * DOMAINS))
    return measured


def figures(measured, arm):
    return "%.0f/s, %.2f ms of processor each" % tuple(statistics.median(m[what] for m in measured[arm]) for what in ("per_s", "cpu_ms"))


def show(bench, measured):
    for threads, goal in ((1, 0.90), (2, None)):
        arm, base = ("through_mapd", threads), ("alone", threads)
        ratio = bench.ratio(measured, arm, base, "per_s")
        bench.row("cold domains, dns.threads = %d" % threads, ">= %.2f" % goal if goal else "reported", ratio, "%.2f   %s; libunbound alone %s" % (
            ratio, figures(measured, arm), figures(measured, base)), at_least=goal)
    for name, text in (("through_mapd", "mapd"), ("alone", "libunbound alone")):
        ratio = bench.ratio(measured, (name, 2), (name, 1), "per_s")
        bench.row("two threads against one, " + text, "reported", ratio, "%.2f" % ratio)
    cost = bench.ratio(measured, ("through_mapd", 1), ("alone", 1), "cpu_ms")
    bench.row("processor time a cold domain, mapd", "reported", cost, "%.2f of libunbound alone" % cost)


def measure(bench):
    zones = OwnZones(bench.space, TURNS * DOMAINS)
    try:
        before = cpu_seconds(zones.program.pid)
        measured = turns(Arms(bench, zones))
        cpu = (cpu_seconds(zones.program.pid) - before) * 1e3 / (TURNS * DOMAINS * 2 * len(THREADS))
        show(bench, measured)
        bench.note("knotd: %.2f ms of processor a domain" % cpu)
    finally:
        bench.clear()
        zones.remove()
