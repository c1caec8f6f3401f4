#!/usr/bin/python3
"""Traps of absence: tlsmode-mapd away when mail comes, when it is routed and when it is delivered; settings that Redis evicted,
or that nobody knows."""
import dataclasses
import os
import re
import smtplib
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from trap import CLOSED, MODES, OPEN, Mail, Traps, homes, inline, settings, start_postfix  # noqa: E402
from world.redisd import RedisError  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

FIXED = "fixed@fixed.test"  # its transport is in a table, its policy is mapd's
SETTINGS = {**MODES, "fixed.test": "enforced"}
FILLER = "for i = 1, 500 do redis.call('SET', 'filler:' .. ARGV[1] .. ':' .. i, string.rep('x', 1000)) end"


def waits(t, sender, name):
    """smtpd makes the client wait."""
    try:
        t.send(sender, "clear.test")
        code = 250
    except smtplib.SMTPResponseException as error:
        code = error.smtp_code
    t.tap.equal(code, 451, name)


def retried(w, t, mail, words, name):
    """Tries MAIL again, until a status line has WORDS; no receiver has it."""
    def tried():
        w.postfix.flush()
        return [line for line in w.postfix.lines() if "to=<%s>" % mail.rcpt in line and words in line]
    wait_for("%s: %s" % (mail.rcpt, words), tried, 60, 0.5)
    t.tap.equal(t.seen(mail, 0), None, name)


def mapd_away(w, t):
    """Before and after the message is taken: it never travels as if nobody had asked."""
    mails = [t.send(CLOSED, "later.test"), Mail(FIXED, "fixed@later.test", w.postfix.send(FIXED, "fixed@later.test"))]
    for mail in mails:
        t.tap.equal(t.outcome(mail).dsn, "4.2.0", "%s: the receiver is busy, the message waits" % mail.sender)
    w.sinks.add(dataclasses.replace(w.receivers["mx.later.test"], rcpt="250 2.1.5 ok", starttls="none"))
    w.daemons.mapd.stop()
    for sender in (CLOSED, OPEN):
        waits(t, sender, "mapd away: the client of %s waits" % sender)
    retried(w, t, mails[0], "dsn=4.3.0, status=deferred", "mapd away when a message is routed: it waits")
    retried(w, t, mails[1], "dsn=4.7.5, status=deferred", "mapd away when a message is delivered: it waits")
    w.daemons.start_mapd()
    for mail in mails:
        retried(w, t, mail, "dsn=5.7.10, status=bounced", "mapd is back: %s has its mode" % mail.sender)


def again(w, **settings_section):
    """tlsmode-mapd started anew, without what it remembered where that is gone."""
    w.daemons.mapd.stop()
    w.daemons.write(settings=settings_section)
    w.daemons.start_mapd()


def fill(w):
    """Writes to Redis more than it may hold, as facts would; what it said in the end."""
    client = w.redis.connect()
    used = int(re.search(r"used_memory:(\d+)", client("INFO", "memory"))[1])
    client("CONFIG", "SET", "maxmemory", used + 2000000)
    try:
        for number in range(60):
            client("EVAL", FILLER, 0, number)
    except RedisError as error:
        return str(error)
    finally:
        client.close()
    return "taken"


def evicted(w, t):
    """A Redis that may evict settings when it is full tells of it as if somebody had deleted them."""
    trap = "maxmemory-policy allkeys-lru"
    w.redis.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    t.tap.equal(fill(w), "taken", "trap %s: Redis makes room" % trap)
    wait_for("the setting to go", lambda: w.ask("transport", "x@" + CLOSED) == "NOTFOUND ")
    t.leaks(trap, "noeviction", t.send(CLOSED, "clear.test"), "clear.test")
    t.named("redis-eviction")
    for words in (("maxmemory", "0"), ("maxmemory-policy", "noeviction")):
        w.redis.cli("CONFIG", "SET", *words)
    w.redis.cli("FLUSHALL")
    settings(w, SETTINGS)
    t.tap.matches(fill(w), re.compile("OOM"), "trap %s: closed, with noeviction the writer hears that there is no room" % trap)
    t.closed(trap + ", the setting stays", t.send(CLOSED, "clear.test"))
    w.redis.cli("CONFIG", "SET", "maxmemory", "0")


def settings_away(w, t):
    """Redis away when mapd starts: the last copy, else what when_unknown says."""
    trap = "no Redis, no copy of the settings"
    w.redis.stop()
    again(w)
    t.closed("no Redis, the last copy of the settings", t.send(CLOSED, "clear.test"))
    os.remove(w.daemons.conf["settings"]["snapshot"] + ".mapd")
    again(w, when_unknown="opportunistic")
    t.leaks(trap, "when_unknown = tempfail", t.send(CLOSED, "clear.test"), "clear.test")
    again(w, when_unknown="tempfail")
    waits(t, CLOSED, "trap %s: closed, the client waits" % trap)
    again(w, when_unknown="enforced")
    t.closed(trap + ", when_unknown = enforced", t.send(OPEN, "clear.test"))


def test(tap):
    with World("e2e-traps-away") as w:
        homes(w, *MODES, "fixed.test")
        w.destination("clear.test", starttls="none")
        w.destination("later.test", rcpt="450 4.2.0 later")
        w.start(postfix=False)
        maps = inline({FIXED: "smtp-enforced:"}) + ", socketmap:unix:tlsmode/map.sock:transport"
        start_postfix(w, list, sender_dependent_default_transport_maps=maps, minimal_backoff_time="1s")
        settings(w, SETTINGS)
        t = Traps(tap, w)
        for part in (mapd_away, evicted, settings_away):
            part(w, t)
        t.nothing_else()
        w.redis.start()


main(test)
