"""A storm of cold domains and dripping policy hosts: what those who ask for cached answers notice

Hits at an even pace of 10,000 a second, while 2,000 cold domains a second are offered (signed zones of their own, more than can be
validated) and 200 policy hosts send an octet a second. The echo is asked at the same pace at the same time. The excess of cold domains
must be answered TEMP, at once, and those who ask later must be served like those who asked first.
"""
import json
import os
import statistics

from world import certs
from world.policy_host import PolicyHost, write_host

from .domains import KEYS, fill
from .own_zones import OwnZones

PACE, COLD_PACE, SECONDS = 10000, 2000, 4
TURNS = 3
DRIPPING = 200
POLICY_HOST = ("127.0.1.1", 443)
TIMES = 3


class Drips(OwnZones):
    """Besides: dripNNN.test, unsigned domains in "test." whose policy host drips."""

    def delegation(self, name):
        return super().delegation(name) + (DRIPS if name == self.names[0] else "")


DRIPS = "".join("drip%03d MX 10 mx.drip%03d\nmx.drip%03d A 192.0.2.9\n_mta-sts.drip%03d TXT \"v=STSv1; id=1;\"\nmta-sts.drip%03d A %s\n" % (
    (i,) * 5 + (POLICY_HOST[0],)) for i in range(DRIPPING))


def drip(bench):
    """The policy host: (server, its CA's file)."""
    folder = os.path.dirname(bench.space.path("policies", "x"))
    ca = certs.CA(os.path.dirname(bench.space.path("ca", "x")), name="Bench CA")
    pair = ca.issue("drip", dns=["mta-sts.drip%03d.test" % i for i in range(DRIPPING)])
    write_host(folder, "_default", cert=pair.cert, key=pair.key, send="drip", pause=1)
    for i in range(DRIPPING):
        write_host(folder, "mta-sts.drip%03d.test" % i, cert=pair.cert, key=pair.key, send="drip", pause=1)
    server = PolicyHost(POLICY_HOST, folder, bench.space.path("policy.jsonl"))
    server.start()
    return server, ca.cert


def weather(bench, redis, zones, ca):
    """One storm: what the hits, the echo, and the first and second half of the cold ones saw."""
    redis.cli("FLUSHALL")
    fill(redis, 1000)
    daemons, place = bench.daemons(redis, {"sts": {"ca_file": ca}}, {"forward": [zones.where], "trust_anchor": zones.anchor})
    _, echo = bench.echo()
    hot = ("-m", "enforced", "-f", KEYS, "-k", 1000)
    bench.load(place, *hot, "-n", 4000, "-c", 8)
    half = COLD_PACE * SECONDS // 2
    askers = [daemons.client() for _ in range(DRIPPING)]
    for i, client in enumerate(askers):
        client.send("opportunistic", "drip%03d.test" % i)
    hits, echoes = (bench.begin_load(p, *hot, "-c", 50, "-r", PACE, "-s", SECONDS) for p in (place, echo))
    cold = []
    for first in (0, half):
        cold.append(bench.load(place, "-m", "enforced", "-f", zones.FORMAT, "-c", 4000, "-r", COLD_PACE, "-n", half, "-k", half, "-o", first))
    seen = hits.result(), echoes.result(), cold
    for client in askers:
        client.close()
    counters = json.loads(daemons.client().ask("status", "all")[3:])["counters"]
    daemons.mapd.stop(seconds=60)
    return seen, counters


def measure(bench):
    zones = Drips(bench.space, COLD_PACE * SECONDS)
    server, ca = drip(bench)
    redis = bench.redis()
    ratios, temps, halves = [], [], []
    try:
        for _ in range(TURNS):
            (hits, echo, cold), counters = weather(bench, redis, zones, ca)
            ratios.append((hits["p99_us"] / echo["p99_us"], hits, echo))
            temps.append(sum(c["temp"] for c in cold))
            halves.append([c["ok"] for c in cold])
            if hits["temp"] or hits["other"]:
                raise RuntimeError("hits were not answered: %r" % hits)
    finally:
        server.stop()
        bench.clear()
        zones.remove()
    ratio, hits, echo = sorted(ratios, key=lambda r: r[0])[len(ratios) // 2]
    bench.row("p99 of 10,000 hits/s in the storm", "<= %d x echo" % TIMES, ratio, "%.2f   %.0f us, echo %.0f us; %.0f/s of %d/s answered" % (
        ratio, hits["p99_us"], echo["p99_us"], hits["per_s"], PACE), at_most=TIMES)
    offered = COLD_PACE * SECONDS
    bench.row("cold domains offered, answered, TEMP", "bounded", None, "%d, %d, %d (max_jobs %d)" % (
        offered, statistics.median(sum(h) for h in halves), statistics.median(temps), 2000))
    bench.row("answered of the first and of the second half", "fair", None, "%d and %d" % tuple(statistics.median(h[i] for h in halves) for i in (0, 1)))
