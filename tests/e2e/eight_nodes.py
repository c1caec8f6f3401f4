#!/usr/bin/python3
"""Eight nodes on one Redis: what all of them are asked for at once is fetched once, what one of them finds out the others know, what
is written once is in force on all.

Real tlsmode-mapd with the real adapters. Right answers are judged; times are measured and printed (bench/rows/nodes.py measures them
well, doc/scaling.md says what follows).
"""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world.node import Node, all_at_once
from world.tap import main
from world.waiting import wait_for
from world.world import World

NODES, ROUNDS, TOGETHER, WRITES = 8, 3, 12, 40
SECURE = "OK secure match=mx.%s servername=hostname protocols=>=TLSv1.2"
VERIFY = "OK verify match=hostname servername=hostname protocols=>=TLSv1.2"
MANY = "many.test"


def moved(domain):
    """The answer by the second policy of DOMAIN."""
    return SECURE.replace("mx.%s", "two.%s") % domain


def cold_names(turn):
    return ["d%d.%s" % (i, MANY) for i in range(turn * TOGETHER, (turn + 1) * TOGETHER)]


def publish_many(w):
    """The cold domains share a zone and a certificate, which is all that is cheap about them. Those of the last round are slow."""
    w.zone(MANY)
    names = [name for turn in range(ROUNDS + 1) for name in cold_names(turn)]  # the last are counted() one by one
    pair = w.pair("ca", *["mta-sts." + name for name in names])
    for name in names:
        slow = {"send": "drip", "pause": 0.005} if name in cold_names(ROUNDS - 1) else {}
        w.zones[MANY].set(name + ".", "MX", "10 mx.%s." % name)
        w.sts(name, cert=pair.cert, key=pair.key, **slow)


def spread(times):
    """Milliseconds from the first of TIMES to each."""
    return ["%.0f" % ((t - times[0]) * 1000) for t in times]


def wait_all(nodes, what, question, want, seconds=15):
    """Awaits that QUESTION(node) answers WANT on every node; when each did."""
    when = {}

    def everywhere():
        for node in nodes:
            if node not in when and question(node) == want:
                when[node] = time.monotonic()
        return len(when) == len(nodes)
    wait_for(what, everywhere, seconds, 0.001)
    return sorted(when.values())


def one_fetch(tap, w, nodes):
    for turn in range(ROUNDS):
        names = cold_names(turn)
        began = time.monotonic()
        answers = all_at_once([lambda n=n, d=d: (d, n.ask("opportunistic", d)) for d in names for n in nodes])
        took = time.monotonic() - began
        tap.equal([a for a in answers if a[1] != SECURE % a[0]], [],
                  "%d cold domains asked on %d nodes at once get their policies" % (TOGETHER, NODES))
        tap.equal([w.fetches(d) for d in names], [1] * TOGETHER, "and each was fetched once")
        tap.note("measured: %d cold domains on %d nodes at once: %.0f ms" % (TOGETHER, NODES, took * 1000))
    names = [d for turn in range(ROUNDS) for d in cold_names(turn)]
    answers = all_at_once([lambda n=n: [n.ask("enforced", d + ":587") for d in names] for n in nodes])
    tap.equal(answers, [[SECURE % d for d in names]] * NODES, "every node has every policy")
    tap.equal(sum(w.fetches(d) for d in names), len(names), "without another fetch")


def redis_calls(w):
    lines = (line.partition(":") for line in w.redis.cli("INFO", "commandstats").splitlines() if line.startswith("cmdstat_"))
    return {name[len("cmdstat_"):]: int(rest.split(",")[0].partition("=")[2]) for name, _, rest in lines}


def counted(tap, w, nodes):
    """What a cold domain costs Redis: on the node that finds everything out, and on one that is told."""
    names = cold_names(ROUNDS)

    def calls(some):
        before = redis_calls(w)
        for n in some:
            for d in names:
                n.ask("opportunistic", d)
        after = redis_calls(w)
        each = {c: (after[c] - before.get(c, 0)) / len(some) / len(names) for c in after if c not in ("info", "ping")}
        return each, ", ".join("%s %.1f" % (c, v) for c, v in sorted(each.items()) if v > 0.05)
    first, first_text = calls(nodes[:1])
    other, other_text = calls(nodes[1:])
    tap.equal([w.fetches(d) for d in names], [1] * TOGETHER, "domains asked on one node after the other are fetched once")
    tap.ok(first["hset"] > 0.9 and other.get("hset", 0) == 0, "who finds them in Redis writes nothing", first_text, other_text)
    tap.note("measured: commands in Redis for a cold domain with a policy: who finds it out: %s; every other node: %s" % (
        first_text, other_text))


