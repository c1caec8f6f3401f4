#!/usr/bin/python3
"""Every map of tlsmode-mapd as far as no DNS answer is needed: literals, settings, senders, what is said while nothing is known."""
import json
import os
import sys
import time

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from mapd_room import Room, main, wait_for  # noqa: E402

TRANSPORT = (  # key, reply of `transport`
    ("user@closed.test", "OK smtp-enforced:"),
    ("User+Ext@CLOSED.Test", "OK smtp-enforced:"),
    ("user@closed.test.", "OK smtp-enforced:"),
    ("\"a@b\"@closed.test", "OK smtp-enforced:"),
    ("user@sealed.test", "OK smtp-verified:"),
    ("user@sub.closed.test", "NOTFOUND "),
    ("user@a.b.below.test", "OK smtp-enforced:"),
    ("user@below.test", "NOTFOUND "),
    ("user@open.below.test", "NOTFOUND "),
    ("user@xn--zzzz.below.test", "OK smtp-enforced:"),
    ("user@a!b.c.below.test", "OK smtp-enforced:"),
    ("user@%s.below.test" % ("a" * 64), "OK smtp-enforced:"),
    ("user@a..below.test", "OK smtp-enforced:"),
    ("user@-.open.below.test", "OK smtp-enforced:"),
    ("user@pool.test", "OK pool2:"),
    ("user@closedpool.test", "OK pool2-enforced:"),
    ("user@sealedpool.test", "OK pool2-verified:"),
    ("user@typo.test", "OK smtp-enforced:"),
    ("us\u00e9r@b\u00fccher.test", "OK smtp-enforced:"),
    ("user@xn--bcher-kva.test", "OK smtp-enforced:"),
    ("<>", "NOTFOUND "),
    ("\"<>\"", "NOTFOUND "),
    ("user", "NOTFOUND "),
    ("user@[192.0.2.1]", "NOTFOUND "),
    ("@", "NOTFOUND "),
    ("user@other.test", "NOTFOUND "),
    ("double-bounce@closed.test", "OK smtp-enforced:"),
)

MODE = (
    ("user@closed.test", "OK enforced"),
    ("closed.test", "OK enforced"),
    ("CLOSED.TEST.", "OK enforced"),
    ("sealed.test", "OK verified"),
    ("x.below.test", "OK enforced"),
    ("-x.y.below.test", "OK enforced"),
    ("pool.test", "NOTFOUND "),
    ("other.test", "NOTFOUND "),
    ("<>", "NOTFOUND "),
    ("not a domain", "NOTFOUND "),
)

ENCRYPT = "OK encrypt protocols=>=TLSv1.2"
NOTFOUND = "NOTFOUND "
POLICY = (  # map, key, reply
    ("opportunistic", "[192.0.2.1]", NOTFOUND),
    ("QUERY", "[192.0.2.1]", NOTFOUND),
    ("postfix", "[192.0.2.1]:587", NOTFOUND),
    ("opportunistic-tlsrpt", "[192.0.2.1]", NOTFOUND),
    ("QUERYwithTLSRPT", "[2001:db8::1]", NOTFOUND),
    ("enforced", "[192.0.2.1]", ENCRYPT),
    ("enforced-tlsrpt", "[192.0.2.1]", ENCRYPT),
    ("enforced", "[IPv6:2001:db8::1]:25", ENCRYPT),
    ("enforced", "192.0.2.1", ENCRYPT),
    ("enforced", "/var/spool/lmtp/sock", ENCRYPT),
    ("opportunistic", "/var/spool/lmtp/sock", NOTFOUND),
    ("opportunistic", "", NOTFOUND),
    ("opportunistic", ".parent.test", NOTFOUND),
    ("enforced", ".parent.test", NOTFOUND),
    ("verified-tlsrpt", ".test", NOTFOUND),
    ("enforced", ".", NOTFOUND),
    ("enforced", "..", NOTFOUND),
    ("verified", "[192.0.2.7]", "OK secure match=mx.seven.test:.eight.test servername=hostname protocols=>=TLSv1.2"),
    ("opportunistic", "[192.0.2.7]:25", "OK secure match=mx.seven.test:.eight.test servername=hostname protocols=>=TLSv1.2"),
    ("opportunistic", "[192.0.2.8]", ENCRYPT),
    ("enforced", "[192.0.2.9]", ENCRYPT),
    ("enforced", "[192.0.2.10]", "OK may"),
    ("sts", "[192.0.2.1]", NOTFOUND),
    ("sts", "", NOTFOUND),
    ("sts", ".parent.test", NOTFOUND),
)


