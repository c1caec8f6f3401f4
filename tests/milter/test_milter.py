#!/usr/bin/env python3
"""The real tlsmode-milter with a real redis-server and a milter-protocol client: every promise of tlsmode-milter(8)."""
import contextlib
import os
import random
import re
import signal
import socket
import stat
import sys
import threading
import time

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from milter_client import ALL_ACTIONS, ACTIONS, STEPS, Closed, Session, connect  # noqa: E402
from milter_room import DEADLINE, Milter, Redis, main, run, same, session, test, wait_for  # noqa: E402


def negotiated(s, wanted, unwanted):
    for step in wanted:
        assert s.steps & STEPS[step], step
    for step in unwanted:
        assert not s.steps & STEPS[step], step


@test("negotiation asks for the least: no body, no replies but the last, five macros; no recipients where no route is watched")
def negotiation(w, m):
    least = ("noconnect", "nohelo", "nobody", "noeoh", "nounknown", "nodata", "nr_mail", "nr_hdr")
    with session(m) as s:
        negotiated(s, least + ("nr_rcpt",), ("nomail", "nohdrs", "norcpt"))
        same(s.actions, sum(ACTIONS.values()))
        same(s.macros_wanted, {2: "{auth_authen} {mail_addr}", 3: "i {rcpt_addr} {rcpt_mailer}", 5: "i"})
        s.mail("<a@enf.test>")
        s.rcpt("<x@y.test>", "smtp")
        s.header("Subject", "x")
        assert s.silent()
    for options in ('strict_transports = {"*"}', "on_mismatch = filter"):
        m.reload(milter=options)
        with session(m) as s:
            negotiated(s, least + ("norcpt",), ())
    for options in ("on_escape = tempfail", "on_escape = reject"):
        m.reload(milter=options)
        with session(m) as s:
            negotiated(s, least, ("norcpt", "nr_rcpt"))
    m.reload(milter="")


@test("beyond max_sessions the MTA finds no milter; sessions that are open go on")
def full(w, m):
    m.reload(milter="max_sessions = 3")
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(session(m)) for _ in range(3)]
        refused = 0
        for _ in range(5):
            try:
                stack.enter_context(session(m))
            except (Closed, ConnectionError):
                refused += 1
        same(refused, 5)
        same(m.log().count("event=session_refused"), 1)
        for s in opened:
            same(s.message("<a@enf.test>"), (b"c", b""))
            same(s.tags(), ["enforced; domain=enf.test; by=envelope"])
        opened[0].quit()
        opened[0].close()

        def there_again():
            try:
                with session(m) as s:
                    return s.message("<a@enf.test>") == (b"c", b"")
            except (Closed, ConnectionError):
                return False
        wait_for("a session", there_again)
    m.reload(milter="")


@test("each mode and its identity, in the one header")
def modes(w, m):
    rows = [("<a@enf.test>", "enforced; domain=enf.test; by=envelope"), ("<a@ver.test>", "verified; domain=ver.test; by=envelope"),
            ("<a@opp.test>", "opportunistic; domain=opp.test; by=envelope"), ("<a@no.test>", "opportunistic; domain=no.test; by=envelope"),
            ("<A@ENF.TEST.>", "enforced; domain=enf.test; by=envelope"), ("<a@a.b.sub.test>", "enforced; domain=a.b.sub.test; by=envelope"),
            ("<>", "enforced; domain=<>; by=envelope"), ("<a@bücher.test>", "verified; domain=xn--bcher-kva.test; by=envelope"),
            ('<"x@enf.test"@opp.test>', "opportunistic; domain=opp.test; by=envelope"), ("<postmaster>", "opportunistic; by=envelope"),
            ("<a@[127.0.0.1]>", "opportunistic; by=envelope")]
    with session(m) as s:
        for sender, tag in rows:
            same(s.message(sender, [("Subject", "x")], args=["SIZE=100", "BODY=8BITMIME"]), (b"c", b""))
            same(s.tags(), [tag])
            same(s.headers[0][0], b"X-TLS-Mode")


