"""Long answers: ratio to an echo that answers as many octets

`secure` with ten patterns on the plain map, and the TLSRPT form of it, about 400 octets each.
"""
from .domains import KEYS, fill, fill_policies
from .policy import show

HOT = 1000
PATTERNS = " ".join("mx%02d.mail-provider.bench.test" % i for i in range(10))
TLSRPT_PATTERNS = " ".join("mx%d.bench.test" % i for i in range(4))


def length(daemons, name):
    return len(daemons.client().ask(name, KEYS.replace("%", "0000001")))


def measure(bench):
    redis = bench.redis()
    for work, name, patterns in (("secure with 10 patterns", "opportunistic", PATTERNS), ("-tlsrpt", "opportunistic-tlsrpt", TLSRPT_PATTERNS)):
        redis.cli("FLUSHALL")
        fill(redis, HOT)
        fill_policies(redis, HOT, patterns)
        daemons, place = bench.daemons(redis)
        options = ("-m", name, "-f", KEYS, "-k", HOT, "-c", 50)
        bench.load(place, *options, "-n", HOT * 4)
        octets = length(daemons, name)
        echo, echo_place = bench.echo(length=octets)
        show(bench, "%s, %d octets, 50 connections" % (work, octets), 0.75, bench.turns({
            "echo": (echo, echo_place, options), "mapd": (daemons.mapd, place, options)}))
        daemons.mapd.stop()
