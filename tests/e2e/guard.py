#!/usr/bin/python3
"""The milter as guard of the routes, behind Debian's Postfix: recipients whose transport does not keep the mode of a strict
message are logged, counted and, by option, refused; and what becomes of a message whose author or login is stricter than its
route."""
import os
import smtplib
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from guard_room import escapes, milter, sendmail, submit, taken, told  # noqa: E402
from world.space import run  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

OPEN, CLOSED, PROVEN = "open.test", "closed.test", "proven.test"
SENTENCE = "Sender domain requires TLS, but the configured route to a recipient does not keep it; tell your postmaster"
MISMATCH = ("550 5.7.1 Author or login requires a stricter TLS mode than the envelope sender; "
            "use an envelope sender of the same domain")

# Recipients of each kind of route: what Postfix calls it, the strictest mode that it keeps.
ROUTES = (
    ("x@tls.test", None, None),  # the sender's own transport
    ("x@trap.test", "smtp", "opportunistic"),  # transport_maps names an smtp service
    ("x@relayed.test", "relay", "opportunistic"),
    ("x@encrypted.test", "smtp-enforced", "enforced"),
    ("x@proof.test", "smtp-verified", "verified"),
    ("x@partner.test", "partner", "verified"),  # strict_transports
    ("sink@here.test", "local", "verified"),
    ("x@box.test", "virtual", "verified"),
    ("x@aliased.test", "error", "verified"),  # a virtual alias has no transport of its own
)
STRICTNESS = ("opportunistic", "enforced", "verified")
MAIN = {
    "smtpd_authorized_xclient_hosts": "127.0.0.1",
    "mydestination": "here.test",
    "alias_maps": "inline:{ { sink = /dev/null } }",
    "virtual_alias_domains": "aliased.test",
    "virtual_alias_maps": "regexp:{ {/@aliased[.]test/ sink@here.test} }",
    "virtual_mailbox_domains": "box.test",
    "virtual_mailbox_base": "/dev",
    "virtual_mailbox_maps": "static:null",
    "virtual_minimum_uid": "1",
    "virtual_uid_maps": "static:65534",
    "virtual_gid_maps": "static:65534",
    "relay_domains": "relayed.test",
    "transport_maps": "inline:{ { trap.test = smtp:[mx.trap.test] }, { encrypted.test = smtp-enforced: }, "
                      "{ proof.test = smtp-verified: }, { partner.test = partner: } }",
}


def publish(w):
    for name in (OPEN, CLOSED, PROVEN, "tls.test", "trap.test", "relayed.test", "encrypted.test", "proof.test", "partner.test",
                 "flip.test"):
        w.destination(name)
    w.zones["trap.test"].set("mx", "A", w.receiver("plain.trap.test", starttls="none").address)


def escaping(mode):
    return [(mode, mailer, rcpt) for rcpt, mailer, keeps in ROUTES
            if mailer and STRICTNESS.index(keeps) < STRICTNESS.index(mode)]


def accepted(tap, w):
    for sender, mode in ((OPEN, "opportunistic"), (CLOSED, "enforced"), (PROVEN, "verified")):
        rcpts = [row[0].replace("x@", "acc-%s@" % mode[:3]) for row in ROUTES]
        want = [("accept", m, mailer, rcpt.replace("x@", "acc-%s@" % mode[:3])) for m, mailer, rcpt in escaping(mode)]
        s = submit("accept@" + sender, rcpts)
        tap.equal({text[:3] for text in s.rcpts}, {"250"}, "on_escape accept, %s: every recipient is taken" % mode)
        tap.equal(escapes(w, s.qid), want, "and those whose route does not keep %s are logged" % mode)
    tap.equal(taken(w, "acc-enf@trap.test"), ("plain.trap.test", False), "what the watch saw was a leak, indeed")
    tap.equal(taken(w, "acc-enf@tls.test"), ("mx.tls.test", True), "the recipient beside it went its own way")


