#!/usr/bin/python3
"""tlsmode, the control tool, against a real Redis and a real tlsmode-mapd: what it prints, writes and returns."""
import json
import os
import re
import subprocess
import sys

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from mapd_room import BUILD, Room, main, wait_for  # noqa: E402

TLSMODE = os.path.join(BUILD, "tlsmode")


class Ctl:
    def __init__(self, room):
        self.room = room

    def __call__(self, *words):
        """Exit status, standard output, standard error."""
        done = subprocess.run([TLSMODE, "-c", self.room.path("tlsmode.conf"), *words], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
        return done.returncode, done.stdout.decode(), done.stderr.decode()


# words, exit status, what standard output must contain, what standard error must contain
ROWS = (
    (["domain", "set", "Closed.TEST", "enforced", "note=first customer"], 0, "", ""),
    (["domain", "get", "closed.test"], 0, r"closed\.test +enforced +- +first customer +never", ""),
    (["domain", "get", "CLOSED.test."], 0, r"closed\.test +enforced", ""),
    (["domain", "get", "none.test"], 1, "", "none.test has no sender setting of its own"),
    (["domain", "set", "b\u00fccher.test", "mode=verified", "via=pool2"], 0, "", ""),
    (["domain", "get", "xn--bcher-kva.test"], 0, r"verified +pool2", ""),
    (["domain", "set", "<>", "mode=opportunistic"], 0, "", ""),
    (["domain", "set", ".below.test", "enforced"], 0, "", ""),
    (["domain", "set", "typo.test", "enfroced"], 65, "", "enfroced: neither a mode"),
    (["domain", "set", "typo.test", "mode=enfroced"], 65, "", "nothing was written"),
    (["domain", "get", "typo.test"], 1, "", ""),
    (["domain", "set", "typo.test", "mode=enfroced"], 65, "", "or verified; nothing was written"),
    (["domain", "set", "typo.test", "enforced", "mode=verified"], 65, "", "mode is given twice; nothing was written"),
    (["domain", "set", "typo.test", "enforced", "verified"], 65, "", "mode is given twice"),
    (["domain", "set", "--rcpt", "--except", "typo.test", "enforced"], 64, "", "only one of --rcpt and --except"),
    (["domain", "set", "typo.test", "enforced", "--no-ttl", "--ttl", "1d"], 64, "", "only one of --ttl and --no-ttl"),
    (["domain", "get", "typo.test"], 1, "", ""),
    (["domain", "set", "--except", "x.test", "mode=enforced"], 65, "", "no meaning in an except setting; nothing was written"),
    (["domain", "set", "x.test", "mode=enforced", "colour=red"], 65, "", "colour"),
    (["domain", "get", "x.test"], 1, "", ""),
    (["domain", "set", "two..dots", "enforced"], 65, "", r"two\.\.dots: "),
    (["domain", "set", "--rcpt", "[Relay.test]:587", "mode=enforced"], 0, "", ""),
    (["domain", "get", "--rcpt", "[relay.test]:submission"], 0, r"\[relay\.test\]:587 +enforced", ""),
    (["domain", "set", "--rcpt", "bank.test", "match=mx1.bank.test:.mx.bank.test"], 0, "", ""),
    (["domain", "set", "--rcpt", "bank.test", "match=*"], 65, "", "match"),
    (["domain", "set", "--except", "old.test", "plaintext=allow", "for=all", "--ttl", "2h30m"], 0, "", ""),
    (["domain", "list", "--except"], 0, r"old\.test +- +- +allow +all +- +2h(29|30)?m? +-", ""),
    (["domain", "set", "--except", "old.test", "dane=ignore", "--no-ttl"], 0, "", "has no end"),
    (["domain", "list", "--except"], 0, r"ignore +- +allow +all +- +never +an exception without an end", ""),
    (["domain", "set", "closed.test", "enforced", "--ttl", "1h"], 0, "", "ends by itself"),
    (["domain", "set", "closed.test", "note=still temporary"], 0, "", r"closed\.test ends by itself in (59m|1h)"),
    (["domain", "set", "closed.test", "enforced", "--ttl", "soon"], 64, "", "--ttl soon"),
    (["domain", "list"], 0, r"SENDER DOMAIN +MODE +VIA", ""),
    (["domain", "list", "*.test"], 0, r"closed\.test", ""),
    (["domain", "unset", "closed.test", "note"], 0, "", ""),
    (["domain", "unset", "closed.test", "note"], 1, "", "nothing to remove"),
    (["domain", "unset", "<>"], 0, "", ""),
    (["domain", "unset", "<>"], 1, "", ""),
    (["domain", "set", "closed.test"], 64, "", "usage: tlsmode domain set"),
    (["query", "closed.test", "--rcpt"], 64, "", "usage: tlsmode query"),
    (["query", "x", "--as", "strict"], 64, "", "the modes are opportunistic, enforced, verified"),
    (["--no-such-option"], 64, "", "no-such-option"),
    (["dance"], 64, "", r"no such command: dance \(tlsmode --help names them\)"),
    (["audit", "x.test"], 64, "", "no such command: audit "),
    (["domain", "dance", "x.test"], 64, "", "no such command: domain dance"),
    (["domain"], 64, "", "usage: tlsmode domain list.*\n.*usage: tlsmode domain get"),
    ([], 64, "", "usage: tlsmode"),
    (["help"], 0, "tlsmode cache forget DOMAIN", ""),
    (["--help"], 0, "tlsmode cache forget DOMAIN", ""),
    (["--version"], 0, r"tlsmode 0\.", ""),
    (["query", "[192.0.2.1]"], 1, "not found", ""),
    (["query", "[192.0.2.1]", "--as", "enforced"], 0, r"^encrypt protocols=>=TLSv1\.2\n$", ""),
    (["query", "[192.0.2.1]", "--as", "verified"], 75, "temporary failure: ", ""),
    (["query", "slow.test", "--as", "enforced", "--tlsrpt"], 75, "temporary failure: slow.test: ", ""),
    (["explain", "a@closed.test", "b@[192.0.2.1]"], 0, r"Sender +closed\.test is enforced \(from closed\.test\), ends in", ""),
    (["explain", "a@closed.test", "b@[192.0.2.1]"], 0, r"To +\[192\.0\.2\.1\]\n\nMode +enforced\nAnswer +OK encrypt", ""),
    (["explain", "a@other.test", "b@[192.0.2.1]"], 0, r"other\.test is opportunistic \(the default\)", ""),
    (["explain", "[bank.test]"], 0, r"To +\[bank\.test\], at least verified \(from bank\.test\), match mx1", ""),
    (["explain", "slow.test"], 0, r"Answer +TEMP slow\.test: (.*\n)+.*Mode +verified", ""),
    (["explain", "[192.0.2.1]", "--as", "opportunistic"], 0, r"(?s)\AT((?!Mode).)*Mode +opportunistic((?!Mode).)*\Z", ""),
    (["explain", "a@closed.test", "b@[192.0.2.1]", "--as", "verified"], 64, "", "a sender has a mode of its own"),
    (["cache", "show", "facts.test"], 1, "", "no facts of facts.test"),
    (["cache", "show", "[192.0.2.1]"], 65, "", "no domain or next hop"),
    (["cache", "forget", "facts.test"], 1, "", "no facts of facts.test"),
    (["status"], 0, r"program +tlsmode-mapd", ""),
    (["status"], 0, r"requests +\n(?!(.*\n)+  transport +\n)", ""),  # nobody has asked it
    (["settings", "accept"], 0, "accepted", ""),
)

JSON_ROWS = (
    (["domain", "list"], lambda j: {k["name"] for k in j} >= {"closed.test", "xn--bcher-kva.test", ".below.test"}),
    (["domain", "get", "closed.test"], lambda j: j[0]["mode"] == "enforced" and 0 < j[0]["ttl_ms"] <= 3600000),
    (["domain", "get", "none.test"], lambda j: j == []),
    (["query", "[192.0.2.1]", "--as", "enforced"], lambda j: j == {
        "map": "enforced", "key": "[192.0.2.1]", "status": "ok", "answer": "encrypt protocols=>=TLSv1.2"}),
    (["query", "[192.0.2.1]", "--as", "verified"], lambda j: j["status"] == "temp" and "match" in j["reason"]),
    (["explain", "a@closed.test", "b@[192.0.2.1]"], lambda j: j["sender"]["mode"] == "enforced"),
    (["status"], lambda j: j["settings"]["state"] == "live"),
    (["cache", "show", "facts.test"], lambda j: j == {"nexthop": "facts.test", "sts": None, "dane": None}),
    (["settings", "accept"], lambda j: j == {"accepted": True}),
    (["domain", "unset", "none.test"], lambda j: j == {"name": "none.test", "removed": False}),
)


def rows(tap, ctl):
    for words, code, out, err in ROWS:
        got = ctl(*words)
        tap.ok(got[0] == code and re.search(out, got[1], re.M) and re.search(err, got[2], re.M),
               "tlsmode " + " ".join(words), "got  %d %r %r" % got, "want %d %r %r" % (code, out, err))
    for words, fits in JSON_ROWS:
        code, out, err = ctl("--json", *words)
        try:
            good = out.count("\n") == 1 and fits(json.loads(out))
        except (ValueError, KeyError, IndexError, TypeError) as fault:
            good, err = False, "%s %r" % (err, fault)
        tap.ok(good, "tlsmode --json " + " ".join(words), out, err)


def foreign_values(tap, ctl, room):
    """What others wrote is listed as the daemons read it."""
    room.redis("HSET", "tlsmode:sender:typo.test", "mode", "enfroced", "colour", "red")
    room.redis("SET", "tlsmode:sender:string.test", "x")
    room.redis("HSET", "tlsmode:sender:Upper.test", "mode", "enforced")
    room.redis("HSET", "tlsmode:sender:ctl.test", "note", "two\nlines\x1b[2J")
    room.redis("HSET", b"tlsmode:sender:b\xffd.test", "mode", "enforced")
    _, out, _ = ctl("--json", "domain", "list")
    tap.ok([k for k in json.loads(out) if k["name"] == "(not UTF-8)" and k["complaint"]], "domain list --json: a name that is no text", out)
    room.redis("DEL", b"tlsmode:sender:b\xffd.test")
    _, out, _ = ctl("domain", "list")
    for name, pattern in (
            ("a mode nobody understands", r"typo\.test +enfroced \(read as enforced\)"),
            ("a field nobody understands", r"typo\.test .*colour"),
            ("a key of another type", r"string\.test +\(read as enforced\) .*WRONGTYPE"),
            ("a name that is not canonical", r"Upper\.test .*its name is written upper\.test"),
            ("control characters are not printed", r"two\?lines\?\[2J")):
        tap.ok(re.search(pattern, out), "domain list: " + name, out)
    room.redis("HSET", "tlsmode:rcpt:[192.0.2.7]", "mode", "strict")
    room.redis("HSET", "tlsmode:except:[192.0.2.7]", "plaintext", "yes", "until", "May")
    wait_for("the settings", lambda: '"not_understood":2' in room.ask("explain", "[192.0.2.7]"), 5)
    _, out, _ = ctl("explain", "a@typo.test", "b@[192.0.2.7]")
    for name, pattern in (
            ("a sender's", r"Sender .*\(from typo\.test\), read strictly .* no mode, with 1 field that nobody understands"),
            ("a destination's", r"To .*at least enforced .*, read strictly .* no mode, with 2 fields that nobody understands")):
        tap.ok(re.search(pattern, out), "explain: what nobody understands: " + name, out)


def policy_life(tap, ctl, room):
    """refresh marks the shared policy, forget takes it away; the daemon of this room cannot fetch: DNS never answers."""
    now = int(room.redis("TIME")[0])
    room.redis("HSET", "tlsmode:sts:sts.test", "txt", "record", "txt_id", "1", "txt_until", now + 200, "mode", "enforce", "max_age", "86400",
               "mx", "mx.sts.test", "id", "1", "fetched_at", now - 10)
    room.redis("HSET", "tlsmode:dane:sts.test", "mx", "insecure", "kind", "records", "until", now + 200, "truncated", "0",
               "hosts", "mx.sts.test none %d -" % (now + 200))
    secure = "secure match=mx.sts.test servername=hostname protocols=>=TLSv1.2\n"
    tap.equal(ctl("query", "sts.test")[:2], (0, secure), "facts found in Redis need no question")
    code, out, _ = ctl("cache", "show", "sts.test")
    tap.ok(code == 0 and re.search(r"sts +fetched_at +\d+ \(\d+s ago\)", out), "cache show: facts with their ages", out)
    code, out, err = ctl("cache", "refresh", "sts.test")
    tap.ok(code == 0 and "sts-policy-fetch-error" in out, "cache refresh: waits for the fetch and shows how it ended", code, out, err)
    code, out, _ = ctl("query", "sts.test", "--as", "enforced")
    tap.ok(code == 75, "cache refresh: DNS was asked anew, and is not there", code, out)
    tap.equal(room.redis("HGET", "tlsmode:sts:sts.test", "mode"), "enforce", "cache refresh: the policy stays while it cannot be fetched")
    tap.equal(ctl("cache", "forget", "sts.test")[0], 0, "cache forget")
    wait_for("the policy forgotten", lambda: room.logged(r"event=policy_forgotten domain=sts\.test"), 5)
    tap.equal(room.redis("HGET", "tlsmode:sts:sts.test", "mode"), None, "cache forget: the policy is gone from Redis")
    code, out, _ = ctl("query", "sts.test")
    tap.ok("secure" not in out, "cache forget: and from the daemon's memory", code, out)


def without(tap, ctl, room):
    """Each part away, and a configuration nobody understands."""
    room.stop()
    code, _, err = ctl("query", "[192.0.2.1]")
    tap.ok(code == 75 and "no answer from tlsmode-mapd" in err, "query without tlsmode-mapd: 75", code, err)
    room.redis_program.terminate()
    room.redis_program.wait()
    code, _, err = ctl("domain", "list")
    tap.ok(code == 75 and "Redis: " in err, "domain list without Redis: 75", code, err)
    with open(room.path("tlsmode.conf"), "a") as f:
        f.write("colour = red\n")
    code, _, err = ctl("status")
    tap.ok(code == 78 and re.search(r"tlsmode\.conf:\d+: .*colour", err), "a bad configuration: 78, file:line", code, err)


def test(tap):
    with Room() as room:
        room.start()
        room.live()
        ctl = Ctl(room)
        rows(tap, ctl)
        foreign_values(tap, ctl, room)
        policy_life(tap, ctl, room)
        without(tap, ctl, room)


main(test)
