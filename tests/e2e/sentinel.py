#!/usr/bin/python3
"""The failover of the store: two tlsmode-mapd and the milter by Redis Sentinel, asked without a pause while the master is killed,
while it hangs, while an operator orders a failover, and while a master comes back empty. Every answer is right and in time, and
what is written to the new master is in force at once.

Hits, cold domains and senders' transports; three sentinels, two servers. Times are measured and printed; the deadline is judged.
"""
import collections
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world.node import Node  # noqa: E402
from world.sentinels import DOWN_MS, SentinelSet  # noqa: E402
from world.socketmap import Socketmap  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

DEADLINE, SENDERS = 3, 40
SENDER = "tlsmode:sender:"
WAYS = {"enforced": "OK smtp-enforced:", "verified": "OK smtp-verified:"}
SECURE = "OK secure match=mx.sts.test servername=hostname protocols=>=TLSv1.2"
ENCRYPT = "OK encrypt protocols=>=TLSv1.2"
NO_REDIS = collections.namedtuple("NoRedis", "where stop")("127.0.0.1:1", lambda: None)  # redis.address is not used


def hits():
    return itertools.cycle([("opportunistic", "sts.test", SECURE), ("enforced", "plain.test", ENCRYPT),
                            ("opportunistic", "plain.test", "NOTFOUND ")])


def transports():
    return itertools.cycle([("transport", "a@s%d.test" % i, WAYS[mode_of(i)]) for i in range(SENDERS)] +
                           [("transport", "a@nobody.test", "NOTFOUND ")])


def cold(name):
    return (("enforced", "%s%d.cold.test" % (name, i), ENCRYPT) for i in itertools.count())


def mode_of(i):
    return ("enforced", "verified")[i % 2]


class Load(threading.Thread):
    """Asks QUESTIONS (map, key, right answer) at WHERE, one after the other."""

    def __init__(self, where, kind, questions):
        super().__init__(daemon=True)
        self.where, self.kind, self.questions = where, kind, questions
        self.count, self.worst, self.wrong, self.ended = 0, 0.0, [], False
        self.start()

    def run(self):
        client = Socketmap(self.where, 30)
        for name, key, want in self.questions:
            if self.ended:
                break
            began = time.monotonic()
            got = client.ask(name, key)
            self.worst = max(self.worst, time.monotonic() - began)
            self.count += 1
            if got != want:
                self.wrong.append((name, key, got, want))
        client.close()


class Loads:
    """All of them at once, during one round."""

    def __init__(self, nodes, name):
        self.all = [Load(where, kind, questions) for n, where in enumerate(nodes) for kind, questions in (
            ("hits", hits()), ("transports", transports()), ("cold domains", cold("%s-%d-" % (name, n))))]

    def judge(self, tap, what):
        for load in self.all:
            load.ended = True
        for load in self.all:
            load.join(DEADLINE + 10)
        tap.ok(not any(load.is_alive() for load in self.all), what + ": every question was answered")
        tap.equal([w for load in self.all for w in load.wrong][:5], [], what + ": every answer is right")
        for kind in ("hits", "transports", "cold domains"):
            of = [load for load in self.all if load.kind == kind]
            worst = max(load.worst for load in of)
            count = sum(load.count for load in of)
            tap.ok(worst <= DEADLINE and count > 0, "%s: %s within the deadline" % (what, kind), "%.3f s" % worst)
            tap.note("measured: %s: %d answers to %s, the slowest after %.0f ms" % (what, count, kind, worst * 1000))


