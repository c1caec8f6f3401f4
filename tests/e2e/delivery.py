#!/usr/bin/python3
"""What becomes of mail where an answer alone does not tell: several hosts, several recipients, receivers that break in the handshake,
bounces, the null sender, and a tlsmode-mapd that is away. Nothing may ever travel in the clear that must not."""
import os
import smtplib
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world.certs import tlsa  # noqa: E402
from world.postfix import misnamed  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

WRONG = "3 1 1 " + "ab" * 32
OPEN, CLOSED, PROVEN = "open.test", "closed.test", "proven.test"

# sender's domain, destination, status, code, receiver that took it, TLS version it saw ("" in the clear)
ROWS = (
    # Hosts are tried in order; only the last result counts.
    (OPEN, "two.test", "sent", "2.0.0", "mx1.two.test", ""),
    (CLOSED, "two.test", "sent", "2.0.0", "mx2.two.test", "TLSv1.3"),
    (CLOSED, "none.test", "bounced", "5.7.10", None, None),
    (OPEN, "mixed.test", "sent", "2.0.0", "mx1.mixed.test", ""),
    (CLOSED, "mixed.test", "sent", "2.0.0", "mx2.mixed.test", "TLSv1.3"),
    # TLSA bogus at the first host, none at the second: Postfix looks host by host.
    (OPEN, "broken.test", "sent", "2.0.0", "mx2.broken.test", ""),
    (CLOSED, "broken.test", "deferred", "4.7.5", None, None),
    # An insecure MX to a host with TLSA.
    (OPEN, "insecure.test", "sent", "2.0.0", "mx.keyed.test", "TLSv1.3"),
    (PROVEN, "insecure.test", "deferred", "4.7.5", None, None),
    # The handshake.
    (OPEN, "refuses.test", "sent", "2.0.0", "mx.refuses.test", ""),
    (CLOSED, "refuses.test", "deferred", "4.7.0", None, None),  # the receiver's own code
    (OPEN, "garbage.test", "deferred", "4.7.5", None, None),  # Postfix tries in the clear only after minimal_backoff_time
    (CLOSED, "garbage.test", "deferred", "4.7.5", None, None),
    (CLOSED, "old.test", "deferred", "4.7.5", None, None),
    # Certificates. DANE-EE knows neither names nor dates (RFC 7672 s3.1.1).
    (CLOSED, "expired.test", "sent", "2.0.0", "mx.expired.test", "TLSv1.3"),
    (PROVEN, "expired.test", "deferred", "4.7.5", None, None),
    (CLOSED, "name.test", "sent", "2.0.0", "mx.name.test", "TLSv1.3"),
    (PROVEN, "name.test", "deferred", "4.7.5", None, None),
    (PROVEN, "dane-expired.test", "sent", "2.0.0", "mx.dane-expired.test", "TLSv1.3"),
    (PROVEN, "dane-name.test", "sent", "2.0.0", "mx.dane-name.test", "TLSv1.3"),
    (OPEN, "sts-expired.test", "deferred", "4.7.5", None, None),
    (OPEN, "sts-old.test", "deferred", "4.7.5", None, None),
    (OPEN, "sts-otherhost.test", "deferred", "misnamed", None, None),
    # A failing DANE is not mended by an MTA-STS policy that would hold (RFC 8461 s2).
    (OPEN, "both.test", "deferred", "4.7.5", None, None),
    (PROVEN, "both.test", "deferred", "4.7.5", None, None),
    # All TLSA records unusable: TLS is mandatory, the certificate does not matter (RFC 7672 s2.2).
    (OPEN, "unusable.test", "sent", "2.0.0", "mx.unusable.test", "TLSv1.3"),
    (OPEN, "unusable-plain.test", "deferred", "4.7.4", None, None),
)


def two_hosts(w, domain, first, second, **zone):
    """DOMAIN with hosts mx1 and mx2; FIRST, SECOND: their receivers' behaviour."""
    z = w.zone(domain, **zone)
    for number, how in enumerate((first, second), 1):
        host = w.receiver("mx%d.%s" % (number, domain), **how)
        z.add("@", "MX", "%d0 mx%d" % (number, number)).set("mx%d" % number, "A", host.address)
    return z


def publish(w):
    for domain in (OPEN, CLOSED, PROVEN):
        w.destination(domain)
    plain, tls = {"starttls": "none"}, {}
    two_hosts(w, "two.test", plain, tls, signed=False)
    two_hosts(w, "none.test", plain, plain, signed=False)
    two_hosts(w, "mixed.test", plain, tls)
    w.zones["mixed.test"].set("_25._tcp.mx2", "TLSA", tlsa("3 1 1", w.receivers["mx2.mixed.test"].pair.cert))
    two_hosts(w, "broken.test", tls, plain)
    w.zone("_tcp.mx1.broken.test", ds="wrong").set("_25", "TLSA", WRONG)
    w.destination("keyed.test", signed=True, cert="self", tlsa="3 1 1")
    w.zone("insecure.test", signed=False).set("@", "MX", "10 mx.keyed.test.")
    w.destination("refuses.test", starttls="454")
    w.destination("garbage.test", starttls="garbage")
    w.destination("old.test", tls=("1.0", "1.1"))
    for kind in ("expired", "name"):
        w.destination(kind + ".test", cert=kind)
        w.destination("dane-%s.test" % kind, cert=kind, signed=True, tlsa="3 1 1")
    w.destination("sts-expired.test", cert="expired", sts="enforce")
    w.destination("sts-old.test", tls=("1.0", "1.1"), sts="enforce")
    w.destination("sts-otherhost.test")
    w.sts("sts-otherhost.test", mx=["elsewhere.sts-otherhost.test"])
    w.destination("both.test", signed=True, tlsa=WRONG, sts="enforce")
    w.destination("unusable.test", cert="self", signed=True, tlsa="1 1 1 " + "cd" * 32)
    w.destination("unusable-plain.test", starttls="none", signed=True, tlsa="1 1 1 " + "cd" * 32)
    w.destination("plain.test", starttls="none")


