#!/usr/bin/python3
"""tlsmode-mapd with an old copy of the settings while Redis has new ones: after a start with a snapshot, after a lost connection.

Redis has so many settings that reading them all takes a while; every question in that while is answered by what Redis has. Each
part shows that the while was there: the state was not live after the last answer.
"""
import json
import os
import signal
import sys
import threading

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from mapd_room import Room, main, wait_for  # noqa: E402

MANY = 200000
FILL = """for i = 1, tonumber(ARGV[1]) do redis.call('HSET', 'tlsmode:sender:many' .. i .. '.example', 'mode', 'verified') end"""
OLD = (
    ("sender:stricter.example", {"mode": "opportunistic"}),
    ("sender:weaker.example", {"mode": "verified"}),
    ("sender:gone.example", {"mode": "enforced"}),
    ("sender:lax.family.example", {"mode": "opportunistic"}),
    ("sender:pool.example", {"mode": "enforced", "via": "pool1"}),
    ("rcpt:[192.0.2.9]", {"mode": "opportunistic"}),
    ("except:[192.0.2.8]", {"plaintext": "allow", "for": "all"}),
)
NEW = (
    ("HSET", "sender:stricter.example", "mode", "enforced"),
    ("HSET", "sender:weaker.example", "mode", "opportunistic"),
    ("HSET", "sender:added.example", "mode", "verified"),
    ("DEL", "sender:gone.example"),
    ("DEL", "sender:lax.family.example"),
    ("HSET", "sender:.family.example", "mode", "enforced"),
    ("HSET", "sender:pool.example", "via", "pool2"),
    ("HSET", "rcpt:[192.0.2.9]", "mode", "verified", "match", "mx.example"),
    ("DEL", "except:[192.0.2.8]"),
    ("HSET", "except:[192.0.2.7]", "plaintext", "allow", "for", "all"),
)
BEFORE = (
    ("transport", "a@stricter.example", "NOTFOUND "),
    ("transport", "a@weaker.example", "OK smtp-verified:"),
    ("transport", "a@added.example", "NOTFOUND "),
    ("transport", "a@gone.example", "OK smtp-enforced:"),
    ("transport", "a@lax.family.example", "NOTFOUND "),
    ("transport", "a@pool.example", "OK pool1-enforced:"),
    ("opportunistic", "[192.0.2.9]", "NOTFOUND "),
    ("enforced", "[192.0.2.8]", "OK may"),
    ("enforced", "[192.0.2.7]", "OK encrypt protocols=>=TLSv1.2"),
)
AFTER = (
    ("transport", "a@stricter.example", "OK smtp-enforced:"),
    ("mode", "stricter.example", "OK enforced"),
    ("transport", "a@weaker.example", "NOTFOUND "),
    ("transport", "a@added.example", "OK smtp-verified:"),
    ("transport", "a@lax.family.example", "OK smtp-enforced:"),
    ("transport", "a@pool.example", "OK pool2-enforced:"),
    ("opportunistic", "[192.0.2.9]", "OK secure match=mx.example servername=hostname protocols=>=TLSv1.2"),
    ("enforced", "[192.0.2.8]", "OK encrypt protocols=>=TLSv1.2"),
    ("enforced", "[192.0.2.7]", "OK may"),
)


def state(room):
    return json.loads(room.ask("status", "all")[3:])["settings"]["state"]


def fill(room):
    for word, *_ in OLD + tuple((key, None) for _, key, *_ in NEW):
        room.redis("DEL", "tlsmode:" + word)
    for key, fields in OLD:
        room.redis("HSET", "tlsmode:" + key, *[word for pair in fields.items() for word in pair])


def change(client):
    for word, key, *rest in NEW:
        client(word, "tlsmode:" + key, *rest)


def see(tap, room, rows, when):
    for name, key, want in rows:
        tap.equal(room.ask(name, key), want, "%s: %s %s" % (when, name, key))


def see_new(tap, room, when):
    see(tap, room, AFTER, when)
    tap.equal(room.ask("transport", "a@gone.example"), "OK smtp-enforced:", when + ": what is not there may have been lost")
    during = state(room)
    tap.ok(during == "stale", when + ": not all was read meanwhile", during)
    wait_for("live settings", lambda: state(room) == "live", 60)
    tap.equal(room.ask("transport", "a@gone.example"), "NOTFOUND ", when + ": it was deleted, as is known once all is read")
    see(tap, room, AFTER, when + ", when all is read")


def old_snapshot(tap, room):
    room.start(settings={"snapshot": room.path("settings")})
    wait_for("live settings", lambda: state(room) == "live", 60)
    see(tap, room, BEFORE, "before")
    tap.equal(room.stop(), 0, "a clean end, which leaves a snapshot")
    with_redis(room, change)
    room.start()
    tap.ok(room.logged("event=snapshot_read"), "the old snapshot is read at the start")
    see_new(tap, room, "started with an old snapshot")


def with_redis(room, fn):
    class Once:
        def __call__(self, *words):
            return room.redis(*words)
    fn(Once())


def lost_connection(tap, room):
    """Both connections go, and the settings change before they are back. Policy answers were cached before."""
    with_redis(room, lambda client: fill(room))
    wait_for("the old settings", lambda: room.ask("transport", "a@weaker.example") == "OK smtp-verified:", 10)
    wait_for("the old settings", lambda: all(room.ask(name, key) == want for name, key, want in BEFORE), 10)
    ups = room.log().count("event=redis_up")
    room.redis_program.send_signal(signal.SIGSTOP)
    room.logged("event=redis_down", 20)
    see(tap, room, BEFORE, "Redis is silent: the last known")
    changes = threading.Thread(target=with_redis, args=(room, change))  # stands in its queue before we are back
    changes.start()
    room.redis_program.send_signal(signal.SIGCONT)
    changes.join()
    wait_for("Redis", lambda: room.log().count("event=redis_up") > ups, 20)
    see_new(tap, room, "after a lost connection")


def lost_again(tap, room):
    """Redis goes while it is being read: what a question saw is the last known, not what was known before."""
    with_redis(room, lambda client: fill(room))
    wait_for("live settings, the old ones", lambda: state(room) == "live" and all(
        room.ask(name, key) == want for name, key, want in BEFORE), 60)
    ups, downs = (room.log().count("event=redis_" + word) for word in ("up", "down"))
    with_redis(room, change_cut_off)
    wait_for("Redis", lambda: room.log().count("event=redis_up") > ups, 20)
    rows = [row for row in AFTER if row[0] in ("transport", "mode") and "family" not in row[1] and "weaker" not in row[1]]
    see(tap, room, rows, "read for a question")
    tap.ok(state(room) == "stale", "not all was read meanwhile", state(room))
    room.redis_program.send_signal(signal.SIGSTOP)
    wait_for("Redis gone", lambda: room.log().count("event=redis_down") > downs + 1, 20)
    see(tap, room, rows, "and Redis is gone again")
    room.redis_program.send_signal(signal.SIGCONT)
    wait_for("live settings", lambda: state(room) == "live", 60)


def change_cut_off(client):
    client("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    client("CLIENT", "KILL", "TYPE", "pubsub")
    change(client)


def test(tap):
    with Room() as room:
        fill(room)
        room.redis("EVAL", FILL, 0, MANY)
        old_snapshot(tap, room)
        lost_connection(tap, room)
        lost_again(tap, room)
        tap.equal(room.grammar_fault(), "", "Postfix understands every reply")
        tap.equal(room.stop(), 0, "a clean stop")


if __name__ == "__main__":
    main(test)
