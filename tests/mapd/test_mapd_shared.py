#!/usr/bin/python3
"""Facts shared in Redis, and a Redis that is there but cannot be read: what it holds is waited for; it is never "nothing"."""
import os
import signal
import sys
import threading
import time

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from mapd_room import Room, main, wait_for  # noqa: E402

SECURE = "OK secure match=mx.%s servername=hostname protocols=>=TLSv1.2"
UNREAD = "TEMP %s: the facts shared in Redis could not be read, and an MTA-STS policy may be among them"


def share(room, domain, policy):
    """As another node found it, the TXT record hidden from it since: nothing is left to ask of DNS."""
    now = int(time.time())
    sts = ["txt", "none", "txt_until", str(now + 300)]
    if policy:
        sts += ["mode", "enforce", "max_age", "86400", "mx", "mx." + domain, "id", "1", "fetched_at", str(now - 10)]
    room.redis("HSET", "tlsmode:sts:" + domain, *sts)
    room.redis("HSET", "tlsmode:dane:" + domain, "mx", "insecure", "kind", "records", "until", str(now + 300), "truncated", "0",
               "hosts", "mx.%s none %d -" % (domain, now + 300))


def asked(room, name):
    """Asks in a thread of its own: the answer may take its time."""
    got = []
    thread = threading.Thread(target=lambda: got.append((room.ask("opportunistic", name), time.monotonic())))
    thread.start()
    return thread, got


def pause(tap, room):
    share(room, "paused.test", True)
    share(room, "plain.test", False)
    begun = time.monotonic()
    room.redis_program.send_signal(signal.SIGSTOP)
    waiting = [asked(room, name) for name in ("paused.test", "plain.test")]
    room.logged("event=facts_unread nexthop=")
    time.sleep(0.2)
    tap.equal([got for _, got in waiting], [[], []], "Redis does not answer: nobody says that there is no policy")
    room.redis_program.send_signal(signal.SIGCONT)
    for thread, _ in waiting:
        thread.join()
    tap.equal([got[0][0] for _, got in waiting], [SECURE % "paused.test", "NOTFOUND "], "it goes on: both are as Redis has them")
    tap.ok(max(got[0][1] for _, got in waiting) - begun < 3, "soon")


def wrong_type(tap, room):
    room.redis("SET", "tlsmode:sts:wrong.test", "x")
    tap.equal(room.ask("opportunistic", "wrong.test"), UNREAD % "wrong.test", "a key of a wrong type is not 'nothing there', either")
    room.redis("DEL", "tlsmode:sts:wrong.test")
    share(room, "wrong.test", True)
    wait_for("the policy", lambda: room.ask("opportunistic", "wrong.test") == SECURE % "wrong.test", 20)
    tap.ok(True, "what is mended is read")


def test(tap):
    with Room() as room:
        room.start(mapd={"deadline": 4})
        room.live()
        pause(tap, room)
        wrong_type(tap, room)
        tap.equal(room.stop(), 0, "a clean end")


main(test)