def put_settings(room):
    for key, *fields in (
            ("sender:closed.test", "mode", "enforced", "note", "customer B"),
            ("sender:sealed.test", "mode", "VERIFIED"),
            ("sender:.below.test", "mode", "enforced"),
            ("sender:open.below.test", "mode", "opportunistic"),
            ("sender:pool.test", "via", "pool2"),
            ("sender:closedpool.test", "via", "pool2", "mode", "enforced"),
            ("sender:sealedpool.test", "via", "pool2", "mode", "verified"),
            ("sender:typo.test", "mode", "enfroced"),
            ("sender:xn--bcher-kva.test", "mode", "enforced"),
            ("rcpt:[192.0.2.7]", "match", "mx.seven.test:.eight.test"),
            ("rcpt:[192.0.2.8]", "mode", "enforced"),
            ("except:[192.0.2.9]", "plaintext", "allow"),
            ("except:[192.0.2.10]", "plaintext", "allow", "for", "all")):
        room.redis("HSET", "tlsmode:" + key, *fields)


def rows(tap, room):
    for key, reply in TRANSPORT:
        tap.equal(room.ask("transport", key), reply, "transport %s" % key)
    for key, reply in MODE:
        tap.equal(room.ask("mode", key), reply, "mode %s" % key)
    for round_ in ("first", "again, from the cache"):
        for name, key, reply in POLICY:
            tap.equal(room.ask(name, key), reply, "%s %s, %s" % (name, key, round_))
    for name in ("enforced", "verified"):
        tap.ok(room.ask(name, "").startswith("TEMP "), "%s without a key is TEMP" % name)
    tap.ok(room.ask("verified", "[192.0.2.1]").startswith("TEMP "), "verified cannot be had of an address without match")
    room.logged(r"event=verdict_temp nexthop=\[192.0.2.1\] mode=verified")
    asked = [n for n in room.dns.questions() if "192" in n or "parent" in n or "lmtp" in n or "2001" in n]
    tap.equal(asked, [], "none of them caused a DNS question")


def unknown_maps(tap, room):
    for name in ("Enforced", "enforced-", "nforced", "postfix-tlsrpt", "QUERYWITHTLSRPT", "JSON"):
        tap.ok(room.ask(name, "a.test").startswith("TEMP "), "unknown map %s is TEMP" % name)
    room.logged("event=unknown_map name=JSON")
    tap.equal(room.metric('tlsmode_mapd_requests_total{map="unknown",result="temp"}'), 6.0, "and counted")


def exceptions(tap, room):
    room.logged(r"event=exception_used exception=plaintext nexthop=\[192.0.2.10\]")
    used = 'tlsmode_mapd_exceptions_used_total{exception="plaintext"}'
    before = room.metric(used)
    for _ in range(3):
        room.ask("enforced", "[192.0.2.10]")
    tap.equal(room.metric(used), before + 3, "each use of an exception is counted")
    tap.ok(len([li for li in room.log().splitlines() if "exception_used" in li and "2.10]" in li]) == 1, "with one line a minute")
    tap.equal(room.metric("tlsmode_mapd_exceptions_without_end"), 2.0, "exceptions without an end are counted")
    told = json.loads(room.ask("status", "all")[3:])["settings"]["exceptions_without_end"]
    tap.equal(sorted(told), ["[192.0.2.10]", "[192.0.2.9]"], "and named by status")