def rows(tap, w):
    sent = [(row, "rcpt%d@%s" % (i, row[1]), w.postfix.send("s%d@%s" % (i, row[0]), "rcpt%d@%s" % (i, row[1])))
            for i, row in enumerate(ROWS)]
    for (sender, domain, *want), rcpt, qid in sent:
        outcome = w.postfix.outcome(qid, rcpt)
        taken = None
        if outcome.status == "sent":
            taken = w.sinks.await_event(lambda e: e["event"] == "message" and rcpt in e["rcpts"])
        want = [misnamed() if value == "misnamed" else value for value in want]
        got = [outcome.status, outcome.dsn, taken and taken["sink"], taken and taken["tls"]]
        tap.equal(got, want, "%s to %s: %s %s" % (sender, domain, want[0], want[1]), outcome)


def one_message_many_receivers(tap, w):
    rcpts = ["many@" + d for d in ("none.test", "keyed.test", "name.test", "both.test")]
    qid = w.postfix.send("many@" + CLOSED, rcpts)
    got = [w.postfix.outcome(qid, rcpt).dsn for rcpt in rcpts]
    tap.equal(got, ["5.7.10", "2.0.0", "2.0.0", "4.7.5"], "one message, four receivers: each recipient has its own end")


def bounce(tap, w):
    qid = w.postfix.send("patient@" + CLOSED, "doctor@plain.test", body="a private word\r\n")
    tap.equal(w.postfix.outcome(qid, "doctor@plain.test").dsn, "5.7.10", "not offered: a prompt 5.7.10")
    w.postfix.bounce_of(qid)
    came = w.sinks.await_event(lambda e: e["event"] == "message" and "patient@" + CLOSED in e["rcpts"])
    text = came["text"] if came else ""
    tap.ok("5.7.10" in text and "Sender domain requires TLS" in text, "the bounce says 5.7.10 and why", text)
    tap.ok("Subject: world" in text and "a private word" not in text, "the bounce carries headers only", text)


def tag_stays_inside(tap, w):
    rcpt = "tag@keyed.test"
    w.postfix.outcome(w.postfix.send("tag@" + CLOSED, rcpt, headers=[("X-TLS-Mode", "opportunistic; forged")]), rcpt)
    text = w.sinks.messages(lambda e: rcpt in e["rcpts"])[0]["text"]
    tap.ok("X-TLS-Mode" not in text, "the tag does not leave the house", text)


def null_sender(tap, w):
    rcpt = "null1@plain.test"
    tap.equal(w.postfix.outcome(w.postfix.send("", rcpt), rcpt).dsn, "2.0.0", "null sender without a setting: opportunistic")
    w.mode("*", "enforced")
    wait_for("the default for all", lambda: w.ask("transport", "any@elsewhere.test") == "OK smtp-enforced:")
    tap.equal(w.ask("transport", "<>"), "NOTFOUND ", "* covers every sender but the null sender")
    w.mode("*")
    w.mode("<>", "enforced")
    wait_for("the null sender's mode", lambda: w.ask("transport", "<>") == "OK smtp-enforced:")
    tap.equal(w.ask("transport", '"<>"'), "OK smtp-enforced:", "a setting for <> does, in both spellings")
    w.mode("<>")


def daemon_away(tap, w):
    w.daemons.mapd.stop()
    before = len(w.sinks.messages())
    try:
        w.postfix.send("away@" + CLOSED, "away@plain.test")
        tap.ok(False, "no daemon: the client is told to come back", "accepted")
    except smtplib.SMTPResponseException as error:
        tap.equal(error.smtp_code, 451, "no daemon: the client is told to come back")
    tap.equal(len(w.sinks.messages()), before, "no daemon: nothing is delivered")
    w.daemons.start_mapd()
    rcpt = "back@keyed.test"
    tap.equal(w.postfix.outcome(w.postfix.send("back@" + CLOSED, rcpt), rcpt).status, "sent", "the daemon is back: mail flows again")


def nothing_leaked(tap, w):
    """Over the whole run: what closed and proven senders sent was never seen in the clear."""
    clear = [(e["sender"], e["sink"]) for e in w.sinks.messages() if not e["tls"] and not e["sender"].endswith("@" + OPEN)]
    tap.equal([c for c in clear if c[0]], [], "no message of a strict sender was ever seen in the clear")


def test(tap):
    with World("e2e-delivery") as w:
        publish(w)
        w.start(own_root=True)
        w.mode(CLOSED, "enforced")
        w.mode(PROVEN, "verified")
        for part in (rows, one_message_many_receivers, bounce, tag_stays_inside, null_sender, daemon_away, nothing_leaked):
            part(tap, w)


main(test)