@test("a forged header goes, in any case and however often; other fields stay in order")
def forged(w, m):
    names = ["X-TLS-Mode", "x-tls-mode", "X-TLS-MODE", "x-TlS-mOdE", "X-TLS-Mode ", "X-TLS-Mode\t"]
    others = [("Received", "a"), ("X-TLS-Modes", "b"), ("X-TLS", "c"), ("Subject", "X-TLS-Mode: verified")]
    headers = []
    for i, name in enumerate(names):
        headers += [(name, "verified; domain=%d" % i), others[i % len(others)]]
    with session(m) as s:
        for sender, tag in (("<a@opp.test>", "opportunistic; domain=opp.test; by=envelope"), ("<a@enf.test>", "enforced; domain=enf.test; by=envelope")):
            same(s.message(sender, headers, queue_id="F0RGED"), (b"c", b""))
            same(s.tags(), [tag])
            same([h[0].decode() for h in s.headers[1:]], [others[i % len(others)][0] for i in range(len(names))])
    m.wait_log("F0RGED: event=tagged mode=enforced domain=enf.test by=envelope removed=6")


@test("RET=HDRS on strict mail only, and not where it stands already")
def return_headers(w, m):
    with session(m) as s:
        s.message("<a@enf.test>", args=["RET=FULL", "ENVID=x"])
        same((s.sender, s.args), (b"<a@enf.test>", ["ENVID=x", "RET=HDRS"]))
        s.message("<a@ver.test>")
        same(s.args, ["RET=HDRS"])
        s.message("<a@opp.test>", args=["RET=FULL"])
        same(s.args, ["RET=FULL"])
        s.message("<>")
        same(s.args, [])
    with session(m, actions=ALL_ACTIONS & ~ACTIONS["chgfrom"]) as s:
        same(s.message("<a@enf.test>", args=["RET=FULL"]), (b"c", b""))
        same((s.args, s.tags()), (["RET=FULL"], ["enforced; domain=enf.test; by=envelope"]))
    m.wait_log("event=return-headers status=failed")


@test("abort at every stage: nothing of a message reaches the next one")
def abort(w, m):
    def until(s, stage):
        s.mail("<a@ver.test>", login="x@ver.test")
        if stage >= 1:
            s.header("X-TLS-Mode", "verified")
        if stage >= 2:
            s.header("From", "a@ver.test")
        s.abort()
    with session(m) as s:
        s.abort()
        for stage in (0, 1, 2):
            until(s, stage)
            same(s.message("<a@opp.test>"), (b"c", b""))
            same((s.tags(), s.headers), (["opportunistic; domain=opp.test; by=envelope"], s.headers[:1]))
        until(s, 2)
        s.abort()
        until(s, 2)
        s.quit()


