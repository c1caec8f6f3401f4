#!/usr/bin/python3
"""tlsmode-mapd while it reads a great many settings for the first time: the keys of each question are read for it."""
import json
import os
import signal
import sys
import time

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from mapd_room import Room, main, request, wait_for  # noqa: E402

MANY = 300000  # Redis needs seconds to tell them all
FILL = """for i = 1, tonumber(ARGV[1]) do redis.call('HSET', 'tlsmode:sender:many' .. i .. '.example', 'mode', 'verified') end"""
OWN = (
    ("sender:strict.example", "mode", "enforced"),
    ("sender:.family.example", "mode", "verified"),
    ("sender:pool.example", "via", "pool2"),
    ("sender:odd.example", "mode", "enforce"),
    ("sender:<>", "mode", "verified"),
    ("sender:*", "mode", "opportunistic"),
    ("rcpt:[192.0.2.9]", "match", "mx.example"),
    ("rcpt:.silent.example", "mode", "verified"),
    ("except:[192.0.2.8]", "plaintext", "allow"),
)
ANSWERS = (
    ("transport", "a@strict.example", "OK smtp-enforced:"),
    ("transport", "a@sub.family.example", "OK smtp-verified:"),
    ("transport", "A+x@Pool.Example.", "OK pool2:"),
    ("transport", "<>", "OK smtp-verified:"),
    ("transport", "a@nobody.example", "NOTFOUND "),
    ("transport", "a@many77.example", "OK smtp-verified:"),
    ("mode", "odd.example", "OK enforced"),
    ("mode", "ended.example", "NOTFOUND "),
    ("mode", "ending.example", "OK enforced"),
    ("opportunistic", "[192.0.2.9]", "OK secure match=mx.example servername=hostname protocols=>=TLSv1.2"),
    ("enforced", "[192.0.2.8]", "OK encrypt protocols=>=TLSv1.2"),
    ("opportunistic", "[192.0.2.8]", "NOTFOUND "),
)


def state(room):
    return json.loads(room.ask("status", "all")[3:])["settings"]["state"]


def fill(room):
    for key, field, value in OWN:
        room.redis("HSET", "tlsmode:" + key, field, value)
    for name, ms in (("ended", 1), ("ending", 3600000)):
        room.redis("HSET", "tlsmode:sender:%s.example" % name, "mode", "enforced")
        room.redis("PEXPIRE", "tlsmode:sender:%s.example" % name, ms)
    room.redis("EVAL", FILL, 0, MANY)


def answers_before_all_is_read(tap, room):
    began = time.monotonic()
    room.start()
    ready = room.http("/readyz")
    for name, key, want in ANSWERS:
        tap.equal(room.ask(name, key), want, "not all is known: %s %s" % (name, key))
    told = json.loads(room.ask("explain", "a@strict.example b@[192.0.2.9]")[3:])
    waits = room.client()
    waits.send("opportunistic", "mx.silent.example")
    before = state(room)
    tap.ok(before == "unknown", "and it was not meanwhile", before)
    tap.note("answered %.2f s after the start" % (time.monotonic() - began))
    tap.ok(ready[0] == 503, "not ready so far", ready)
    tap.ok("enforced" in json.dumps(told), "explain knows the sender's mode", told)
    tap.ok(waits.reply().startswith("TEMP "), "what needs DNS waits for that, too, and goes by the settings read for it")
    return before


def the_same_afterwards(tap, room):
    wait_for("live settings", lambda: state(room) == "live", 60)
    tap.ok(room.logged(r"event=setting_bad .*odd\.example"), "a bad value is complained about")
    tap.equal(len([li for li in room.log().splitlines() if "event=setting_bad" in li]), 1, "once")
    for name, key, want in ANSWERS:
        tap.equal(room.ask(name, key), want, "all is known: %s %s" % (name, key))
    room.redis("DEL", "tlsmode:rcpt:[192.0.2.9]")
    wait_for("the end of a setting", lambda: room.ask("opportunistic", "[192.0.2.9]") == "NOTFOUND ", 5)
    tap.ok(True, "no answer from before outlives its setting")


def redis_lost_meanwhile(tap, room):
    """Requests whose keys are on their way when Redis goes, and clients that go."""
    room.mapd.send_signal(signal.SIGKILL)
    room.mapd.wait()
    room.start()
    room.redis_program.send_signal(signal.SIGSTOP)
    waits = [room.client() for _ in range(20)]
    for client in waits:
        client.send("transport", "a@strict.example")
    for client in waits[10:]:
        client.close()
    wait_for("the requests", lambda: room.metric("tlsmode_mapd_requests_waiting") >= 10, 5)
    room.redis_program.kill()
    room.redis_program.wait()
    tap.equal({client.reply() for client in waits[:10]}, {"TEMP settings not yet loaded"}, "Redis goes: when_unknown decides")
    tap.equal(room.ask("transport", "a@strict.example"), "TEMP settings not yet loaded", "and for who comes later")


def start_again(room, **conf):
    room.start_redis()
    fill(room)
    room.mapd.send_signal(signal.SIGKILL)
    room.mapd.wait()
    room.start(**conf)


def the_first_makes_the_line_of_the_second(tap, room):
    """Without settings a policy answer is kept: who waited for his keys with the first is answered from the cache."""
    start_again(room, settings={"when_unknown": "enforced"})
    room.redis_program.send_signal(signal.SIGSTOP)
    client = room.client()
    client.socket.sendall(request("enforced", "[192.0.2.1]") * 2)
    wait_for("the requests", lambda: room.metric("tlsmode_mapd_requests_waiting") == 2, 5)
    room.redis_program.kill()
    room.redis_program.wait()
    tap.equal([client.reply() for _ in range(2)], ["OK encrypt protocols=>=TLSv1.2"] * 2, "Redis goes: two of one key, one from the cache")


def bounded(tap, room):
    start_again(room, mapd={"max_jobs": 10})
    room.redis_program.send_signal(signal.SIGSTOP)
    client = room.client()
    client.socket.sendall(b"".join(request("transport", "a@strict.example") for _ in range(30)))
    waiting = wait_for("the requests", lambda: room.metric("tlsmode_mapd_requests_waiting"), 5)
    room.redis_program.send_signal(signal.SIGCONT)
    replies = [client.reply() for _ in range(30)]
    tap.ok(waiting >= 10, "at most max_jobs read their own keys at once", waiting)
    tap.equal(replies, ["OK smtp-enforced:"] * 10 + ["TEMP settings not yet loaded"] * 20, "who is too many hears so at once, in order")


def test(tap):
    with Room() as room:
        fill(room)
        answers_before_all_is_read(tap, room)
        the_same_afterwards(tap, room)
        redis_lost_meanwhile(tap, room)
        the_first_makes_the_line_of_the_second(tap, room)
        bounded(tap, room)
        tap.equal(room.grammar_fault(), "", "Postfix understands every reply")
        tap.equal(room.stop(), 0, "a clean stop")


if __name__ == "__main__":
    main(test)