class Town:
    def __init__(self, w, store):
        self.w, self.store = w, store
        self.second = Node(w.daemons, 2)
        self.asks = (w.ask, self.second.ask)
        self.where = (w.daemons.where, self.second.where)

    def statuses(self):
        return [json.loads(ask("status", "all")[3:]) for ask in self.asks]

    def all_at(self, server):
        """Both nodes have the settings of SERVER."""
        return all(s["redis"]["address"] == server.where and s["settings"]["state"] == "live" for s in self.statuses())

    def tlsmode(self, *words):
        done = subprocess.run([self.w.daemons.program("tlsmode"), "-c", self.w.space.path("tlsmode.conf"), *words],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout or done.stderr

    def milter_at(self, server):
        ups = [line for line in self.w.daemons.milter.text().splitlines() if "event=redis_up" in line]
        return ups and "address=%s " % server.where in ups[-1]


def put_settings(store):
    client = store.master().connect()
    for i in range(SENDERS):
        client("HSET", SENDER + "s%d.test" % i, "mode", mode_of(i))
    client("WAIT", "1", "5000")
    client.close()


def found(tap, town):
    told = town.statuses()
    tap.equal([(s["redis"]["address"], s["redis"]["master"], s["redis"]["sentinel"]) for s in told],
              [(town.store.master().where, "tlsmode", town.store.addresses()[0])] * 2,
              "status says which master is in use, and by whom")
    code, text = town.tlsmode("status")
    tap.ok(code == 0 and town.store.master().where in text and town.store.addresses()[0] in text, "tlsmode status, too", text)
    tap.ok(town.milter_at(town.store.master()), "the milter is at the master")


def failover(tap, town, name, what, harm):
    """HARM under load; then a setting on the new master, and another by the control tool."""
    store, old = town.store, town.store.master()
    loads = Loads(town.where, name)
    wait_for("load of every kind", lambda: all(load.count > 10 for load in loads.all))
    began = time.monotonic()
    harm(old)
    wait_for("a new master by a sentinel", lambda: store.moved(old), 30, 0.005)
    named = time.monotonic() - began
    new = store.master()
    wait_for("both nodes at the new master", lambda: town.all_at(new), 20, 0.005)
    there = time.monotonic() - began
    wrote = time.monotonic()
    new.cli("HSET", SENDER + name + ".test", "mode", "enforced")
    in_force = []
    for ask in town.asks:
        wait_for("the setting in force", lambda: ask("transport", "a@%s.test" % name) == WAYS["enforced"], 5, 0.001)
        in_force.append(time.monotonic() - wrote)
    tap.ok(in_force[-1] < 1, what + ": a setting written to the new master is in force on both nodes")
    tap.note("measured: %s: the new master named after %.0f ms (down-after %d ms), both nodes have its settings after %.0f ms; a "
             "setting written there in force after %.1f ms" % (what, named * 1000, DOWN_MS, there * 1000, in_force[-1] * 1000))
    code, text = town.tlsmode("domain", "set", "by-tool-" + name + ".test", "mode=verified")
    tap.equal((code, new.cli("HGET", SENDER + "by-tool-%s.test" % name, "mode")), (0, "verified"),
              what + ": the control tool writes there", text)
    wait_for("the milter at the new master", lambda: town.milter_at(new), 10)
    tap.ok(True, what + ": the milter is at the new master")
    loads.judge(tap, what)
    return old


def empty_master(tap, town):
    """It restarts faster than anybody takes it for down, without its data; its replica follows it into the void."""
    what, master = "a master that comes back empty", town.store.master()
    loads = Loads(town.where, "empty")
    wait_for("load of every kind", lambda: all(load.count > 10 for load in loads.all))
    master.stop()
    master.forget()
    master.start()
    wait_for("a decision", lambda: all(s["settings"]["state"] == "held" or s["redis"]["address"] != master.where
                                       for s in town.statuses()), 20)
    states = [s["settings"]["state"] for s in town.statuses()]
    tap.ok(set(states) <= {"held", "live"}, what + ": the last known settings are held", "%s" % states)
    tap.note("settings are " + ", ".join(states))
    put_settings(town.store)
    for name in ("killed", "hung", "ordered"):
        for sender, mode in ((name, "enforced"), ("by-tool-" + name, "verified")):
            town.store.master().cli("HSET", SENDER + sender + ".test", "mode", mode)
    wait_for("their return", lambda: all(s["settings"]["state"] == "live" for s in town.statuses()), 10)
    tap.ok(True, what + ": they are written again, and the guard lets go")
    loads.judge(tap, what)


def doctor(tap, town):
    town.store.sentinels[0].stop()
    main_cf = town.w.space.write("postfix/main.cf", "compatibility_level = 3.6\n")
    town.w.space.write("postfix/master.cf", "smtp unix - - y - - smtp\n")
    code, text = town.tlsmode("--json", "doctor", "-c", os.path.dirname(main_cf))
    answer = json.loads(text)
    away = [f for f in answer["findings"] if f["rule"] == "sentinel-away"]
    tap.equal(answer["redis"], town.store.master().where, "doctor reads the settings of the master")
    tap.ok(len(away) == 1 and town.store.sentinels[0].where in away[0]["found"], "and names the sentinel that is down", "%s" % away)


def test(tap):
    with World("e2e-sentinel") as w:
        w.destination("sts.test", sts="enforce")
        w.destination("plain.test")
        w.zone("cold.test", signed=False).set("*", "MX", "10 mx.plain.test.")
        w.start_dns()
        store = SentinelSet(w.folder("store")).start()
        try:
            put_settings(store)
            w.redis = NO_REDIS
            w.start_mapd({"redis": {"sentinels": store.addresses(), "master": store.name},
                          "mapd": {"deadline": DEADLINE}, "dns": {"timeout": 2}, "sts": {"timeout": 1}})
            w.daemons.start_milter()
            town = Town(w, store)
            town.second.start()
            try:
                for ask in town.asks:
                    tap.equal([ask(name, key) for name, key, _ in itertools.islice(hits(), 3)],
                              [SECURE, ENCRYPT, "NOTFOUND "], "what is known before")
                found(tap, town)
                old = failover(tap, town, "killed", "the master is killed", lambda old: old.stop())
                old.start()
                store.settle()
                old = failover(tap, town, "hung", "the master hangs", lambda old: old.send(signal.SIGSTOP))
                old.send(signal.SIGCONT)  # for a moment it takes itself for the master
                store.settle()
                failover(tap, town, "ordered", "SENTINEL FAILOVER", lambda old: store.failover())
                store.settle()
                empty_master(tap, town)
                doctor(tap, town)
            finally:
                if town.second.program.alive():
                    town.second.program.stop()
        finally:
            store.stop()


if __name__ == "__main__":
    main(test)
