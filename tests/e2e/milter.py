#!/usr/bin/python3
"""tlsmode-milter behind Debian's Postfix: where the tag stands, what a forged one becomes, whose bounce has no body, who counts as sender."""
import os
import signal
import smtplib
import subprocess
import sys
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world.daemons import Daemons
from world.tap import main
from world.waiting import wait_for
from world.world import World

# Without mapd: what is asked here is what the milter does to a message.
MAIN = dict(smtp_tls_policy_maps="", sender_dependent_default_transport_maps="", smtp_header_checks="",
            smtpd_authorized_xclient_hosts="127.0.0.1")
FORGED = [("X-TLS-Mode", "verified; domain=ver.test; by=envelope"), ("x-tls-mode", "verified"), ("X-TLS-MODE ", "verified"),
          ("X-TLS-Mode", "\r\n verified;\r\n\tdomain=ver.test"), ("X-Kept", "1")] + [("X-Tls-Mode", "copy %d" % i) for i in range(40)] + [
          ("X-Kept", "2"), ("X-TLS-Mode\t", "last")]


def header_of(message):
    """The fields of a message as (name, value), unfolded."""
    fields = []
    for line in message["text"].replace("\r\n", "\n").split("\n\n", 1)[0].split("\n"):
        if line[:1] in " \t" and fields:
            fields[-1][1] += " " + line.strip()
        else:
            name, _, value = line.partition(":")
            fields.append([name, value.strip()])
    return fields


def tags(fields):
    return [value for name, value in fields if name.strip().lower() == "x-tls-mode"]


def arrived(w, token):
    return wait_for("message " + token, lambda: next(iter(w.sinks.messages(lambda m: token in m["text"])), None), 30)


def sent(w, sender, token, headers=(), **kw):
    w.postfix.send(sender, "x@open.test", subject=token, headers=headers, **kw)
    return header_of(arrived(w, token))


def with_login(w, rows):
    """Several messages on one connection; the login of each is said with XCLIENT."""
    with smtplib.SMTP("127.0.0.1", 25, local_hostname="client.test", timeout=30) as c:
        for sender, login, token in rows:
            c.ehlo()
            c.docmd("XCLIENT", "LOGIN=" + (login or "[UNAVAILABLE]"))
            c.ehlo()
            c.mail(sender)
            c.rcpt("x@open.test")
            c.data("From: <y@opp.test>\r\nSubject: %s\r\n\r\nHello.\r\n" % token)
    return [tags(header_of(arrived(w, token))) for _, _, token in rows]


def test(tap):
    with World("e2e-milter") as w:
        for name in ("open.test", "opp.test", "enf.test", "ver.test", "xn--bcher-kva.test"):
            w.destination(name)
        w.destination("full.test", reply="550 5.2.2 mailbox full")
        w.start_dns()
        w.start_redis()
        for name, mode in (("opp.test", "opportunistic"), ("enf.test", "enforced"), ("ver.test", "verified"),
                           ("xn--bcher-kva.test", "verified"), ("<>", "enforced")):
            w.mode(name, mode)
        w.daemons = Daemons(w.space, w.redis, {}, w.ca.cert, {"milter": {"identity": ["envelope", "auth"]}})
        w.daemons.start_milter()
        w.start_postfix(**MAIN)

        fields = sent(w, "a@enf.test", "t-place")
        names = [name for name, _ in fields]
        tap.equal(tags(fields), ["enforced; domain=enf.test; by=envelope"], "one tag")
        tap.equal(names[:2], ["Received", "X-TLS-Mode"], "it stands below Postfix's own Received field", names)
        fields = sent(w, "a@opp.test", "t-forged", FORGED)
        tap.equal(tags(fields), ["opportunistic; domain=opp.test; by=envelope"], "every forged copy is gone, however it was written")
        tap.equal([value for name, value in fields if name == "X-Kept"], ["1", "2"], "the fields between them stay")
        tap.equal(tags(sent(w, "é@bücher.test", "t-utf8")), ["verified; domain=xn--bcher-kva.test; by=envelope"], "SMTPUTF8")
        tap.equal(tags(sent(w, "", "t-null")), ["enforced; domain=<>; by=envelope"], "the null sender")

        subprocess.run(["sendmail", "-f", "b@ver.test", "x@open.test"], input=b"Subject: t-local\nX-TLS-Mode: forged\n\nHello.\n", check=True)
        tap.equal(tags(header_of(arrived(w, "t-local"))), ["verified; domain=ver.test; by=envelope"], "mail handed to sendmail(1)")

        rows = [("a@opp.test", "u@ver.test", "t-auth1"), ("a@opp.test", None, "t-auth2"), ("a@enf.test", "u@opp.test", "t-auth3"),
                ("a@opp.test", "nodomain", "t-auth4")]
        tap.equal(with_login(w, rows), [["verified; domain=ver.test; by=auth"], ["opportunistic; domain=opp.test; by=envelope"],
                                        ["enforced; domain=enf.test; by=envelope"], ["opportunistic; domain=opp.test; by=envelope"]],
                  "the login counts, and for its own message only")

        for sender, has_body in (("a@opp.test", True), ("a@enf.test", False), ("a@ver.test", False)):
            token = "secret-" + sender[2:5]
            qid = w.postfix.send(sender, "x@full.test", subject="t-bounce-" + sender[2:5], body=token + "\r\n")
            w.postfix.bounce_of(qid)
            bounce = wait_for("the bounce to " + sender, lambda: next(iter(
                w.sinks.messages(lambda m: m["rcpts"] and sender in str(m["rcpts"]) and "5.2.2" in m["text"])), None), 30)
            tap.equal(token in bounce["text"], has_body, "the bounce to %s has %s body" % (sender, "a" if has_body else "no"))
            tap.ok("t-bounce-" + sender[2:5] in bounce["text"], "and the header of the message")

        w.mode("opp.test", "verified")
        tap.equal(tags(sent(w, "a@opp.test", "t-live")), ["verified; domain=opp.test; by=envelope"], "a changed setting holds for the next message")

        w.daemons.milter.send(signal.SIGTERM)
        wait_for("the milter's end", lambda: not w.daemons.milter.alive(), 20)
        try:
            w.postfix.send("a@enf.test", "x@open.test", subject="t-away")
            tap.ok(False, "without the milter mail waits at the client")
        except smtplib.SMTPException as error:
            tap.ok(getattr(error, "smtp_code", 451) // 100 == 4, "without the milter mail waits at the client", error)
        w.daemons.start_milter()
        tap.equal(tags(sent(w, "a@enf.test", "t-again")), ["enforced; domain=enf.test; by=envelope"], "the milter started again")


main(test)