def refused(tap, w):
    for action, code in (("tempfail", "451 4.7.10"), ("reject", "550 5.7.10")):
        milter(w, on_escape=action, strict_transports=["partner"])
        for sender, mode in ((OPEN, "opportunistic"), (CLOSED, "enforced"), (PROVEN, "verified")):
            name = "%s-%s@" % (action, mode[:3])
            out = [rcpt for _, _, rcpt in escaping(mode)]
            s = submit(action + "@" + sender, [row[0].replace("x@", name) for row in ROUTES])
            want = ["%s %s" % (code, SENTENCE) if row[0] in out else "250 2.1.5 Ok" for row in ROUTES]
            tap.equal(s.rcpts, want, "on_escape %s, %s: those recipients alone are refused" % (action, mode))
            tap.equal(escapes(w, s.qid), [(action, m, mailer, rcpt.replace("x@", name)) for m, mailer, rcpt in escaping(mode)],
                      "and each of them is logged once")
        s = submit("first@" + CLOSED, ["%s1@trap.test" % action, "%s1@tls.test" % action])
        tap.ok((action, "enforced", "smtp", "%s1@trap.test" % action) in escapes(w, "NOQUEUE"),
               "before the queue id is there it is logged with NOQUEUE", w.daemons.milter.text()[-1000:])
        tap.equal(taken(w, "%s-enf@tls.test" % action), ("mx.tls.test", True), "the others are delivered")
        tap.equal(taken(w, "%s-opp@trap.test" % action), ("plain.trap.test", False), "opportunistic mail goes as ever")
    leaked = [e["sender"] for e in w.sinks.messages(lambda m: not m["tls"] and m["sender"].startswith(("tempfail@", "reject@")))]
    tap.equal(set(leaked), {"tempfail@" + OPEN, "reject@" + OPEN}, "no message of a strict sender was seen in the clear")


def at_the_end(tap, w):
    """The author is known after the recipients."""
    rcpts = ["%s@" + name for name in ("tls.test", "trap.test")] + ["sink@here.test"]
    for action, code in (("accept", "250"), ("tempfail", "451 4.7.10 " + SENTENCE), ("reject", "550 5.7.10 " + SENTENCE)):
        milter(w, identity=["envelope", "from"], on_escape=action)
        name = "end-" + action
        s = submit("a@" + OPEN, [r.replace("%s", name) for r in rcpts], author="b@" + CLOSED)
        tap.equal({text[:3] for text in s.rcpts}, {"250"}, "author stricter than the envelope, %s: RCPT TO is taken" % action)
        tap.ok(s.end.startswith(code), "and the end of the message told %s" % code, s.end)
        if s.qid:
            tap.equal(escapes(w, s.qid), [(action, "enforced", "smtp", r.replace("%s", name)) for r in rcpts[:2]],
                      "each recipient of the default route escapes, the local one does not")
            tap.ok(told(w, "mismatch", s.qid), "and the mismatch is logged")
        s = submit("a@" + OPEN, [r.replace("%s", name) for r in rcpts], author="b@" + OPEN)
        tap.ok(s.end.startswith("250"), "another author, %s: taken" % action, s.end)
    s = submit("a@" + CLOSED, ["end-strict@tls.test"], author="b@" + CLOSED)
    tap.ok(s.end.startswith("250"), "author as strict as the envelope: taken", s.end)


def login(tap, w):
    milter(w, identity=["envelope", "auth"], on_escape="reject")
    s = submit("a@" + OPEN, ["login@tls.test", "sink@here.test"], login="u@" + CLOSED)
    tap.equal([text[:10] for text in s.rcpts], ["550 5.7.10", "250 2.1.5 "], "the login is known at RCPT TO: refused there")
    s = submit("a@" + CLOSED, ["login2@tls.test"], login="u@" + OPEN)
    tap.equal(s.rcpts, ["250 2.1.5 Ok"], "a login less strict than the envelope changes nothing")


def mismatch(tap, w):
    milter(w, identity=["envelope", "from", "auth"], on_mismatch="reject")
    for label, sender, author, user, refused_ in (
            ("author", OPEN, CLOSED, None, True), ("login", OPEN, OPEN, CLOSED, True),
            ("author of verified", CLOSED, PROVEN, None, True),
            ("none", OPEN, OPEN, OPEN, False), ("author less strict", CLOSED, OPEN, OPEN, False),
            ("author as strict", PROVEN, CLOSED, PROVEN, False)):
        s = submit("a@" + sender, ["mm@tls.test"], author="b@" + author, login=user and "u@" + user)
        tap.equal(s.end if refused_ else s.end[:3], MISMATCH if refused_ else "250", "on_mismatch reject, stricter: " + label)
    milter(w, identity=["envelope", "from"])
    s = submit("a@" + OPEN, ["mm-accept@tls.test"], author="b@" + CLOSED)
    tap.equal(len(told(w, "mismatch", s.qid)), 1, "on_mismatch accept: taken, with a warning")
    tap.equal(told(w, "tagged", s.qid), ["event=tagged mode=enforced domain=closed.test by=from removed=0"],
              "and tagged as the author's")


