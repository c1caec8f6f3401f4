"""Many nodes on one Redis: a setting written once, what a fact that one node writes costs, and a full reading by all of them

Real tlsmode-mapd, up to eight. Where only Redis is measured, clients that track as a node does and throw everything away stand for
hundreds of nodes. doc/scaling.md reads these figures.
"""
import json
import statistics
import threading
import time

from world.node import Node
from world.waiting import wait_for

from .domains import fill_policies, fill_settings, later, run
from .settings import percentile
from .tracking import Meter, Paper, used_memory

COUNTS = (1, 2, 4, 8)
PAPER = (0, 100, 300, 1000)


def status(node):
    return json.loads(node.ask("status", "all")[3:])


def is_live(node, count, reloads=0):
    s = status(node)
    return s["settings"]["state"] == "live" and s["counters"]["settings"] == count and s["counters"]["settings_reloads"] >= reloads


class Town:
    """Nodes on one Redis with COUNT settings."""

    def __init__(self, bench, count):
        self.bench, self.count = bench, count
        self.redis = bench.redis()
        fill_settings(self.redis, count)
        self.daemons = bench.configured(self.redis)
        self.nodes = []

    def grow(self, many):
        new = [Node(self.daemons, i + 1) for i in range(len(self.nodes), many)]
        for node in new:
            node.begin()
            self.bench.programs.append(node.program)
        for node in new:
            node.await_answer()
            wait_for("all settings at " + node.name, lambda: is_live(node, self.count), 60)
        self.nodes += new


# ---- a setting ----

def delay_ms(clients, write, number):
    """Sets the other mode of a sender; milliseconds until the last of CLIENTS says so."""
    key, mode = "s%07d.bench.test" % number, "verified"
    if "verified" in clients[0].ask("transport", "x@" + key):
        mode = "enforced"
    want, waiting = "OK smtp-%s:" % mode, list(clients)
    began = time.perf_counter()
    write("HSET", "tlsmode:sender:" + key, "mode", mode)
    while waiting:
        waiting = [c for c in waiting if c.ask("transport", "x@" + key) != want]
        if time.perf_counter() - began > 5:
            raise RuntimeError("the setting of %s never came" % key)
    return (time.perf_counter() - began) * 1000


def settings_written(town, turns):
    bench, write = town.bench, town.redis.connect()
    for many in COUNTS:
        town.grow(many)
        clients = [n.client() for n in town.nodes]
        meter = Meter(town.redis)
        delays = [delay_ms(clients, write, i * 997 % town.count) for i in range(turns)]
        calls, sent, cpu = meter.since()
        last = many == COUNTS[-1]
        bench.row("a setting written once, in force on %d node%s" % (many, "s" * (many > 1)), "p99 <= 50 ms" if last else "stated",
                  percentile(delays, 0.99), "p50 %.2f ms, p99 %.2f, max %.2f; Redis: %.1f HGETALL, %.1f PTTL, %.0f octets out, %.0f us" % (
                      statistics.median(delays), percentile(delays, 0.99), max(delays), calls.get("hgetall", 0) / turns,
                      calls.get("pttl", 0) / turns, sent / turns, cpu * 1e6 / turns), at_most=50 if last else None)


def at_rest(town, seconds):
    """What nodes that nobody asks say to Redis: they look whether it is there."""
    meter = Meter(town.redis)
    time.sleep(seconds)
    calls, sent, cpu = meter.since()
    many = len(town.nodes)
    town.bench.row("at rest, commands of a node and second", "stated", None, "%.2f (%s), %.0f octets sent, Redis %.0f us" % (
        sum(calls.values()) / many / seconds, ", ".join(sorted(calls)), sent / many / seconds, cpu * 1e6 / many / seconds))


# ---- full readings ----

class Probe(threading.Thread):
    """Reads a fact over and over, as a look-up elsewhere would; how long Redis took."""

    def __init__(self, redis):
        super().__init__(daemon=True)
        self.client, self.ended, self.ms = redis.connect(), False, []
        self.start()

    def run(self):
        while not self.ended:
            began = time.perf_counter()
            self.client("HGETALL", "tlsmode:dane:nobody.bench.test")
            self.ms.append((time.perf_counter() - began) * 1000)
            time.sleep(0.002)

    def end(self):
        self.ended = True
        self.join()
        return self.ms


def cut_off(client, many):
    """Closes the invalidation connections of MANY nodes at once."""
    lines = client("CLIENT", "LIST", "TYPE", "pubsub").splitlines()
    client("MULTI")
    for line in lines[:many]:
        client("CLIENT", "KILL", "ID", line.split()[0].partition("=")[2])
    client("EXEC")


def reading(town, many):
    """MANY nodes lose their connections at once and read everything anew."""
    client = town.redis.connect()
    before = sum(status(n)["counters"]["settings_reloads"] for n in town.nodes)
    probe, meter = Probe(town.redis), Meter(town.redis)
    began = time.monotonic()
    cut_off(client, many)

    def done():
        return (sum(status(n)["counters"]["settings_reloads"] for n in town.nodes) == before + many and
                all(is_live(n, town.count) for n in town.nodes))
    wait_for("all settings anew", done, 300, 0.05)
    took = time.monotonic() - began
    calls, sent, cpu = meter.since()
    calls["hgetall"] -= len(probe.ms)
    ms = probe.end()
    keys = town.count * many
    town.bench.row("%d node%s at once read all %d settings anew" % (many, "s" * (many > 1), town.count), "stated", took,
                   "%.1f s; of a key and node: %.2f commands, Redis %.2f us, %.0f octets; another's look-up: p50 %.2f ms, p99 %.1f, "
                   "max %.0f" % (took, sum(calls.values()) / keys, cpu * 1e6 / keys, sent / keys, statistics.median(ms), percentile(ms, 0.99),
                      max(ms)))


