#!/usr/bin/env python3
"""The milter's watch on routes: a recipient whose transport does not keep the sender's mode is logged, counted and, by option,
refused."""
import os
import re
import sys

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from milter_room import main, same, session, test, wait_for  # noqa: E402

ESCAPE = b" Sender domain requires TLS, but the configured route to a recipient does not keep it; tell your postmaster"


def escapes_of(m, queue_id):
    """(action, mode, mailer, rcpt) of each line, in order"""
    line = re.compile(r"^(?:.* )?%s: event=escape action=(\S+) mode=(\S+) mailer=(\S+) sender=\S+ rcpt=(\S+)$" % queue_id, re.M)
    return line.findall(m.log())


@test("a recipient whose route does not keep the mode is logged at the end and counted; others and opportunistic mail are not")
def escape_logged(w, m):
    w.redis.do("HSET", "tlsmode:sender:pool.test", "mode", "enforced", "via", "pool2")
    wait_for("the setting", lambda: m.mode_of("<a@pool.test>") == ["enforced; domain=pool.test; by=envelope"])
    m.reload(milter='local_transports = {"local", "lmtp"} strict_transports = {"relay"}')
    rows = [("<a@enf.test>", "smtp-enforced", None), ("<a@enf.test>", "smtp-verified", None), ("<a@enf.test>", "local", None),
            ("<a@enf.test>", "relay", None), ("<a@enf.test>", "smtp", "enforced"), ("<a@enf.test>", "dovecot", "enforced"),
            ("<a@ver.test>", "smtp-enforced", "verified"), ("<a@ver.test>", "smtp-verified", None),
            ("<a@opp.test>", "smtp", None),
            ("<a@pool.test>", "pool2-enforced", None), ("<a@pool.test>", "pool2", "enforced"), ("<a@enf.test>", None, None)]
    with session(m) as s:
        for i, (sender, mailer, mode) in enumerate(rows):
            s.mail(sender)
            same(s.rcpt("<x%d@y.test>" % i, mailer), None)
            same(s.end("ESC%d." % i), (b"c", b""))
            m.wait_log("ESC%d.: event=tagged" % i)
        s.message("<a@opp.test>", queue_id="AFTER")  # its line is written after theirs
        m.wait_log("AFTER: event=tagged")
    for i, (sender, mailer, mode) in enumerate(rows):
        same(escapes_of(m, r"ESC%d\." % i), [("accept", mode, mailer, "<x%d@y.test>" % i)] if mode else [])
    before = counters(m)
    with session(m) as s:
        s.mail("<a@enf.test>")
        for i in range(25):
            s.rcpt("<many%d@y.test>" % i, "smtp")
        s.rcpt("<here@y.test>", "local")
        s.rcpt("<dark@y.test>")
        s.end("MANY")
    m.wait_log("MANY: event=escape action=accept mode=enforced more=5")
    same([rcpt for _, _, _, rcpt in escapes_of(m, "MANY")], ["<many%d@y.test>" % i for i in range(20)])
    same(counters_grown(m, before), {"messages": 1, "enforced": 1, "escapes": 25, "untold": 1})
    m.reload(milter="")
    w.redis.do("DEL", "tlsmode:sender:pool.test")


def counters(m):
    """What the milter says when it is asked to by a reload, after something was there to count."""
    m.mode_of("<a@opp.test>")
    seen = m.log().count("event=counters")
    m.reload()
    m.wait_log("event=counters", seen + 1)
    return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", m.log().rsplit("event=counters", 1)[1].split("\n")[0])}


def counters_grown(m, before):
    now = counters(m)
    grown = {k: now[k] - before[k] for k in now if now[k] != before[k]}
    grown["messages"] -= 1  # the one of counters() itself
    return grown


