#!/usr/bin/python3
"""contrib/postfix-header-routing: the author or the login decides, whatever the envelope says, and every recipient still gets its
mail.

The receivers' own log and the mailboxes are the oracle. First the leak and the loss without the wiring, then the wiring.
"""
import os
import re
import smtplib
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from header_room import CLOSED, LIMIT, OPEN, PEOPLE, PROVEN, in_mailbox, install, seen, start, submit, through  # noqa: E402
from world import postfix_second as second  # noqa: E402
from world.space import run  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402


# envelope sender's domain, author's, login's -> the mode of the message
WHO = (
    (OPEN, OPEN, None, "opportunistic"),
    (OPEN, CLOSED, None, "enforced"),
    (OPEN, PROVEN, None, "verified"),
    (OPEN, OPEN, CLOSED, "enforced"),
    (OPEN, CLOSED, PROVEN, "verified"),
    (CLOSED, OPEN, None, "enforced"),
    (PROVEN, CLOSED, None, "verified"),
    (CLOSED, PROVEN, None, "verified"),
    (None, CLOSED, None, "enforced"),  # a null sender: vacation replies have an author, too
)
# receiver -> the least mode that must not reach it, "" for none
RCPTS = (("x@plain.test", "enforced"), ("x@self.test", "verified"), ("x@good.test", ""), ("x@keyed.test", ""),
         ("x@strict.test", ""),
         ("t@plain.test", "enforced"), ("t@good.test", ""), ("v@plain.test", "enforced"), ("v@good.test", ""))
TO = ["wilma@home.test", "team@home.test", "all@virt.test", "x@inner.test"] + [r for r, _ in RCPTS if r.startswith("x@")]
RANK = ("opportunistic", "enforced", "verified")


# ---- without the wiring ----

def without(tap, w):
    """The mail follows the envelope sender: the author's mode is not kept."""
    qid = submit("env@" + OPEN, ["x@plain.test", "wilma@home.test"], "t-without", "author@" + CLOSED)
    second.journey(w.postfix, qid)
    tap.equal([m["tls"] for m in seen(w, "t-without", "x@plain.test")], [""],
              "no wiring: an enforced author's mail goes in the clear")


def straight(tap, w):
    """FILTER straight to the strict client: no leak, but local recipients are routed there, too."""
    with open("/etc/postfix/straight.regexp", "w") as table:
        table.write("/^X-TLS-Mode: enforced/ FILTER smtp-enforced:\n")
    w.postfix.set(milter_header_checks="regexp:/etc/postfix/straight.regexp")
    w.postfix.reload()

    def filtered():
        qid = submit("env@" + OPEN, ["x@good.test", "wilma@home.test"], "t-straight", "author@" + CLOSED)
        return second.journey(w.postfix, qid) if "%s: milter-header-filter:" % qid in "\n".join(w.postfix.lines()) else None
    gone = wait_for("the header checks", filtered, 60, 0.5)
    tap.equal([(d.service, d.status) for d in gone.of("wilma@home.test", "postfix")], [("enforced/smtp", "bounced")],
              "FILTER straight to smtp-enforced: the local recipient is lost")
    run("postconf", "-X", "milter_header_checks")


# ---- with it ----

def address(domain, who):
    return "%s@%s" % (who, domain) if domain else ""