def refusals(tap, room):
    text = "4.7.4 TLS is required, but was not offered by host %s"
    room.ask("enforced", "[192.0.2.21]")
    tap.equal(room.ask("refusal", text % "192.0.2.21[192.0.2.21]"),
              "OK 5.7.10 Sender domain requires TLS: its mail is sent encrypted or not at all (mode enforced), but the receiving "
              "host 192.0.2.21[192.0.2.21] does not offer encryption (STARTTLS)",
              "refusal: only the sender's mode asked for TLS")
    room.logged("event=refusal host=192.0.2.21")
    for key in (text % "192.0.2.99[192.0.2.99]", "4.7.5 Server certificate not verified", "4.7.5 client TLS configuration problem",
                "", "4.7.4", text % "", "4.7.5 TLSA lookup error for 192.0.2.21:25"):
        tap.equal(room.ask("refusal", key), NOTFOUND, "refusal of %r stays temporary" % key)
    room.ask("opportunistic", "[192.0.2.22]")
    tap.equal(room.ask("refusal", text % "192.0.2.22[192.0.2.22]"), NOTFOUND, "an opportunistic answer allows no bounce")
    room.ask("verified", "[192.0.2.21]")
    tap.equal(room.ask("refusal", text % "192.0.2.21[192.0.2.21]"), NOTFOUND, "another strict answer (TEMP) ends it")


def reports(tap, room):
    status = json.loads(room.ask("status", "all")[3:])
    tap.equal((status["program"], status["settings"]["state"], status["redis"]["up"], status["ready"]),
              ("tlsmode-mapd", "live", True, True), "status tells the state")
    tap.equal(status["counters"]["settings"], 13, "and the count of settings")
    tap.equal(status["listeners"], [room.where], "and the listeners")
    tap.equal(room.ask("status", "some"), NOTFOUND, "status knows one key")
    for key in ("[192.0.2.1]", "enforced [192.0.2.1]", "user@closed.test someone@[192.0.2.1]", "<> [192.0.2.1]", "closed.test [192.0.2.7]:587"):
        reply = room.ask("explain", key)
        tap.ok(reply.startswith("OK {") and "\n" not in reply and json.loads(reply[3:]), "explain %s" % key, reply)
    told = json.loads(room.ask("explain", "user@closed.test [192.0.2.1]")[3:])
    tap.equal((told["sender"]["mode"], told["sender"]["domain"], [v["mode"] for v in told["verdicts"]]),
              ("enforced", "closed.test", ["enforced"]), "explain of a pair tells the sender's mode and its verdict")
    tap.equal(len(json.loads(room.ask("explain", "[192.0.2.1]")[3:])["verdicts"]), 3, "explain of a domain tells all three verdicts")
    tap.equal(room.ask("explain", ""), NOTFOUND, "explain of nothing")


def changes(tap, room):
    client = room.client()

    def new_answer(name, key, reply, *command):
        room.redis(*command)
        begun = time.monotonic()
        wait_for("%s %s -> %s" % (name, key, reply), lambda: client.ask(name, key) == reply, 5, every=0.0005)
        tap.ok(True, "%s: `%s %s` in %.1f ms" % (" ".join(command[:2]), name, key, 1000 * (time.monotonic() - begun)))
    new_answer("transport", "u@new.test", "OK smtp-enforced:", "HSET", "tlsmode:sender:new.test", "mode", "enforced")
    new_answer("transport", "u@new.test", "OK smtp-verified:", "HSET", "tlsmode:sender:new.test", "mode", "verified")
    new_answer("transport", "u@new.test", NOTFOUND, "DEL", "tlsmode:sender:new.test")
    new_answer("transport", "u@new.test", "OK smtp-enforced:", "HSET", "tlsmode:sender:*", "mode", "enforced")
    tap.equal(client.ask("transport", "<>"), NOTFOUND, "* does not cover the null sender")
    new_answer("transport", "\"<>\"", "OK smtp-verified:", "HSET", "tlsmode:sender:<>", "mode", "verified")
    new_answer("opportunistic", "[192.0.2.1]", ENCRYPT, "HSET", "tlsmode:rcpt:[192.0.2.1]", "mode", "enforced")
    new_answer("opportunistic", "[192.0.2.1]", NOTFOUND, "DEL", "tlsmode:rcpt:[192.0.2.1]")
    new_answer("opportunistic", "[192.0.2.1]:587", ENCRYPT, "HSET", "tlsmode:rcpt:*", "mode", "enforced")
    new_answer("opportunistic", "[192.0.2.1]", NOTFOUND, "DEL", "tlsmode:rcpt:*")
    new_answer("opportunistic", ".parent.test", ENCRYPT, "HSET", "tlsmode:rcpt:.parent.test", "mode", "enforced")
    new_answer("opportunistic", ".parent.test", NOTFOUND, "DEL", "tlsmode:rcpt:.parent.test")
    room.redis("HSET", "tlsmode:rcpt:[192.0.2.1]", "mode", "enforced")
    wait_for("the setting", lambda: client.ask("opportunistic", "[192.0.2.1]") == ENCRYPT, 5)
    new_answer("opportunistic", "[192.0.2.1]", NOTFOUND, "PEXPIRE", "tlsmode:rcpt:[192.0.2.1]", "100")
    client.close()