@test("on_escape refuses that recipient at RCPT TO, and no other")
def escape_refused(w, m):
    for action, reply in (("tempfail", b"451 4.7.10"), ("reject", b"550 5.7.10")):
        m.reload(milter="on_escape = " + action)
        before = counters(m)
        with session(m) as s:
            s.mail("<a@ver.test>")
            same(s.rcpt("<in@y.test>", "smtp-verified"), (b"c", b""))
            same(s.rcpt("<out@y.test>", "smtp", queue_id="RQ" + action), (b"y", reply + ESCAPE))
            same(s.rcpt("<less@y.test>", "smtp-enforced"), (b"y", reply + ESCAPE))
            same(s.rcpt("<home@y.test>", "virtual"), (b"c", b""))
            same(s.rcpt("<dark@y.test>"), (b"c", b""))
            same(s.end("END" + action), (b"c", b""))
            same(s.tags(), ["verified; domain=ver.test; by=envelope"])
            s.mail("<a@opp.test>")
            same(s.rcpt("<out@y.test>", "smtp"), (b"c", b""))
            same(s.end(), (b"c", b""))
        same(escapes_of(m, "RQ" + action), [(action, "verified", "smtp", "<out@y.test>")])
        assert (action, "verified", "smtp-enforced", "<less@y.test>") in escapes_of(m, "NOQUEUE")
        same(escapes_of(m, "END" + action), [])
        same(counters_grown(m, before), {"messages": 2, "verified": 1, "escapes": 2, "escapes_refused": 2, "untold": 1})
    m.reload(milter="")


@test("what only the header tells is held against the recipients at the end: the whole message is refused")
def escape_at_end(w, m):
    def send(s, author, queue_id):
        s.mail("<a@opp.test>")
        same(s.rcpt("<out@y.test>", "smtp"), (b"c", b""))
        same(s.rcpt("<home@y.test>", "local"), (b"c", b""))
        s.header("From", author)
        return s.end(queue_id)
    for action, reply in (("tempfail", b"451 4.7.10"), ("reject", b"550 5.7.10")):
        m.reload(milter='identity = {"envelope", "from"} on_escape = ' + action)
        with session(m) as s:
            same(send(s, "b@enf.test", "HDR" + action), (b"y", reply + ESCAPE))
            same(send(s, "b@opp.test", "HDR2" + action), (b"c", b""))
        m.wait_log("HDR%s: event=escape" % action)
        same(escapes_of(m, "HDR" + action), [(action, "enforced", "smtp", "<out@y.test>")])
        same(escapes_of(m, "HDR2" + action), [])
    m.reload(milter="")


@test("a reload that begins to refuse: a connection without replies at RCPT TO hears of it at the end")
def escape_reload(w, m):
    with session(m) as s:
        m.reload(milter="on_escape = reject")
        s.mail("<a@enf.test>")
        same(s.rcpt("<out@y.test>", "smtp"), None)
        same(s.end(), (b"y", b"550 5.7.10" + ESCAPE))
    with session(m) as s:
        m.reload(milter="")
        s.mail("<a@enf.test>")
        same(s.rcpt("<out@y.test>", "smtp"), (b"c", b""))
        same(s.end(), (b"c", b""))
    with session(m, steps=0x7F) as s:  # an MTA that knows no silence
        s.mail("<a@enf.test>")
        same(s.rcpt("<out@y.test>", "smtp"), (b"c", b""))
        same(s.end("LOUD"), (b"c", b""))
    m.wait_log("LOUD: event=escape action=accept mode=enforced mailer=smtp")


@test("strange addresses and transports in the log, and an abort amid recipients")
def escape_octets(w, m):
    with session(m) as s:
        s.mail("<a@enf.test>")
        s.rcpt("<gone@y.test>", "smtp")
        s.abort()
        s.mail("<a@enf.test>")
        s.rcpt("<x y\n=\x01@y.test>" + "z" * 5000, "sm tp\nevent=evil")
        same(s.end("STRANGE"), (b"c", b""))
    m.wait_log('STRANGE: event=escape action=accept mode=enforced mailer="sm tp\\x0aevent=evil" sender=<a@enf.test> '
               'rcpt="<x y\\x0a=\\x01')
    assert "gone@y.test" not in m.log()


@test("a clean end, and nothing of a sanitizer in the log")
def clean(w, m):
    same(m.stop(), 0)
    for word in ("Sanitizer", "runtime error", "ssertion"):
        assert word not in m.log(), m.log()[-6000:]


if __name__ == "__main__":
    sys.exit(main())