@test("a client that goes away at every stage harms nobody and leaves nothing under way")
def gone(w, m):
    for stage in range(6):
        s = Session(m.address(), negotiate=stage > 0)
        if stage > 1:
            s.mail("<a@enf.test>")
        if stage > 2:
            s.header("From", "x")
        if stage > 3:
            s.send(b"E")
        if stage > 4:
            s.sock.shutdown(socket.SHUT_WR)
        s.close()
    for garbage in (b"", b"\0", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1Z", b"\0\0\0\2O\0", b"GET / HTTP/1.0\r\n\r\n"):
        c = connect(m.address())
        c.sendall(garbage)
        c.close()
    same(m.mode_of("<a@enf.test>"), ["enforced; domain=enf.test; by=envelope"])


@test("10,000 fields, 500 of them forged, and a tag all the same")
def many_fields(w, m):
    headers = [("X-%d" % i, "v%d" % i) for i in range(9500)] + [("X-Tls-Mode", "verified")] * 500
    random.Random(1).shuffle(headers)
    with session(m) as s:
        same(s.message("<a@enf.test>", headers), (b"c", b""))
        same(s.tags(), ["enforced; domain=enf.test; by=envelope"])
        same(len(s.headers), 9501)


@test("a field of 64 KB is read; one of 1 MB ends that session only")
def big_field(w, m):
    with session(m) as s:
        same(s.message("<a@enf.test>", [("Subject", "x" * 65000), ("From", "y" * 65000)]), (b"c", b""))
        same(s.tags(), ["enforced; domain=enf.test; by=envelope"])
    with session(m) as s:
        s.mail("<a@enf.test>")
        try:
            s.header("Subject", "x" * 1000000)
            s.end()
            raise AssertionError("1 MB was taken by libmilter: the limit has changed")
        except Closed:
            pass
    same(m.mode_of("<a@ver.test>"), ["verified; domain=ver.test; by=envelope"])


@test("NUL octets, control characters, UTF-8 and line ends in names and values do no harm")
def octets(w, m):
    with session(m) as s:
        for name, value in ((b"Subject", b"a\0b"), (b"Sub\0ject", b"x"), (b"Subject", b"\xff\xfe\x01"), ("Ü".encode(), "ü".encode()),
                            (b"X", b"\r\n.\r\n"), (b"From", b"\0a@ver.test")):
            same(s.message("<a@enf.test>", [(name, value)]), (b"c", b""))
            same(s.tags(), ["enforced; domain=enf.test; by=envelope"])
        for sender in (b"<a@enf.test\r\nX-Evil: 1>", b"<a@\xff\xff>", b"<a@enf.test; x=y>", b"<" + b"a" * 5000 + b"@enf.test>", b"<<>>", b"\x01"):
            same(s.message(sender)[0], b"c")
            same(len(s.tags()), 1)
            assert re.fullmatch(r"(opportunistic|enforced); (domain=[a-z0-9.<>-]+; )?by=envelope", s.tags()[0]), s.tags()
    with session(m) as s:
        s.mail("<a@enf.test>")
        s.header("", "")  # libmilter takes it for a broken packet
        with contextlib.suppress(Closed):
            s.end()
    same(m.mode_of("<a@enf.test>"), ["enforced; domain=enf.test; by=envelope"])


@test("an MTA that knows less: no NR flags, no macro lists; one that cannot edit headers is refused")
def simple_mta(w, m):
    with session(m, steps=0x7F) as s:
        same(s.message("<a@enf.test>", [("Subject", "x"), ("X-TLS-Mode", "y")]), (b"c", b""))
        same(s.tags(), ["enforced; domain=enf.test; by=envelope"])
    with session(m, steps=0, actions=0x3F) as s:
        same(s.macros_wanted, {})
        same(s.message("<a@enf.test>", [("Subject", "x")]), (b"c", b""))
        same(s.tags(), ["enforced; domain=enf.test; by=envelope"])
    try:
        Session(m.address(), actions=ACTIONS["addhdrs"])
        raise AssertionError("a tag that cannot be removed was accepted")
    except Closed:
        pass
    m.wait_log("event=negotiation status=failed")


@test("a queue id is logged, quoted when strange, NOQUEUE when missing")
def queue_ids(w, m):
    with session(m) as s:
        s.message("<a@enf.test>", queue_id="4F1x2y3z")
        s.message("<a@enf.test>", queue_id=None)
        s.message("<a@enf.test>", queue_id="evil\nline = x")
    m.wait_log("4F1x2y3z: event=tagged mode=enforced domain=enf.test by=envelope removed=0")
    m.wait_log("NOQUEUE: event=tagged")
    m.wait_log('"evil\\x0aline = x": event=tagged')


@test("many sessions at once, messages interleaved")
def many_sessions(w, m):
    rows = [("<a@enf.test>", "enforced; domain=enf.test; by=envelope"), ("<a@ver.test>", "verified; domain=ver.test; by=envelope"),
            ("<a@opp.test>", "opportunistic; domain=opp.test; by=envelope")]
    sessions = [Session(m.address()) for _ in range(60)]
    for turn in range(3):
        for i, s in enumerate(sessions):
            s.mail(rows[(i + turn) % 3][0])
        for s in sessions:
            s.header("X-TLS-Mode", "forged")
        for s in reversed(sessions):
            s.end()
        for i, s in enumerate(sessions):
            same(s.tags(), [rows[(i + turn) % 3][1]])
    for s in sessions:
        s.quit()


@test("a setting changed while connected holds for the next message")
def live(w, m):
    with session(m) as s:
        took = []
        for mode in ("enforced", "verified", "opportunistic", "enforced") * 3:
            s.message("<a@live.test>")
            start = time.monotonic()
            w.redis.sender("live.test", mode)

            def there():
                s.message("<a@live.test>")
                return s.tags() == ["%s; domain=live.test; by=envelope" % mode]
            wait_for("mode " + mode, there)
            took.append((time.monotonic() - start) * 1000)
        print("# from before HSET to the end of the first message with it: median %.1f ms, most %.1f ms" % (sorted(took)[len(took) // 2], max(took)))
        w.redis.do("DEL", "tlsmode:sender:live.test")
        wait_for("deletion", lambda: s.message("<a@live.test>") and s.tags() == ["opportunistic; domain=live.test; by=envelope"])


@test("an unknown mode reads as enforced")
def bad_mode(w, m):
    w.redis.sender("bad.test", "enforcd")
    wait_for("strict reading", lambda: m.mode_of("<a@bad.test>") == ["enforced; domain=bad.test; by=envelope"])


@test("Redis killed in mid-session: the last known settings stay; back again: new ones come")
def redis_dies(w, m):
    with session(m) as s:
        s.message("<a@ver.test>")
        w.redis.kill()
        for _ in range(20):
            s.message("<a@ver.test>")
            same(s.tags(), ["verified; domain=ver.test; by=envelope"])
            s.message("<a@enf.test>")
            same(s.tags(), ["enforced; domain=enf.test; by=envelope"])
        w.redis.start()
        for domain, mode in (("opp.test", "opportunistic"), ("enf.test", "enforced"), ("ver.test", "verified"), (".sub.test", "enforced"),
                             ("<>", "enforced"), ("xn--bcher-kva.test", "verified"), ("back.test", "verified")):
            w.redis.sender(domain, mode)
        wait_for("settings again", lambda: s.message("<a@back.test>") and s.tags() == ["verified; domain=back.test; by=envelope"])


@test("identities from and auth: the strictest wins, from one reload to the next")
def identities(w, m):
    m.reload(milter='identity = {"envelope", "from", "auth"}')
    with session(m) as s:
        s.message("<a@opp.test>", [("From", "b@enf.test")], login="c@ver.test")
        same(s.tags(), ["verified; domain=ver.test; by=auth"])
        s.message("<a@opp.test>", [("From", "b@ver.test")], login="c@enf.test", queue_id="M1SM")
        same(s.tags(), ["verified; domain=ver.test; by=from"])
        s.message("<a@opp.test>", [("From", "b@enf.test"), ("from", "b@enf.test")], login="user")
        same(s.tags(), ["opportunistic; domain=opp.test; by=envelope"])
        s.message("<a@opp.test>", [("From", '"b@ver.test" <b@opp.test>')])
        same(s.tags(), ["opportunistic; domain=opp.test; by=envelope"])
    m.wait_log('M1SM: event=mismatch mode=verified domain=ver.test by=from')
    m.reload(milter='identity = {"from"} tag_opportunistic = false header = "X-Other"')
    with session(m) as s:
        s.message("<a@ver.test>", [("From", "b@opp.test"), ("X-OTHER", "x"), ("X-TLS-Mode", "kept")])
        same((s.tags(b"X-Other"), s.tags()), ([], ["kept"]))
        s.message("<a@opp.test>", [("From", "b@enf.test"), ("X-OTHER", "x")])
        same(s.tags(b"X-Other"), ["enforced; domain=enf.test; by=from"])
    m.reload(milter='identity = {"auth"} return_headers = false')
    with session(m) as s:
        s.message("<a@ver.test>", [("From", "b@ver.test")], login="c@Enf.Test", args=["RET=FULL"])
        same((s.tags(), s.args), (["enforced; domain=enf.test; by=auth"], ["RET=FULL"]))
        for _ in range(2):  # a login must not outlive its message
            s.message("<a@ver.test>")
            same(s.tags(), ["opportunistic; by=auth"])
    m.reload(milter="", level="debug")
    with session(m) as s:
        s.message("<a@opp.test>", [("From", "b@ver.test"), ("From", "b@ver.test")], login="user", queue_id="D3BUG1")
        s.message("<>", [("From", "b@ver.test")], queue_id="D3BUG2")
    m.wait_log('D3BUG1: event=identities envelope=opp.test from="several From fields" auth="no domain"')
    m.wait_log("D3BUG2: event=identities envelope=<> from=ver.test auth=none")
    m.reload(level="info")


@test("on_mismatch and tls_required_no refuse with a reply of their own")
def refusals(w, m):
    m.reload(milter='identity = {"envelope", "from"} on_mismatch = reject tls_required_no = reject')
    with session(m) as s:
        same(s.message("<a@opp.test>", [("From", "b@enf.test")]),
             (b"y", b"550 5.7.1 Author or login requires a stricter TLS mode than the envelope sender; "
                    b"use an envelope sender of the same domain"))
        same(s.message("<a@enf.test>", [("From", "b@enf.test"), ("TLS-Required", "No")]),
             (b"y", b"550 5.7.10 Sender domain requires TLS, but the message says TLS-Required: No; send it without that field"))
        same(s.message("<a@opp.test>", [("From", "b@opp.test"), ("TLS-Required", "No")]), (b"c", b""))
        same(s.message("<a@enf.test>", [("From", "b@enf.test")]), (b"c", b""))
    m.reload(milter="")
    with session(m) as s:
        same(s.message("<a@enf.test>", [("TLS-Required", "No"), ("Subject", "x")]), (b"c", b""))
        same([h[0] for h in s.headers], [b"X-TLS-Mode", b"TLS-Required", b"Subject"])  # the field itself stays as it came


@test("reload is whole or not at all: a bad file changes nothing and is named with its line")
def bad_reload(w, m):
    m.reload(milter='header = "X-One"')
    m.reload(result="event=reload status=failed", milter='header = "X-Two"\n tag_opportunistic = perhaps')
    line = [x for x in m.log().splitlines() if "status=failed" in x][-1]
    assert "tlsmode.conf:6: milter.tag_opportunistic: perhaps is not true or false" in line, line
    with session(m) as s:
        s.message("<a@opp.test>")
        same((s.tags(b"X-One"), s.tags(b"X-Two")), (["opportunistic; domain=opp.test; by=envelope"], []))
    m.reload(result="change with a restart only", milter="", listen="unix:" + m.folder + "/other.sock")
    assert not os.path.exists(m.folder + "/other.sock")
    m.reload(listen="unix:" + m.socket)
    m.reload(sig=signal.SIGHUP)  # a habit; libmilter alone would end
    same(m.mode_of("<a@enf.test>"), ["enforced; domain=enf.test; by=envelope"])


@test("a reload while a message is under way changes only the next")
def reload_midway(w, m):
    with session(m) as s:
        s.mail("<a@opp.test>")
        m.reload(milter='header = "X-Other"')
        s.header("X-TLS-Mode", "forged")
        s.end()
        same((s.tags(), s.tags(b"X-Other")), (["opportunistic; domain=opp.test; by=envelope"], []))
        s.message("<a@opp.test>")
        same((s.tags(), s.tags(b"X-Other")), ([], ["opportunistic; domain=opp.test; by=envelope"]))
    m.reload(milter="")


@test("start without Redis and without a snapshot: when_unknown decides, and Redis is found when it comes")
def unknown(w, m):
    rows = {"tempfail": ((b"y", b"451 4.7.0 TLS mode of the sender is not known yet, try again later"), []),
            "opportunistic": ((b"c", b""), ["opportunistic; domain=ver.test; by=unknown"]),
            "enforced": ((b"c", b""), ["enforced; domain=ver.test; by=unknown"])}
    for when, (reply, tags) in rows.items():
        n = w.milter(when_unknown=when, redis_address="unix:" + w.folder + "/none.sock")
        with session(n) as s:
            same(s.message("<a@ver.test>", [("X-TLS-Mode", "forged")], queue_id="UNKN"), reply)
            same(s.tags(), tags or ["forged"])
        if when == "tempfail":
            n.wait_log("UNKN: event=tempfail mode=enforced domain=ver.test by=unknown removed=0 reason=settings-unknown")
            os.symlink(w.redis.path, w.folder + "/none.sock")
            wait_for("Redis found", lambda: n.mode_of("<a@ver.test>") == ["verified; domain=ver.test; by=envelope"])
            os.unlink(w.folder + "/none.sock")
        n.stop()


@test("a Redis that takes connections and says nothing: the start goes on, and a burst of 600 connections waits for it")
def hanging(w, m):
    path = w.folder + "/hang.sock"
    with socket.socket(socket.AF_UNIX) as hang:
        hang.bind(path)
        hang.listen(16)
        n = w.milter(wait=False, redis_address="unix:" + path, when_unknown="enforced")
        wait_for("the socket", lambda: os.path.exists(n.socket) and stat.S_IMODE(os.stat(n.socket).st_mode) == 0o660)
        clients = [connect(n.socket) for _ in range(600)]
        n.wait_log("event=started")
        same(n.mode_of("<a@ver.test>"), ["enforced; domain=ver.test; by=unknown"])
        for c in clients:
            c.close()
        same(n.stop(), 0)


@test("a reload may name another Redis")
def other_redis(w, m):
    path = w.folder + "/link.sock"
    os.symlink(w.redis.path, path)
    m.reload(redis_address="unix:" + path)
    same(m.mode_of("<a@ver.test>"), ["verified; domain=ver.test; by=envelope"])
    m.wait_log("event=redis_up address=unix:" + path)
    w.redis.sender("moved.test", "enforced")
    wait_for("the new connection", lambda: m.mode_of("<a@moved.test>") == ["enforced; domain=moved.test; by=envelope"])
    m.reload(redis_address="unix:" + w.redis.path)
    w.redis.sender("moved.test", "verified")
    wait_for("the old connection", lambda: m.mode_of("<a@moved.test>") == ["verified; domain=moved.test; by=envelope"])
    os.unlink(path)


@test("start without Redis but with a snapshot: the last known settings hold")
def snapshot(w, m):
    path = w.folder + "/snapshot"
    first = w.milter(snapshot=path)
    same(first.mode_of("<a@ver.test>"), ["verified; domain=ver.test; by=envelope"])
    wait_for("snapshot", lambda: os.path.exists(path + ".milter"))
    same(first.stop(), 0)
    second = w.milter(snapshot=path, redis_address="unix:" + w.folder + "/none.sock")
    same(second.mode_of("<a@ver.test>"), ["verified; domain=ver.test; by=envelope"])
    same(second.mode_of("<a@enf.test>"), ["enforced; domain=enf.test; by=envelope"])
    same(second.stop(), 0)


@test("what changed just before a clean stop is in the snapshot; the file is the milter's own")
def snapshot_at_the_end(w, m):
    path = w.folder + "/end"
    with open(path, "w") as f:
        f.write("tlsmode-mapd may have had this one: another account's, or another program's")
    n = w.milter(snapshot=path)
    n.wait_log("event=snapshot_damaged file=" + path)  # what stood there before each had its own
    w.redis.sender("late.test", "verified")
    wait_for("the change", lambda: n.mode_of("<a@late.test>") == ["verified; domain=late.test; by=envelope"])
    same(n.stop(), 0)
    n = w.milter(snapshot=path, redis_address="unix:" + w.folder + "/none.sock")
    same(n.mode_of("<a@late.test>"), ["verified; domain=late.test; by=envelope"])
    same(n.stop(), 0)
    with open(path) as f:
        assert f.read().startswith("tlsmode-mapd")


@test("a damaged snapshot and an empty Redis: deferred, until there are settings")
def damaged(w, m):
    folder = w.folder + "/empty"
    os.mkdir(folder)
    path = folder + "/settings"
    with open(path + ".milter", "w") as f:
        f.write("torn")
    redis = Redis(folder)
    redis.start()
    try:
        n = w.milter(snapshot=path, redis_address="unix:" + redis.path)
        n.wait_log("event=snapshot_damaged state=unknown")
        with session(n) as s:
            same(s.message("<a@ver.test>"), (b"y", b"451 4.7.0 TLS mode of the sender is not known yet, try again later"))
        redis.sender("ver.test", "verified")
        wait_for("settings", lambda: n.mode_of("<a@ver.test>") == ["verified; domain=ver.test; by=envelope"])
        same(n.stop(), 0)
    finally:
        redis.kill()


@test("SIGTERM: a message under way is finished, nobody new gets in, exit 0")
def sigterm(w, m):
    n = w.milter()
    with session(n, steps=0x7F) as s, session(n) as idle:  # MAIL is answered here: it is under way then
        idle.message("<a@opp.test>")
        s.mail("<a@enf.test>")
        s.header("X-TLS-Mode", "forged")
        n.process.terminate()
        n.wait_log("event=stopping in_flight=1")
        try:
            Session(n.address())
            raise AssertionError("a new connection after SIGTERM was served")
        except (Closed, OSError):
            pass
        time.sleep(0.5)  # longer than the quiet time: it must wait for us
        assert n.process.poll() is None
        s.header("From", "x")
        same(s.end(), (b"c", b""))
        same(s.tags(), ["enforced; domain=enf.test; by=envelope"])
        start = time.monotonic()
        same(n.process.wait(DEADLINE), 0)
        print("# end after the last message: %.0f ms" % ((time.monotonic() - start) * 1000))
    n.wait_log("event=stopped unfinished=0")
    assert not os.path.exists(n.socket)


@test("SIGTERM under load: no message that was begun is lost before its reply")
def sigterm_load(w, m):
    n = w.milter()
    begun, broken = [0], []
    stop = threading.Event()

    def client():
        s = Session(n.address())
        while not stop.is_set():
            try:
                s.mail("<a@enf.test>")
            except Closed:
                return  # not begun
            begun[0] += 1
            try:
                s.header("X-TLS-Mode", "x")
                s.end()
                time.sleep(0.3)  # at rest between two messages, longer than the quiet time
            except Closed:
                broken.append(1)
                return
    threads = [threading.Thread(target=client) for _ in range(8)]
    for t in threads:
        t.start()
    wait_for("some messages", lambda: begun[0] >= 40)
    n.process.terminate()
    same(n.process.wait(DEADLINE), 0)
    stop.set()
    for t in threads:
        t.join()
    print("# %d messages begun, %d cut by the end of the process" % (begun[0], len(broken)))


@test("a TCP socket, a stale unix socket, mode and group")
def sockets(w, m):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    n = w.milter(listen="inet:127.0.0.1:%d" % port)
    n.address = lambda: ("127.0.0.1", port)
    same(n.mode_of("<a@enf.test>"), ["enforced; domain=enf.test; by=envelope"])
    with session(n, steps=0x7F) as s:
        s.mail("<a@enf.test>")
        n.process.terminate()
        n.wait_log("event=stopping")
        same(s.end(), (b"c", b""))
        same(n.process.wait(DEADLINE), 0)
    n = w.milter(milter="socket_mode = 0600")
    same(stat.S_IMODE(os.stat(n.socket).st_mode), 0o600)
    n.process.kill()
    n.process.wait()
    assert os.path.exists(n.socket)  # stale now
    n.start(wait=False)
    n.wait_log("event=started", 2)
    same(n.mode_of("<a@enf.test>"), ["enforced; domain=enf.test; by=envelope"])
    if os.geteuid() == 0:
        n.stop()
        n.write_conf(group="daemon", milter="")
        n.start(wait=False)
        n.wait_log("event=started", 3)
        same((stat.S_IMODE(os.stat(n.socket).st_mode), os.stat(n.socket).st_gid), (0o660, 1))


@test("as root it drops to its account")
def account(w, m):
    if os.geteuid() != 0:
        return "not root"
    n = w.milter(user="nobody", group="daemon")
    with open("/proc/%d/status" % n.process.pid) as f:
        status = f.read()
    import pwd
    uid = pwd.getpwnam("nobody").pw_uid
    assert re.search(r"^Uid:\s+%d\s+%d\s+%d" % (uid, uid, uid), status, re.M), status
    groups = re.search(r"^Groups:\s+(.*)$", status, re.M).group(1).split()
    assert "1" in groups and "0" not in groups, groups
    same(n.mode_of("<a@enf.test>"), ["enforced; domain=enf.test; by=envelope"])
    n.reload()
    # what only root can read would fail at the first reload: it is refused at the start
    secret = w.folder + "/password"
    with open(secret, "w") as f:
        f.write("x\n")
    os.chmod(secret, 0o600)
    conf = w.folder + "/account.conf"
    with open(conf, "w") as f:
        f.write('user = "nobody"\nlog { target = stderr }\nredis { password_file = "%s" }\nmilter { socket_group = "" listen = "unix:%s/acc.sock" }\n'
                % (secret, w.folder))
    r = run("-f", "-c", conf)
    assert r.returncode == 78 and "redis.password_file: cannot read" in r.stderr and "account of option user" in r.stderr, r


@test("-t, -V, --print-sample-config, and what is wrong is said in one sentence with exit 78, 71 or 64")
def options(w, m):
    r = run("-t", "-c", m.file)
    same((r.returncode, r.stdout, r.stderr), (0, "configuration ok\n", ""))
    r = run("-V")
    assert r.returncode == 0 and "libmilter" in r.stdout and "libevent" in r.stdout, r
    r = run("--print-sample-config")
    assert r.returncode == 0 and 'header = "X-TLS-Mode"' in r.stdout
    same(run("-x").returncode, 64)
    same(run("extra").returncode, 64)
    r = run("-t", "-c", "/nowhere/conf")
    same((r.returncode, r.stderr), (78, "tlsmode-milter: /nowhere/conf: cannot read the configuration: No such file or directory\n"))
    bad = w.folder + "/bad.conf"
    rows = [('milter { headr = "x" }', 78, ":1: no such option 'headr' in section milter"),
            ('milter { listen = "unix:/%s" }' % ("a" * 120), 78, "too long"),
            ('user = ""\nmilter { socket_group = "no-such-group" }', 78, ":2: milter.socket_group: no such group: no-such-group"),
            ('user = ""\nlog { target = stderr }\nmilter { socket_group = "" listen = "unix:%s" }' % m.socket, 71, "another process listens there already"),
            ('user = ""\nlog { target = stderr }\nmilter { socket_group = "" listen = "unix:/nowhere/s" }', 71, "No such file or directory"),
            ('user = ""\nlog { target = stderr }\nmilter { socket_group = "" listen = "unix:%s" }' % bad, 71, "is not a socket")]
    for text, code, holds in rows:
        with open(bad, "w") as f:
            f.write(text + "\n")
        r = run("-f", "-c", bad)
        assert r.returncode == code and holds in r.stderr and r.stderr.count("\n") == 1, (text, r)
    same(m.mode_of("<a@enf.test>"), ["enforced; domain=enf.test; by=envelope"])


@test("in the background: started means serving, and a failed start is reported")
def background(w, m):
    folder = w.folder + "/bg"
    os.mkdir(folder)
    n = Milter(folder, w.redis.path)
    n.write_conf()
    text = open(n.file).read().replace("target = stderr", "target = syslog")
    with open(n.file, "w") as f:
        f.write(text)
    r = run("-c", n.file)
    same((r.returncode, r.stdout, r.stderr), (0, "", ""))
    try:
        same(n.mode_of("<a@enf.test>"), ["enforced; domain=enf.test; by=envelope"])
        r = run("-c", n.file)
        assert r.returncode == 71 and "another process listens" in r.stderr, r
        n.write_conf()
        r = run("-c", n.file)
        assert r.returncode == 78 and "log.target" in r.stderr and "needs -f" in r.stderr, r
    finally:
        with contextlib.closing(connect(n.socket)) as s:
            pid = int.from_bytes(s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)
        os.kill(pid, signal.SIGTERM)
    wait_for("the end of the background process", lambda: not os.path.exists("/proc/%d/exe" % pid) or not os.path.exists(n.socket))


@test("bad things are said, and nothing of a sanitizer is in any log")
def logs(w, m):
    for n in w.milters:
        running = n.process.poll() is None
        status = n.stop()
        text = n.log()
        for word in ("WARNING: ThreadSanitizer", "Sanitizer", "runtime error", "assertion", "Assertion"):
            assert word not in text, text[max(text.index(word) - 200, 0):][:6000]
        if running:
            same(status, 0)


if __name__ == "__main__":
    sys.exit(main())
