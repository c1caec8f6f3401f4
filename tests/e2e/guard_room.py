"""What tests/e2e/guard*.py share: submissions told reply by reply, a milter whose options change, and what it logged."""
import os
import re
import signal
import smtplib
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world.daemons import confuse, merged  # noqa: E402
from world.waiting import wait_for  # noqa: E402

DEFAULTS = {"identity": ["envelope"], "on_mismatch": "accept", "on_escape": "accept", "tls_required_no": "accept",
            "return_headers": True}


def milter(w, **options):
    """The milter with OPTIONS and else the defaults, from the next connection on."""
    w.daemons.write(milter={**DEFAULTS, **options})
    w.space.write("milter.conf", confuse(merged(w.daemons.conf, {"user": ""})))
    done = "event=reload status=ok"
    seen = w.daemons.milter.text().count(done)
    w.daemons.milter.send(signal.SIGUSR1)
    wait_for("the milter's reload", lambda: w.daemons.milter.text().count(done) > seen)


def told(w, event, qid):
    """The milter's lines of EVENT for QID, without time and id."""
    begin = "%s: event=%s" % (qid, event)
    return [line[line.index("event="):] for line in w.daemons.milter.text().splitlines() if begin in line]


def escapes(w, qid):
    """(action, mode, mailer, recipient) of each that did not keep the mode; complete when Postfix is done with the message."""
    if qid != "NOQUEUE":
        wait_for("the milter's line of " + qid, lambda: "%s: event=" % qid in w.daemons.milter.text())
        wait_for("Postfix's queue", lambda: any(": %s: from=<" % qid in line or "%s: milter-reject" % qid in line
                                                for line in w.postfix.lines()))
    words = re.compile(r"event=escape action=(\S+) mode=(\S+) mailer=(\S+) sender=\S+ rcpt=<(\S+)>")
    return [words.match(line).groups() for line in told(w, "escape", qid)]


class Submitted:
    """What was said to RCPT TO, in order, and to the end of the message (None: no recipient was left)."""

    def __init__(self, rcpts, end):
        self.rcpts, self.end = rcpts, end
        queued = re.search(r"queued as (\w+)", end or "")
        self.qid = queued and queued[1]


def submit(sender, rcpts, token="guard", headers="", author=None, login=None, options=(), body="Hello.\r\n"):
    with smtplib.SMTP("127.0.0.1", 25, local_hostname="client.test", timeout=60) as c:
        c.ehlo()
        if login:
            c.docmd("XCLIENT", "LOGIN=" + login)
            c.ehlo()
        c.mail(sender, list(options))
        said = [said_as_text(c.rcpt(rcpt)) for rcpt in rcpts]
        if not any(text.startswith("250") for text in said):
            return Submitted(said, None)
        text = "From: <%s>\r\nSubject: %s\r\n%s\r\n%s" % (author or sender or "x@sender.test", token, headers, body)
        return Submitted(said, said_as_text(c.data(text)))


def said_as_text(reply):
    return "%d %s" % (reply[0], reply[1].decode())


def sendmail(w, sender, rcpt, token, headers=""):
    """Hands a message to sendmail(1); its queue id."""
    before = len(w.postfix.lines())
    subprocess.run(["sendmail", "-i", "-f", sender, rcpt], check=True,
                   input=("From: <%s>\nSubject: %s\n%s\nHello.\n" % (sender, token, headers)).encode())

    def pickup():
        return next((m[1] for m in (re.search(r"pickup\[\d+\]: (\w+): uid=\d+ from=<%s>" % re.escape(sender), line)
                                    for line in w.postfix.lines()[before:]) if m), None)
    return wait_for("the queue id of " + token, pickup, 30)


def taken(w, rcpt):
    """(receiver, was it encrypted) of the message for RCPT."""
    came = w.sinks.await_event(lambda e: e["event"] == "message" and rcpt in e["rcpts"], 30)
    return came and (came["sink"], bool(came["tls"]))


def bounce_to(w, sender, token):
    """The text of the bounce about TOKEN as it arrived in the mailbox of SENDER."""
    came = w.sinks.await_event(lambda e: e["event"] == "message" and sender in e["rcpts"] and token in e["text"], 60)
    return came["text"] if came else None