def change_id(w, domain, id, ttl):
    """A new policy for DOMAIN, under a new id; not in the second of the last fetch: policies are later by whole seconds."""
    fetched_at = int(w.redis.cli("HGET", "tlsmode:sts:" + domain, "fetched_at"))
    wait_for("the next second", lambda: time.time() >= fetched_at + 1)
    w.sts(domain, id=id, mx=["two." + domain], ttl=ttl)
    w.publish(w.zone_of(domain))


def told(tap, w, nodes):
    """Seven nodes have no reason to look at the TXT record for the next five minutes; the eighth sees a new id."""
    *others, last = nodes
    tap.equal({n.ask("opportunistic", "told.test") for n in others}, {SECURE % "told.test"}, "a policy is in force on seven nodes")
    change_id(w, "told.test", "2", 300)
    w.redis.cli("DEL", "tlsmode:sts:told.test")  # as an eviction does: who has the policy keeps it, who has not finds it
    asked = w.unbound.questions().count(("_mta-sts.told.test", "TXT"))
    tap.equal(last.ask("opportunistic", "told.test"), moved("told.test"), "another node, asked the first time, fetches the new one")
    times = wait_all(others, "the new policy", lambda n: n.ask("opportunistic", "told.test"), moved("told.test"))
    tap.ok(True, "the others answer by it")
    tap.equal(w.fetches("told.test"), 2 + len(others), "each by a fetch of its own: what weakens is not taken at another's word")
    tap.equal(w.unbound.questions().count(("_mta-sts.told.test", "TXT")), asked + 1, "without a look at the record")
    tap.note("measured: a policy fetched by one node in force on seven others %s ms after its own answer" % ", ".join(
        spread([times[0]] + times)[1:]))


def own_look(tap, w, nodes):
    """The usual case: every node looks at the record when its TTL ends. Each fetches the policy that takes the place of one in force."""
    tap.equal({n.ask("opportunistic", "looked.test") for n in nodes}, {SECURE % "looked.test"}, "a policy is in force on all nodes")
    change_id(w, "looked.test", "2", 1)
    began = time.monotonic()
    times = wait_all(nodes, "the new policy", lambda n: n.ask("opportunistic", "looked.test"), moved("looked.test"))
    tap.equal(w.fetches("looked.test"), 1 + len(nodes), "a new id is seen by all of them, and its policy fetched by each")
    tap.note("measured: TTL 1 s: the first node has the new policy %.0f ms after its publication, the last %.0f ms after it" % (
        (times[0] - began) * 1000, (times[-1] - times[0]) * 1000))