def one(tap, w, who):
    """One message of WHO to everybody: who got it, how often, over what."""
    envelope, author, login, mode = who
    token = "t-" + "-".join((domain or "null").partition(".")[0] for domain in who[:2]) + ("-login" if login else "")
    qid = submit(address(envelope, "env"), TO, token, address(author, "author"), address(login, "user"),
                 headers=() if envelope else ["Auto-Submitted: auto-replied"])
    gone = second.journey(w.postfix, qid)
    instances = {d.instance for d in gone.deliveries if d.relay == "local" and d.rcpt == "wilma@home.test"}
    tap.equal(instances, {"postfix" + ("" if mode == "opportunistic" else "-" + mode)},
              token + ": goes through the instance of its mode")
    for rcpt, forbidden in RCPTS:
        may = not forbidden or RANK.index(mode) < RANK.index(forbidden)
        got = seen(w, token, rcpt)
        clear = [m["sink"] for m in got if not m["tls"]]
        if may:
            tap.equal(len(got), 1, "%s: one copy to %s" % (token, rcpt), gone.deliveries)
        else:
            tap.equal(got, [], "%s: nothing to %s" % (token, rcpt), gone.deliveries)
        if mode != "opportunistic":
            tap.equal(clear, [], "%s: not in the clear to %s" % (token, rcpt))
    tap.equal([in_mailbox(name, token) for name in PEOPLE], [1] * len(PEOPLE), token + ": one copy in each mailbox")
    tap.equal([m["tls"] for m in seen(w, token, "x@inner.test")], [""],
              token + ": the site's own server (relay_domains) gets it as always")
    tap.ok(not any("x-tls-mode" in m["text"].lower() for m in seen(w, token)), token + ": the tag does not leave the house")
    tap.equal(sum("X-TLS-Mode: %s;" % mode in text for text in second.mailbox("wilma") if token + "\n" in text), 1,
              token + ": the tag is in the local copy")


def everybody(tap, w):
    for who in WHO:
        one(tap, w, who)


def bounced_home(name, token):
    """Bounces of this message in a mailbox."""
    return sum(token in text and "5.7.10" in text for text in second.mailbox(name))


def bounce(tap, w):
    """A refusal comes back at once, to the envelope sender, without the body, and its own way is not strict."""
    for mode, author, rcpt in (("enforced", CLOSED, "b1@plain.test"), ("verified", PROVEN, "b2@plain.test")):
        token = "t-bounce-" + mode
        gone = through(w, "back%s@%s" % (mode, OPEN), [rcpt], token, "author@" + author, body="a private word\r\n")
        tap.equal(gone.ends(rcpt, "postfix-" + mode), [("5.7.10", "bounced")], mode + ": a prompt 5.7.10")
        came = [m for m in w.sinks.messages() if m["rcpts"] == ["back%s@%s" % (mode, OPEN)]]
        tap.equal([(m["sender"], m["tls"]) for m in came], [("", "")],
                  mode + ": one bounce, to the envelope sender, in the clear: its MX has no TLS")
        text = came[0]["text"] if came else ""
        tap.ok("5.7.10" in text and token in text and "a private word" not in text, mode + ": it says why and has no body", text)
    through(w, "wilma@home.test", ["b3@plain.test"], "t-bounce-home", "author@" + CLOSED)
    tap.equal(bounced_home("wilma", "t-bounce-home"), 1, "a local sender's bounce is in the mailbox")
    through(w, "all@virt.test", ["b4@plain.test"], "t-bounce-virt", "author@" + CLOSED)
    tap.equal(bounced_home("betty", "t-bounce-virt"), 1, "a bounce to an alias is expanded")
    gone = through(w, "b5@" + OPEN, ["b5@self.test"], "t-cert", "author@" + PROVEN)
    tap.equal(gone.ends("b5@self.test", "postfix-verified"), [("4.7.5", "deferred")], "a certificate's fault waits")


def aliases(tap, w):
    """What local(8) sends on stays strict, also when the sender changes and when a command sends it."""
    gone = through(w, "env@" + OPEN, ["list@home.test", "robot@home.test"], "t-alias", "author@" + CLOSED)
    tap.equal([m["sender"] for m in seen(w, "t-alias", "l@good.test")], ["owner-list@home.test"],
              "a list with an owner sends on", gone.deliveries)
    wait_for("the command's mail", lambda: seen(w, "t-alias", "r@good.test"), 60)
    came = next(line for line in w.postfix.lines() if "pickup" in line and "from=<robot@open.test>" in line)
    second.journey(w.postfix, re.search(r": (\w+): uid=", came)[1])
    tap.ok(" postfix/pickup" in came, "sendmail(1) of a command speaks to the first instance", came)
    tap.equal([(m["sink"], m["rcpts"]) for m in seen(w, "t-alias") if not m["tls"]], [], "neither goes in the clear")


