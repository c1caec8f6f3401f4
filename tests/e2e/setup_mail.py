#!/usr/bin/python3
"""contrib/postfix/setup and real mail: a running Postfix before it, after --apply, with a family, and after --remove."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from trap import PID_FILE, children  # noqa: E402
from world.postfix import Postfix  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

OPEN, CLOSED, PROVEN, POOLED = "open.test", "closed.test", "proven.test", "pooled.test"
MODES = {OPEN: "opportunistic", CLOSED: "enforced", PROVEN: "verified", POOLED: "enforced"}
FILES = ("/etc/postfix/main.cf", "/etc/postfix/master.cf")
# sender, receiver, and what becomes of it: wired (status, code, TLS at the receiver), and without the wiring
MAIL = (
    (OPEN, "plain.test", ("sent", "2.0.0", False), ("sent", "2.0.0", False)),
    (OPEN, "self.test", ("sent", "2.0.0", True), ("sent", "2.0.0", False)),
    (CLOSED, "plain.test", ("bounced", "5.7.10", None), ("sent", "2.0.0", False)),
    (CLOSED, "self.test", ("sent", "2.0.0", True), ("sent", "2.0.0", False)),
    (PROVEN, "self.test", ("deferred", "4.7.5", None), ("sent", "2.0.0", False)),
    (PROVEN, "good.test", ("sent", "2.0.0", True), ("sent", "2.0.0", False)),
)


def contents():
    return [open(path, "rb").read() for path in FILES]


def reloading(w, *words):
    """Runs setup with --reload; back when no process of before is left."""
    with open(PID_FILE) as pid:
        master = pid.read().strip()
    before = children(master)
    said = w.postfix.setup(*words, "--reload")
    wait_for("the end of the processes of before", lambda: not before & children(master), 60)
    return said


class Letters:
    """Mail from fresh addresses, since Postfix remembers a sender's transport for a while."""

    def __init__(self, tap, w):
        self.tap, self.w, self.count = tap, w, 0

    def send(self, sender, domain):
        self.count += 1
        rcpt = "r%d@%s" % (self.count, domain)
        qid = self.w.postfix.send("s%d@%s" % (self.count, sender), rcpt)
        outcome = self.w.postfix.outcome(qid, rcpt)
        came = self.w.sinks.await_event(lambda e: e["event"] == "message" and rcpt in e["rcpts"], 15 * (outcome.status == "sent"))
        return (outcome.status, outcome.dsn, bool(came["tls"]) if came else None), outcome

    def table(self, when, column):
        for sender, domain, *wants in MAIL:
            got, outcome = self.send(sender, domain)
            self.tap.equal(got, wants[column], "%s: %s to %s: %s" % (when, MODES[sender], domain, wants[column][0]), outcome)


def family(tap, w, letters):
    """A service with a host name of its own keeps it in the strict mode."""
    with open(FILES[1], "a") as master:
        master.write("pool2 unix - - y - - smtp\n  -o smtp_helo_name=pool2.sender.test\n")
    reloading(w, "--family", "pool2", "--apply")
    w.redis.cli("HSET", "tlsmode:sender:" + POOLED, "mode", "enforced", "via", "pool2")
    wait_for("the sender's family", lambda: w.ask("transport", "x@" + POOLED) == "OK pool2-enforced:")
    for domain, want in (("self.test", ("sent", "2.0.0", True)), ("plain.test", ("bounced", "5.7.10", None))):
        got, outcome = letters.send(POOLED, domain)
        name = "a family: enforced to %s: %s" % (domain, want[0])
        tap.equal((got, outcome.service), (want, "pool2-enforced/smtp"), name, outcome)
    helo = w.sinks.await_event(lambda e: e["event"] == "ehlo" and "pool2.sender.test" in str(e), 5)
    tap.ok(helo, "and it says its own host name", [e for e in w.sinks.events if e["event"] == "ehlo"][-4:])
    w.redis.cli("DEL", "tlsmode:sender:" + POOLED)
    reloading(w, "--family", "pool2", "--remove")
    got, outcome = letters.send(CLOSED, "plain.test")
    tap.equal(got, ("bounced", "5.7.10", None), "the family is taken out: the modes hold on", outcome)
    with open(FILES[1]) as master:
        text = master.read()
    with open(FILES[1], "w") as master:
        master.write(text.replace("pool2 unix - - y - - smtp\n  -o smtp_helo_name=pool2.sender.test\n", ""))


def test(tap):
    with World("e2e-setup-mail") as w:
        for domain in MODES:
            w.destination(domain)
        w.destination("plain.test", starttls="none")
        w.destination("self.test", cert="self")
        w.destination("good.test")
        w.start(postfix=False)
        for domain, mode in MODES.items():
            w.mode(domain, mode)
        wait_for("the modes", lambda: w.ask("transport", "x@" + PROVEN) == "OK smtp-verified:")
        w.postfix = Postfix(w.space, w.ca.cert)
        w.postfix.configure(wired=False)
        before = contents()
        w.postfix.start()
        letters = Letters(tap, w)
        letters.table("before", 1)
        said = reloading(w, "--apply", "--ca-file", w.ca.cert)
        tap.ok("+ smtp-enforced" in said and "does not listen" not in said, "setup --apply --reload", said)
        letters.table("after --apply", 0)
        family(tap, w, letters)
        reloading(w, "--remove")
        tap.equal(contents(), before, "--remove: the files are as before")
        letters.table("after --remove", 1)


main(test)
