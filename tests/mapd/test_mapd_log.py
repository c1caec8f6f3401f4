#!/usr/bin/python3
"""A log that nobody reads stops nothing: tlsmode-mapd with a full pipe as standard error, and with a stopped syslogd."""
import json
import os
import re
import signal
import socket
import subprocess
import sys

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from mapd_room import MAPD, Room, main, wait_for  # noqa: E402
from stuck_log import FullPipe, StoppedSyslogd  # noqa: E402

HIT = "[192.0.2.1]"
STRICT = "OK encrypt protocols=>=TLSv1.2"
CHANGES = 20000  # settings: more debug lines than are kept


def start_into(room, stderr, *before):
    """The daemon with a standard error of its own, awaited by an answer."""
    room.mapd = subprocess.Popen([*before, MAPD, "-f", "-c", room.write()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr)
    room.programs.append(room.mapd)
    wait_for("an answer", room.serves, 20)
    room.live()


def counters(room):
    return json.loads(room.ask("status", "all")[3:])["counters"]


def bad_reloads(room, count):
    """Each logs an error."""
    good = room.path("tlsmode.conf")
    with open(good, "w") as f:
        f.write("garbage\n")
    for _ in range(count):
        before = counters(room)["conf_reloads_failed"]
        room.mapd.send_signal(signal.SIGHUP)
        wait_for("the refused reload", lambda: counters(room)["conf_reloads_failed"] > before, 10)
    room.write()


def change_settings(room):
    client = room.redis_client()
    for i in range(CHANGES):
        client("HSET", "tlsmode:sender:s%05d.a-name-that-is-long-enough-to-take-room.test" % i, "mode", "enforced")
    client.close()
    wait_for("the last change", lambda: room.ask("mode", "x@s%05d.a-name-that-is-long-enough-to-take-room.test" % (CHANGES - 1)).startswith("OK enforced"), 30)


def all_serves(tap, room, what):
    tap.equal(room.ask("enforced", HIT), STRICT, what + ": answers")
    tap.equal(room.http("/healthz")[0], 200, what + ": /healthz")
    tap.equal(room.http("/readyz")[0], 200, what + ": /readyz")
    tap.equal(room.http("/metrics")[0], 200, what + ": /metrics")


def gap_is_named(tap, room, target, what):
    dropped = counters(room)["log_dropped"]
    tap.ok(dropped > 0 and room.metric("tlsmode_mapd_log_dropped_total") == dropped, what + ": dropped lines are counted", dropped)
    text = target.read(r"event=log_dropped [^\n]*do=")
    told = re.search(r"warning: event=log_dropped lines=(\d+) errors=0 |event=log_dropped lines=(\d+) errors=0 ", text)
    tap.ok(told and int(told.group(1) or told.group(2)) == dropped, what + ": read again, it names their number, and no error among them",
           text[-2000:], dropped)
    tap.ok(text.count("event=reload_failed") == 5 and text.count("event=serving") == 1, what + ": what was kept comes, the alarms among it", text[-2000:])
    tap.ok(text.find("event=serving") < text.find("event=reload_failed") < text.find("event=log_dropped"), what + ": in its order")


def ends(tap, room, target, what):
    target_stuck = target.stuck()
    room.mapd.send_signal(signal.SIGTERM)
    try:
        status = room.mapd.wait(10)
    except subprocess.TimeoutExpired:
        room.mapd.kill()
        status = "no end within 10 s"
    tap.equal((target_stuck, status), (True, 0), what + ": SIGTERM ends it, although nothing is read")


def full_pipe(tap):
    what = "a full pipe"
    with Room() as room:
        pipe = FullPipe()
        tap.ok(pipe.filled + 4096 > pipe.size() and pipe.stuck(), "the fault is there: %d octets in the pipe, a write would wait" % pipe.filled)
        start_into(room, pipe.writer)
        tap.ok(pipe.stuck(), what + ": the start does not wait for it")
        all_serves(tap, room, what)
        bad_reloads(room, 5)
        change_settings(room)
        tap.ok(pipe.stuck(), "the fault bit: after all that a write still waits")
        all_serves(tap, room, what + ", lines dropped")
        gap_is_named(tap, room, pipe, what)
        pipe.fill()
        bad_reloads(room, 1)
        ends(tap, room, pipe, what)
        pipe.close()


def failed_start(tap):
    """The sentence has nobody to read it: the start ends all the same."""
    pipe = FullPipe()
    with Room(redis=False) as room:
        with open(room.path("bad.conf"), "w") as f:
            f.write("garbage\n")
        with socket.socket(socket.AF_UNIX) as live:
            live.bind(room.where[5:])
            live.listen()
            for conf, code in ((room.path("bad.conf"), 78), (room.write(), 71)):
                tap.equal(subprocess.run([MAPD, "-f", "-c", conf], stdin=subprocess.DEVNULL, stderr=pipe.writer, timeout=20).returncode, code,
                          "a full pipe: a start that fails ends, exit %d" % code)
        tap.ok(pipe.stuck(), "the fault was there")
    pipe.close()


def stopped_syslogd(tap):
    what = "a stopped syslogd"
    with Room({"log": {"target": "syslog"}}) as room:
        syslogd = StoppedSyslogd(room.path("log.sock"))
        if syslogd.missing():
            tap.skip(what, syslogd.missing())
            return
        tap.ok(syslogd.stuck(), "the fault is there: a datagram would wait")
        start_into(room, subprocess.DEVNULL, *syslogd.before())
        all_serves(tap, room, what)
        bad_reloads(room, 5)
        room.reload(log={"level": "debug"})  # would open the log again
        change_settings(room)
        tap.ok(syslogd.stuck(), "the fault bit: after all that a datagram still waits")
        all_serves(tap, room, what + ", lines dropped")
        gap_is_named(tap, room, syslogd, what)
        while not syslogd.stuck():
            pass
        bad_reloads(room, 1)
        ends(tap, room, syslogd, what)
        syslogd.close()


def fifo(tap):
    """A FIFO where a file should be: nobody writes to it, nobody waits for it."""
    with Room() as room:
        room.start()
        good = dict(room.conf)
        os.mkfifo(room.path("fifo"))
        os.rename(room.path("tlsmode.conf"), room.path("kept.conf"))
        os.mkfifo(room.path("tlsmode.conf"))
        room.mapd.send_signal(signal.SIGHUP)
        room.logged(r"event=reload_failed reason=[^\n]*tlsmode\.conf: cannot read the configuration: not a regular file")
        tap.equal(room.ask("enforced", HIT), STRICT, "a FIFO as configuration: refused at SIGHUP, and answers go on")
        os.unlink(room.path("tlsmode.conf"))
        rows = (("dns", "trust_anchor"), ("dns", "root_hints"), ("sts", "ca_file"), ("redis", "password_file"))
        for i, (section, option) in enumerate(rows, 1):
            room.conf = {name: dict(value) if isinstance(value, dict) else value for name, value in good.items()}
            room.write(**{section: {option: room.path("fifo")}})
            room.mapd.send_signal(signal.SIGHUP)
            room.logged(r"event=reload_failed reason=[^\n]*:\d+: %s\.%s: cannot read \S+/fifo: not a regular file" % (section, option))
            tap.equal(room.ask("enforced", HIT), STRICT, "a FIFO as %s.%s: refused at SIGHUP with its line, and answers go on" % (section, option))
            status, said, _ = room.try_start("-t", "-c", room.path("tlsmode.conf"))
            tap.ok(status == 78 and "not a regular file" in said, "and by -t", status, said)
        room.conf = good
        room.reload()
        tap.equal(room.stop(), 0, "the right file is taken again; a clean end")


def run(tap):
    full_pipe(tap)
    failed_start(tap)
    stopped_syslogd(tap)
    fifo(tap)


if __name__ == "__main__":
    main(run)