def forged(tap, w):
    headers = ["X-TLS-Mode: enforced; domain=x.test; by=from", "x-tls-mode: verified"]
    gone = through(w, "env@" + OPEN, ["f@plain.test", "wilma@home.test"], "t-forged", "author@" + OPEN, headers=headers)
    tap.equal({d.instance for d in gone.deliveries}, {"postfix"}, "a forged tag leads nowhere", gone.deliveries)
    tap.equal([m["tls"] for m in seen(w, "t-forged")], [""], "the message goes its own way")


def tls_required_no(tap, w):
    gone = through(w, "env@" + OPEN, ["n@plain.test"], "t-no", "author@" + CLOSED, headers=["TLS-Required: No"])
    tap.equal([d.dsn for d in gone.of("n@plain.test", "postfix-enforced")], ["5.7.10"], "TLS-Required: No lifts nothing")
    tap.equal(seen(w, "t-no"), [], "nothing was seen")


def largest():
    """Hands the largest message over that the first instance takes (to 50 octets); its queue id."""
    for size in range(LIMIT, 0, -50):
        try:
            return submit("env@" + OPEN, ["big@good.test"], "t-big", "author@" + CLOSED, body=("%0900d\r\n" % 0 * 50)[:size])
        except smtplib.SMTPResponseException as error:
            if error.smtp_code != 552:
                raise
    raise RuntimeError("no size was small enough")


def passed_on(tap, w):
    """What the envelope and the octets say comes through both instances."""
    options = ["SMTPUTF8", "BODY=8BITMIME", "ENVID=e7", "RET=FULL"]
    qid = submit("é@" + OPEN, ["ü@good.test"], "t-utf8", "author@" + CLOSED, body="Grüße\r\n", options=options,
                 rcpt_options=["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;a@b.test"])
    gone = second.journey(w.postfix, qid)
    mails = [e["line"] for e in w.sinks.events if e["event"] == "mail" and "@%s>" % OPEN in e["line"]]
    mail = next((line for line in mails if "SMTPUTF8" in line), "")
    tap.equal([word for word in ("SMTPUTF8", "BODY=8BITMIME", "ENVID=e7", "RET=HDRS") if word not in mail], [],
              "SMTPUTF8, 8BITMIME and DSN arrive; RET is the milter's", mail, gone.deliveries)
    rcpt = next((e["line"] for e in w.sinks.events if e["event"] == "rcpt" and "ORCPT=rfc822;a@b.test" in e["line"]), "")
    tap.ok("NOTIFY=FAILURE,DELAY" in rcpt or "NOTIFY=DELAY,FAILURE" in rcpt, "NOTIFY and ORCPT arrive", rcpt)
    text = "\n".join(w.postfix.lines())
    tap.ok(re.search(r"postfix-enforced/smtpd\[\d+\]: \w+: client=.*orig_queue_id=%s, orig_client=" % qid, text),
           "the strict instance's log names the first one's queue id and client")
    gone = second.journey(w.postfix, largest())
    tap.equal([d.status for d in gone.of("big@good.test", "postfix-enforced")], ["sent"],
              "a message of the largest size passes", gone.deliveries)


def receipt(tap, w):
    """NOTIFY=SUCCESS: the strict instance's report takes the way of a bounce."""
    gone = through(w, "receipt@good.test", ["wilma@home.test"], "t-receipt", "author@" + CLOSED,
                   rcpt_options=["NOTIFY=SUCCESS"])
    report = [m for m in w.sinks.messages() if m["rcpts"] == ["receipt@good.test"]]
    tap.equal([(m["sender"], "Action: delivered" in m["text"]) for m in report], [("", True)],
              "a receipt that was asked for comes", gone.deliveries)


