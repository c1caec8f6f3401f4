#!/usr/bin/python3
"""The milter as guard of what a message says of itself: "TLS-Required: No" and the sender's own RET. Rows of the conformance
matrix (ids in the names) behind Debian's Postfix, whichever version."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from guard_room import bounce_to, milter, sendmail, submit, taken, told  # noqa: E402
from world.postfix import version  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

OPEN, CLOSED, PROVEN = "open.test", "closed.test", "proven.test"
NO = "TLS-Required: No\r\n"
TOLD = "550 5.7.10 Sender domain requires TLS, but the message says TLS-Required: No; send it without that field"

# label, header fields, is it "TLS-Required: No"?
FIELDS = (
    ("REQ-01 No", NO, True),
    ("REQ-01 in other case", "tls-required: nO\r\n", True),
    ("REQ-01 folded", "TLS-Required:\r\n no\r\n", True),
    ("REQ-02 Yes", "TLS-Required: Yes\r\n", False),
    ("REQ-02 No and more", "TLS-Required: No, please\r\n", False),
    ("REQ-02 two Yes", 2 * "TLS-Required: Yes\r\n", False),
    # not "as absent": Postfix 3.10 heeds each of several, and who refuses must not be laxer than who heeds
    ("REQ-02 two fields", NO + NO, True),
    ("REQ-02 No and Yes", NO + "TLS-Required: Yes\r\n", True),
    ("REQ-02 no field", "", False),
)


def publish(w):
    for name in (OPEN, CLOSED, PROVEN, "tls.test"):
        w.destination(name)
    w.destination("plain.test", starttls="none")
    w.destination("strict.test", starttls="none", sts="enforce")
    w.destination("full.test", reply="550 5.2.2 mailbox full")


def refused(tap, w):
    milter(w, tls_required_no="reject")
    for sender in (CLOSED, PROVEN):
        for label, fields, is_no in FIELDS:
            s = submit("a@" + sender, ["x@tls.test"], headers=fields)
            tap.equal(s.end if is_no else s.end[:3], TOLD if is_no else "250", "%s from %s: %s" % (
                label, sender, "refused" if is_no else "taken"))
    for label, fields, _ in FIELDS:
        s = submit("a@" + OPEN, ["x@tls.test"], headers=fields)
        tap.equal(s.end[:3], "250", "%s from an opportunistic sender: taken" % label)
    token = "by-command-refused"
    sendmail(w, "cmd@" + CLOSED, "x@tls.test", token, "TLS-Required: No\n")
    text = bounce_to(w, "cmd@" + CLOSED, token) or ""
    tap.ok("TLS-Required: No; send it without that field" in text, "from sendmail(1): a bounce says what to do", text)


def taken_all_the_same(tap, w):
    """tls_required_no = accept: the field stays, and weakens nothing."""
    milter(w)
    for sender, rcpt, dsn, fields in (
            (CLOSED, "no1@plain.test", "5.7.10", NO), (PROVEN, "no2@plain.test", "5.7.10", NO),
            (CLOSED, "no3@strict.test", "4.7.4", NO), (PROVEN, "no4@strict.test", "4.7.4", NO),
            (CLOSED, "two1@plain.test", "5.7.10", NO + NO), (CLOSED, "two2@plain.test", "5.7.10", NO + "TLS-Required: Yes\r\n")):
        s = submit("a@" + sender, [rcpt], headers=fields)
        tap.equal(w.postfix.outcome(s.qid, rcpt).dsn, dsn, "REQ-05 %s to %s: the field changes nothing" % (sender, rcpt))
        tap.matches(" ".join(told(w, "tagged", s.qid)), re.compile("mode=(enforced|verified) "),
                    "REQ-05 nor does the tag of %s" % rcpt)
    rcpt = "no5@tls.test"
    s = submit("a@" + CLOSED, [rcpt], headers="X-One: 1\r\n" + NO + "X-Two: 2\r\n")
    tap.equal((w.postfix.outcome(s.qid, rcpt).status, taken(w, rcpt)), ("sent", ("mx.tls.test", True)),
              "REQ-01 delivered over TLS")
    text = w.sinks.messages(lambda m: rcpt in m["rcpts"])[0]["text"]
    names = re.findall(r"^([\w-]+):", text.replace("\r\n", "\n").split("\n\n", 1)[0], re.M)
    kept = [name for name in names if name in ("X-One", "TLS-Required", "X-Two", "X-TLS-Mode")]
    tap.equal(kept, ["X-One", "TLS-Required", "X-Two"], "REQ-01 the field leaves as it came, with nothing of ours beside it")
    clear = [m["sender"] for m in w.sinks.messages(lambda m: not m["tls"] and m["sender"].endswith((CLOSED, PROVEN)))]
    tap.equal(clear, [], "REQ-05 no message of a strict sender was seen in the clear")
    tap.note("Postfix %s" % ".".join(map(str, version())))


def returned(tap, w):
    """Bounces of a receiver's own refusal."""
    rows = ((OPEN, (), True, True), (OPEN, ("RET=HDRS",), True, False), (OPEN, ("RET=FULL",), True, True),
            (CLOSED, (), True, False), (CLOSED, ("RET=FULL",), True, False), (CLOSED, ("RET=HDRS",), True, False),
            (PROVEN, ("RET=FULL", "ENVID=abc"), True, False), (CLOSED, (), False, True), (CLOSED, ("RET=FULL",), False, True))
    for number, (sender, options, wanted, has_body) in enumerate(rows):
        milter(w, return_headers=wanted)
        token, secret, address = "ret%d" % number, "word%d" % number, "r%d@%s" % (number, sender)
        submit(address, ["x@full.test"], token, options=options, body="%s\r\n" % secret)
        text = bounce_to(w, address, token) or ""
        label = "%s, %s, return_headers %s" % (sender, " ".join(options) or "no RET", str(wanted).lower())
        tap.equal(("Subject: " + token in text, "5.2.2" in text, secret in text), (True, True, has_body),
                  "%s: the bounce has the header %s" % (label, "and the body" if has_body else "only"), text)
        tap.ok("abc" not in "".join(options) or "abc" in text, "and the ENVID", text)


def returned_otherwise(tap, w):
    milter(w)
    for sender, has_body in ((OPEN, True), (CLOSED, False)):
        token = "ret-cmd-" + sender
        sendmail(w, "cmd2@" + sender, "x@full.test", token)
        text = bounce_to(w, "cmd2@" + sender, token) or ""
        tap.equal(("Subject: " + token in text, "Hello." in text), (True, has_body),
                  "sendmail(1), %s: the bounce has the header %s" % (sender, "and the body" if has_body else "only"), text)


def test(tap):
    with World("e2e-guard-headers") as w:
        publish(w)
        w.start()
        for domain, mode in ((CLOSED, "enforced"), (PROVEN, "verified")):
            w.mode(domain, mode)
            wait_for("the mode of " + domain, lambda d=domain, m=mode: w.ask("transport", "x@" + d) == "OK smtp-%s:" % m)
        for part in (refused, taken_all_the_same, returned, returned_otherwise):
            part(tap, w)


main(test)