def when_unknown(tap):
    with Room(redis=False) as room:
        room.start()
        for name, key in (("transport", "u@x.test"), ("mode", "x.test"), ("enforced", "[192.0.2.1]"), ("opportunistic", "x.test"),
                          ("verified-tlsrpt", "x.test"), ("sts", "x.test")):
            tap.equal(room.ask(name, key), "TEMP settings not yet loaded", "tempfail: %s" % name)
        said = json.loads(room.ask("explain", "u@x.test b@[192.0.2.1]")[3:])
        tap.equal(said["settings_known"], False, "tempfail: explain says so")
        tap.equal((said["sender"]["mode"], {v["answer"] for v in said["verdicts"]}), ("unknown", {"TEMP settings not yet loaded"}),
                  "tempfail: explain tells the answer that the maps give")
        tap.equal(room.http("/readyz")[0], 503, "tempfail: /readyz says no")
        tap.equal(room.http("/healthz")[0], 200, "tempfail: /healthz says yes")
        room.start_redis()
        room.redis("HSET", "tlsmode:sender:closed.test", "mode", "enforced")
        room.live()
        tap.equal(room.http("/readyz")[0], 200, "when Redis comes, /readyz says yes")
        tap.equal(room.ask("transport", "u@closed.test"), "OK smtp-enforced:", "and the settings are in force")
        tap.equal(room.ask("enforced", "[192.0.2.1]"), ENCRYPT, "and no TEMP was kept")
        room.redis_program.kill()
        room.redis_program.wait()
        wait_for("stale settings", lambda: '"state":"stale"' in room.ask("status", "all"), 10)
        tap.equal(room.ask("transport", "u@closed.test"), "OK smtp-enforced:", "when Redis goes, the last known stay")
    with Room({"settings": {"when_unknown": "opportunistic"}}, redis=False) as room:
        room.start()
        tap.equal(room.ask("transport", "u@x.test"), NOTFOUND, "opportunistic: transport")
        tap.equal(room.ask("opportunistic", "[192.0.2.1]"), NOTFOUND, "opportunistic: policy")
        tap.equal(room.ask("enforced", "[192.0.2.1]"), ENCRYPT, "opportunistic: the strict maps stay strict")
        room.start_redis()
        room.redis("HSET", "tlsmode:rcpt:*", "mode", "enforced")
        wait_for("the setting in force", lambda: room.ask("opportunistic", "[192.0.2.1]") == ENCRYPT, 10)
        tap.ok(True, "opportunistic: what was answered without settings goes when they come")
    with Room({"settings": {"when_unknown": "enforced"}}, redis=False) as room:
        room.start()
        tap.equal(room.ask("transport", "u@x.test"), "OK smtp-enforced:", "enforced: transport")
        tap.equal(room.ask("mode", "x.test"), "OK enforced", "enforced: mode")
        tap.equal([v["answer"] for v in json.loads(room.ask("explain", "u@x.test b@[192.0.2.1]")[3:])["verdicts"]], [ENCRYPT], "enforced: explain")
        tap.equal(room.ask("opportunistic", "[192.0.2.1]"), NOTFOUND, "enforced: policy maps as without settings")


def test(tap):
    with Room() as room:
        put_settings(room)
        room.start()
        room.live()
        rows(tap, room)
        unknown_maps(tap, room)
        exceptions(tap, room)
        refusals(tap, room)
        reports(tap, room)
        changes(tap, room)
        tap.equal(room.grammar_fault(), "", "Postfix understands every reply (%d)" % len(room.replies))
        tap.equal(room.stop(), 0, "a clean end")
    when_unknown(tap)


main(test)