def many(tap, w):
    """More recipients than one transaction of smtp(8) takes."""
    rcpts = ["m%d@good.test" % i for i in range(120)]
    through(w, "env@" + OPEN, rcpts, "t-many", "author@" + CLOSED)
    got = sorted(rcpt for m in seen(w, "t-many") for rcpt in m["rcpts"])
    tap.equal(got, sorted(rcpts), "120 recipients: each has it once")


def untouched(tap, w):
    """A stranger's header fields are not completed. 127.0.0.2 is one, by inet_interfaces; the strict instance has none."""
    folded = "Dkim-Like: " + " ".join(["folded"] * 9) + "\r\n\t and   kept"
    gone = through(w, "env@" + OPEN, ["wilma@home.test"], "t-raw", "author@" + CLOSED, headers=[folded, "Cc: bare"],
                   source="127.0.0.2")
    text = next((text for text in second.mailbox("wilma") if "\nSubject: t-raw\n" in text), "")
    tap.ok(folded.replace("\r\n", "\n") in text and "\nCc: bare\n" in text and gone.of("wilma@home.test", "postfix-enforced"),
           "header fields arrive as they were", text)


def submitted(tap, w):
    """sendmail(1) passes the same way."""
    subprocess.run(["sendmail", "-f", "s@" + OPEN, "s@plain.test", "s@good.test"], check=True,
                   input=("From: author@%s\nSubject: t-sendmail\n\nHello.\n" % CLOSED).encode())
    came = wait_for("the message", lambda: seen(w, "t-sendmail", "s@good.test"), 60)
    tap.ok(came[0]["tls"], "sendmail(1): to good.test over TLS")
    line = wait_for("its pickup", lambda: next((line for line in w.postfix.lines() if "from=<s@%s>" % OPEN in line), None))
    second.journey(w.postfix, re.search(r": (\w+): ", line)[1])
    tap.equal(seen(w, "t-sendmail", "s@plain.test"), [], "sendmail(1): not to plain.test")


def closed_ports(tap, w):
    refused = []
    for port in (10461, 10462, 10463):
        try:
            smtplib.SMTP("127.0.0.2", port, timeout=5)
        except ConnectionRefusedError:
            refused.append(port)
    tap.equal(refused, [10461, 10462, 10463], "the inner ports listen on 127.0.0.1 only")
    with smtplib.SMTP("127.0.0.1", 10463, local_hostname="client.test", timeout=30) as client:
        client.ehlo()
        code = client.mail("env@" + OPEN)[0], client.rcpt("x@plain.test")[0]
    tap.equal(code[1] // 100, 5, "the way back takes bounces only", code)


def nothing_leaked(tap, w):
    """Over the whole run with the wiring: no strict author's message in the clear, but to the site's own server."""
    strict = re.compile(r"^From: <author@(%s|%s)>" % (CLOSED, PROVEN), re.M)
    clear = [(m["sink"], m["rcpts"]) for m in w.sinks.messages() if not m["tls"] and strict.search(m["text"].split("\n\n", 1)[0])
             and m["sink"] != "mx.inner.test" and "Subject: t-without" not in m["text"]]
    tap.equal(clear, [], "no message of a strict author was ever seen in the clear")
    unproven = [m["rcpts"] for m in w.sinks.messages() if m["sink"] == "mx.self.test" and "From: <author@" + PROVEN in m["text"]]
    tap.equal(unproven, [], "no message of a verified author was seen by a host that could not prove itself")


def test(tap):
    second.private_places()
    with World("e2e-header") as w:
        start(w)
        without(tap, w)
        straight(tap, w)
        install(w)
        for part in (everybody, bounce, aliases, forged, tls_required_no, passed_on, receipt, untouched, submitted, many,
                     closed_ports, nothing_leaked):
            part(tap, w)


main(test)