MASS = """
for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  redis.call('HSET', string.format('tlsmode:sender:s%07d.bench.test', i), 'mode', ARGV[3])
end
"""


def mass_change(town, piece, mode):
    """All settings change, PIECE of them in each script: how much waits in Redis for a node, and whether Redis cuts it off."""
    client, settings = town.redis.connect(), town.count
    before = [status(n)["counters"] for n in town.nodes]
    last = "x@s%07d.bench.test" % (settings - 1)
    began = time.monotonic()
    for first in range(0, settings, piece):
        client("EVAL", MASS, 0, first, min(first + piece, settings) - 1, mode)
    wait_for("the last setting everywhere",
             lambda: all(n.ask("transport", last) == "OK smtp-%s:" % mode for n in town.nodes), 120, 0.005)
    took = time.monotonic() - began
    wait_for("all settings", lambda: all(is_live(n, settings) for n in town.nodes), 120)
    again = sum(status(n)["counters"]["settings_reloads"] - b["settings_reloads"] for n, b in zip(town.nodes, before))
    town.bench.row("%d settings change on %d nodes, %d in a script" % (settings, len(town.nodes), piece), "stated", took,
                   "%.1f s until the last is in force everywhere; nodes that Redis cut off: %d" % (took, again))


# ---- facts ----

FACT = ("mx", "secure", "kind", "records", "until", "1900000000", "truncated", "0", "hosts", "mx.%s none 1900000000 -")
POLICY = ("txt", "record", "txt_id", "1", "txt_until", "1900000000", "mode", "enforce", "max_age", "604800", "mx", "mx.%s",
          "id", "1", "fetched_at", "1700000000")


def write_fact(client, domain):
    """As io/fact_store writes the facts of MX and TLSA, which nobody is told of."""
    key = "tlsmode:dane:" + domain
    for words in (("MULTI",), ("DEL", key), ("HSET", key) + FACT[:-1] + (FACT[-1] % domain,), ("EXPIRE", key, 3600), ("EXEC",)):
        client(*words)


def write_policy(client, domain):
    """And a policy."""
    key = "tlsmode:sts:" + domain
    for words in (("MULTI",), ("DEL", key), ("HSET", key) + tuple(w % domain if "%" in w else w for w in POLICY),
                  ("EXPIRE", key, 604800), ("EXEC",)):
        client(*words)


def facts_written(bench, redis, many, kind, turns, what="policy", write=write_policy):
    """WHAT is written, and MANY others are told, or would be."""
    client = redis.connect()
    meter = Meter(redis)
    for i in range(turns):
        write(client, "f%07d.bench.test" % i)
    time.sleep(0.2)  # what is on its way
    calls, sent, cpu = meter.since()
    bench.row("a %s written, %d %s" % (what, many, kind), "stated", cpu * 1e6 / turns,
              "Redis %.0f us, %.0f octets sent; commands: %s" % (cpu * 1e6 / turns, sent / turns, ", ".join(
                  "%s %.1f" % (n, c / turns) for n, c in sorted(calls.items()) if c > turns / 50)))


MX = """
for i = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  local d = string.format('d%07d.bench.test', i)
  redis.call('HSET', 'tlsmode:dane:' .. d, 'mx', 'secure', 'kind', 'records', 'until', ARGV[3], 'truncated', '0',
    'hosts', 'mx1.' .. d .. ' none ' .. ARGV[3] .. ' -,mx2.' .. d .. ' none ' .. ARGV[3] .. ' -')
  redis.call('EXPIRE', 'tlsmode:dane:' .. d, 80000)
end
"""


def per_domain(bench, count):
    """Memory in Redis of what stands there."""
    redis = bench.redis()
    used = [used_memory(redis)]
    for more in (lambda: fill_settings(redis, count), lambda: run(redis, MX, count, later()),
                 lambda: fill_policies(redis, count, "mx.bench.test")):
        more()
        used.append(used_memory(redis))
    setting, facts, policy = ((b - a) / count for a, b in zip(used, used[1:]))
    bench.row("memory of Redis for a setting", "stated", setting, "%.0f octets" % setting)
    bench.row("memory of Redis for a domain with two MX hosts", "stated", facts, "%.0f octets" % facts)
    bench.row("memory of Redis for its MTA-STS policy, if it has one", "stated", policy, "%.0f octets" % policy)


def measure(bench):
    count, turns = (10000, 100) if bench.quick else (100000, 400)
    town = Town(bench, count)
    settings_written(town, turns)
    at_rest(town, 2 if bench.quick else 5)
    for many in (1, 8):
        for _ in range(1 if bench.quick else 3):
            reading(town, many)
    mass_change(town, 1000, "verified")
    mass_change(town, count, "enforced")
    for what in (("policy", write_policy), ("fact of MX and TLSA", write_fact)):
        facts_written(bench, town.redis, len(town.nodes), "nodes", turns, *what)
    bench.clear()
    redis = bench.redis()
    for many in PAPER:
        before = used_memory(redis)
        paper = Paper(redis, many)
        if many == PAPER[-1]:
            each = (used_memory(redis) - before) / many
            bench.row("memory of Redis for the two connections of a mirror", "stated", each, "%.0f octets" % each)
        for what in (("policy", write_policy), ("fact of MX and TLSA", write_fact)):
            facts_written(bench, redis, many, "clients", turns, *what)
        paper.end()
    per_domain(bench, count)