def filtered(tap, w):
    """What contrib/postfix-header-routing builds on: the tag is there for header checks, and nobody warns of the route."""
    milter(w, identity=["envelope", "from"], on_mismatch="filter")
    w.postfix.set(milter_header_checks="regexp:{ {/^X-TLS-Mode: enforced/ FILTER smtp-enforced:} }")
    w.postfix.reload()
    s = submit("a@" + OPEN, ["filter@trap.test", "filter@tls.test"], author="b@" + CLOSED)
    got = w.postfix.outcome(s.qid, "filter@tls.test")
    tap.equal((got.status, got.service, taken(w, "filter@tls.test")), ("sent", "enforced/smtp", ("mx.tls.test", True)),
              "on_mismatch filter: the site's header checks route by the tag", got)
    tap.equal(w.postfix.outcome(s.qid, "filter@trap.test").dsn, "5.7.10", "transport_maps do not lead around them")
    tap.equal((told(w, "mismatch", s.qid), told(w, "escape", s.qid)), ([], []), "and the milter warns of nothing")
    w.postfix.set(milter_header_checks="")
    w.postfix.reload()


def by_sendmail(tap, w):
    """Postfix names no transport there, and could not refuse a recipient."""
    milter(w, on_escape="reject")
    qid = sendmail(w, "c@" + CLOSED, "cmd@tls.test", "by-command")
    got = w.postfix.outcome(qid, "cmd@tls.test")
    tap.equal((got.status, got.service, taken(w, "cmd@tls.test")), ("sent", "enforced/smtp", ("mx.tls.test", True)),
              "sendmail(1), on_escape reject: mail on its own route goes as ever", got)
    tap.equal(escapes(w, qid), [], "what is not told is not taken for an escape")
    milter(w)  # the reload tells the counters
    line = [x for x in w.daemons.milter.text().splitlines() if "event=counters" in x][-1]
    tap.ok(" untold=1" in line and " escapes=" in line, "but is counted", line)


def one_rcpt(client, sender, rcpt):
    """The reply to a recipient, and the message given up."""
    client.mail(sender)
    code, text = client.rcpt(rcpt)
    client.rset()
    return "%d %s" % (code, text.decode())


def taken_by_new(rcpts):
    """What became of a message that an smtpd has taken that does not remember; None while an old one goes on."""
    s = submit("a@flip.test", rcpts)
    return s if s.rcpts == ["250 2.1.5 Ok"] else None


def flip(tap, w):
    """An smtpd process remembers the transport of a sender and recipient as long as it lives: so long the client comes again."""
    milter(w, on_escape="tempfail")
    run("postconf", "-F", "smtp/inet/process_limit=1")
    w.postfix.reload()
    rcpts = ["flip@tls.test"]
    with smtplib.SMTP("127.0.0.1", 25) as client:  # one connection is one process
        client.ehlo("client.test")
        tap.equal(one_rcpt(client, "a@flip.test", rcpts[0]), "250 2.1.5 Ok", "opportunistic: taken")
        w.mode("flip.test", "enforced")
        wait_for("the mode", lambda: w.ask("transport", "a@flip.test") == "OK smtp-enforced:")
        tap.equal(one_rcpt(client, "a@flip.test", rcpts[0]), "451 4.7.10 " + SENTENCE,
                  "made stricter: 451 while smtpd remembers the old transport")
    w.postfix.reload()
    s = wait_for("a new smtpd", lambda: taken_by_new(rcpts))
    tap.equal(s.rcpts, ["250 2.1.5 Ok"], "taken by a new smtpd")
    tap.equal(w.postfix.outcome(s.qid, rcpts[0]).status, "sent", "and delivered")


def test(tap):
    with World("e2e-guard") as w:
        publish(w)
        w.start(**MAIN)
        with open("/etc/postfix/master.cf", "a") as master:
            master.write("partner unix - - y - - smtp -o smtp_tls_security_level=verify\n")
        w.postfix.reload()
        for domain, mode in ((CLOSED, "enforced"), (PROVEN, "verified")):
            w.mode(domain, mode)
            wait_for("the mode of " + domain, lambda d=domain, m=mode: w.ask("transport", "x@" + d) == "OK smtp-%s:" % m)
        milter(w, strict_transports=["partner"])
        for part in (accepted, refused, at_the_end, login, mismatch, filtered, by_sendmail, flip):
            part(tap, w)
        tap.equal((w.daemons.mapd.stop(), w.daemons.milter.stop()), (0, 0), "a clean end of both daemons")


main(test)
