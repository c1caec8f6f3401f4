#!/usr/bin/python3
"""tlsmode-mapd with a snapshot that it cannot read, or not write: what Postfix hears, what /readyz and /metrics say."""
import os
import shutil
import signal
import sys
import time

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from mapd_room import Room, main, wait_for  # noqa: E402

ALARM = "event=snapshot_damaged state=unknown"
LOST = "the snapshot cannot be read and Redis has no settings"
UNKNOWN = (("transport", "a@strict.example"), ("transport", "a@nobody.example"), ("mode", "strict.example"), ("opportunistic", "[192.0.2.9]"))


def accept(room):
    room.redis("SET", "tlsmode:accept:settings", int(time.time() * 1000))


def ready(room):
    return room.http("/readyz")[0]


def unknown_until(tap, room, what, end, want):
    """END makes the settings known; WANT is said then."""
    for name, key in UNKNOWN:
        answer = room.ask(name, key)
        tap.ok(answer.startswith("TEMP "), "%s: %s %s waits" % (what, name, key), answer)
    code, reason = room.http("/readyz")
    tap.ok(code == 503 and reason.startswith(LOST), what + ": /readyz says why", (code, reason))
    tap.equal(room.metric('tlsmode_mapd_settings_state{state="unknown"}'), 1, what + ": a metric says so")
    end()
    wait_for("ready", lambda: ready(room) == 200, 10)
    tap.equal(room.ask("transport", "a@strict.example"), want, what + ": known again")


def damaged(tap, room, own):
    room.redis("HSET", "tlsmode:sender:strict.example", "mode", "enforced")
    room.start(settings={"snapshot": room.path("settings")})
    room.live()
    room.stop()
    with open(own, "r+b") as f:
        f.truncate(os.path.getsize(own) - 1)
    room.start()
    room.logged(r"event=snapshot_damaged file=\S+settings.mapd why=")
    wait_for("ready", lambda: ready(room) == 200, 10)
    tap.equal(room.ask("transport", "a@strict.example"), "OK smtp-enforced:", "damaged, and Redis has settings: they are in force")
    wait_for("a good copy", lambda: os.path.exists(own + ".damaged"), 20)
    room.stop()
    with open(own, "r+b") as f:
        f.truncate(10)
    room.redis("FLUSHALL")
    room.start()
    room.logged(r"event=snapshot_damaged state=unknown .*do=")
    unknown_until(tap, room, "damaged, Redis empty", lambda: accept(room), "NOTFOUND ")
    room.redis("HSET", "tlsmode:sender:strict.example", "mode", "enforced")
    wait_for("enforced", lambda: room.ask("transport", "a@strict.example").startswith("OK"), 10)
    room.stop(signal.SIGKILL)
    with open(own, "w") as f:
        f.write("x")
    room.redis("FLUSHALL")
    room.start(settings={"when_unknown": "enforced"})
    wait_for("an alarm", lambda: room.log().count("event=snapshot_damaged state=unknown") == 2, 10)
    tap.equal(room.ask("transport", "a@nobody.example"), "OK smtp-enforced:", "when_unknown = enforced speaks for all")
    room.stop()


def read_anew(tap, room, own):
    """Redis has no settings, but so much else that it needs a while to say so: meanwhile, too, nobody is NOTFOUND."""
    with open(own, "w") as f:
        f.write("torn")
    room.redis("EVAL", "for i = 1, 300000 do redis.call('SET', 'other:' .. i, 'x') end", 0)
    room.start(settings={"snapshot": room.path("settings")})
    room.logged(ALARM)
    answers, asked = set(), 0
    for times in (2, 3, 4):
        room.redis("CLIENT", "KILL", "TYPE", "pubsub")
        while room.log().count(ALARM) < times:
            answers.add(room.ask("transport", "a@strict.example")[:5])
            asked += 1
    tap.ok(answers == {"TEMP "} and asked > 3, "unknown while all is read anew, %d times asked" % asked, answers)
    room.stop()


def unreadable(tap, room, own):
    """Another account's file; only root can make one."""
    if os.geteuid() != 0:
        tap.ok(True, "unreadable # SKIP not root")
        return
    os.chmod(room.dir, 0o755)
    os.chmod(room.redis_path, 0o777)
    with open(own, "w") as f:
        f.write("somebody's")
    os.chmod(own, 0)
    room.redis("FLUSHALL")
    room.start(user="nobody", settings={"when_unknown": "tempfail"})
    room.logged(r'event=snapshot_damaged file=\S+ why="Permission denied"')
    unknown_until(tap, room, "another account's file",
                  lambda: room.redis("HSET", "tlsmode:sender:strict.example", "mode", "verified"), "OK smtp-verified:")
    room.stop()


def not_written(tap, room):
    os.mkdir(room.path("state"))
    room.start(user="", settings={"snapshot": room.path("state/settings")})
    room.live()
    wait_for("a snapshot", lambda: os.path.exists(room.path("state/settings.mapd")), 20)
    wait_for("nothing to write", lambda: room.metric("tlsmode_mapd_snapshot_behind_seconds") == 0, 20)
    shutil.move(room.path("state"), room.path("away"))
    room.redis("HSET", "tlsmode:sender:late.example", "mode", "enforced")
    room.logged("event=snapshot_retry .*pause_s=2", 30)
    behind, age = (room.metric("tlsmode_mapd_snapshot_%s_seconds" % what) for what in ("behind", "age"))
    tap.ok(age >= behind >= 5, "metrics say how old the good copy is, and how long a change waits", (age, behind))
    shutil.move(room.path("away"), room.path("state"))
    room.logged("event=snapshot_recovered", 30)
    tap.equal(room.metric("tlsmode_mapd_snapshot_behind_seconds"), 0, "nothing waits any more")
    tap.equal(room.stop(), 0, "a clean end")
    with open(room.path("state/settings.mapd")) as f:
        tap.ok("late.example" in f.read(), "written")


def test(tap):
    with Room() as room:
        damaged(tap, room, room.path("settings.mapd"))
    with Room() as room:
        room.write(settings={"snapshot": room.path("settings")})
        unreadable(tap, room, room.path("settings.mapd"))
    with Room() as room:
        read_anew(tap, room, room.path("settings.mapd"))
    with Room() as room:
        not_written(tap, room)


if __name__ == "__main__":
    main(test)