def forgotten(tap, w, nodes):
    name = "forgotten.test"
    tap.equal({n.ask("opportunistic", name) for n in nodes}, {SECURE % name}, "a policy is in force on all nodes")
    zone = w.zone_of(name)
    zone.set("_mta-sts." + name + ".", "TXT")
    w.publish(zone)
    over = time.monotonic() + 2
    wait_for("the end of its TTL in every resolver", lambda: time.monotonic() > over)
    wait_all(nodes, "the end of the record", lambda n: json.loads(n.ask("explain", name)[3:])["sts"]["txt"], "none")
    tap.equal({n.ask("opportunistic", name) for n in nodes}, {SECURE % name}, "and stays when its record is gone")
    began = time.monotonic()
    subprocess.run([w.daemons.program("tlsmode"), "-c", w.space.path("tlsmode.conf"), "cache", "forget", name], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    times = wait_all(nodes, "NOTFOUND", lambda n: n.ask("opportunistic", name), "NOTFOUND ")
    tap.ok(True, "tlsmode cache forget: forgotten by all of them")
    tap.note("measured: forgotten by all after %.0f ms, the program's own start included" % ((times[-1] - began) * 1000))


def in_force(nodes, write, question, want):
    """Milliseconds from WRITE() to the answer WANT on the last node, over connections that are open."""
    began = time.monotonic()
    write()
    return (wait_all(nodes, "the setting everywhere", question, want, 5)[-1] - began) * 1000


def setting(tap, w, nodes):
    clients = [n.client() for n in nodes]
    redis = w.redis.connect()
    ways = ("OK smtp-enforced:", "OK smtp-verified:")
    took = [in_force(clients, lambda: redis("HSET", "tlsmode:sender:a.test", "mode", ("enforced", "verified")[i % 2]),
                     lambda c: c.ask("transport", "x@a.test"), ways[i % 2]) for i in range(WRITES)]
    tap.ok(True, "a sender's mode written once is in force on all nodes, %d times" % WRITES)
    tap.equal({c.ask("opportunistic", "plain.test") for c in clients}, {"NOTFOUND "}, "a destination without any setting")
    took += [in_force(clients, lambda: redis("HSET", "tlsmode:rcpt:plain.test", "mode", "verified"),
                      lambda c: c.ask("opportunistic", "plain.test"), VERIFY),
             in_force(clients, lambda: redis("DEL", "tlsmode:rcpt:plain.test"),
                      lambda c: c.ask("opportunistic", "plain.test"), "NOTFOUND "),
             in_force(clients, lambda: redis("DEL", "tlsmode:sender:a.test"),
                      lambda c: c.ask("transport", "x@a.test"), "NOTFOUND ")]
    tap.ok(True, "so are a destination's, and the end of both")
    took.sort()
    tap.note("measured: a setting in force on %d nodes: p50 %.1f ms, p99 %.1f ms, max %.1f ms" % (
        NODES, took[len(took) // 2], took[int(len(took) * 0.99)], took[-1]))


def status(node):
    return json.loads(node.ask("status", "all")[3:])


def mass_change(tap, w, nodes):
    """Thousands of settings in one script: one announcement of many keys to every node."""
    script = "for i = 1, 5000 do redis.call('HSET', 'tlsmode:sender:s' .. i .. '.test', 'mode', 'enforced') end"
    began = time.monotonic()
    w.redis.cli("EVAL", script, 0)
    times = wait_all(nodes, "the settings", lambda n: status(n)["counters"]["settings"], 5000)
    tap.ok(True, "five thousand settings written at once are in force on all nodes")
    tap.note("measured: 5000 settings in force on the first of %d nodes after %.0f ms, on the last after %.0f ms" % (
        NODES, (times[0] - began) * 1000, (times[-1] - began) * 1000))
    tap.equal({n.ask("transport", "x@s%d.test" % i) for n in nodes for i in (1, 2500, 5000)}, {"OK smtp-enforced:"}, "each of them")


def all_cut_off(tap, w, nodes):
    """Every node loses its connections at once, as in a failover, and a setting changes at that moment."""
    redis = w.redis.connect()
    before = [status(n)["counters"]["settings_reloads"] for n in nodes]
    redis("MULTI")
    redis("CLIENT", "KILL", "TYPE", "pubsub")
    redis("HSET", "tlsmode:sender:s1.test", "mode", "verified")
    redis("DEL", "tlsmode:sender:s2.test")
    began = time.monotonic()
    redis("EXEC")
    times = wait_all(nodes, "the change", lambda n: (n.ask("transport", "x@s1.test"), n.ask("transport", "x@s2.test")),
                     ("OK smtp-verified:", "NOTFOUND "))
    tap.ok(True, "all nodes cut off at once, and a change meanwhile: all of them find out")
    wait_all(nodes, "live", lambda n: status(n)["settings"]["state"], "live")
    tap.equal([status(n)["counters"]["settings_reloads"] for n in nodes], [b + 1 for b in before], "by one full reading each")
    tap.note("measured: %d nodes cut off at once: a change made meanwhile in force on the first after %.0f ms, on the last after "
             "%.0f ms" % (NODES, (times[0] - began) * 1000, (times[-1] - began) * 1000))


def publish(w):
    for name, ttl in (("told", 300), ("looked", 1), ("forgotten", 1)):
        w.destination(name + ".test")
        w.sts(name + ".test", ttl=ttl)
    w.destination("plain.test")
    publish_many(w)


def test(tap):
    with World("e2e-eight-nodes") as w:
        publish(w)
        w.start(postfix=False, milter=False)
        nodes = [Node(w.daemons, i + 1) for i in range(NODES)]
        try:
            for node in nodes:
                node.begin()
            for node in nodes:
                node.await_answer()
            for part in (one_fetch, counted, told, own_look, forgotten, setting, mass_change, all_cut_off):
                part(tap, w, nodes)
            tap.equal([n.program.stop() for n in nodes], [0] * NODES, "a clean end of all")
        finally:
            for node in nodes:
                if node.program and node.program.alive():
                    node.program.stop()


if __name__ == "__main__":
    main(test)
