#!/usr/bin/python3
"""Traps in the routing: what overrides the transport that the sender's mode chose, and what only seems to."""
import os
import smtplib
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from trap import (CLOSED, MODES, PROVEN, Mail, Traps, another_milter, clone, homes, inline, service,  # noqa: E402
                  settings, start_postfix)
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

PLAIN = "[mx.plain.test]"
STRICT = ("strict-inner.test", "renamed.test", "host.masked.test", "strict-mask.test", "owners.test", "hosted.test")
# Aliases of ours.test; a list's owner is its sender.
ALIASES = """team team@plain.test
group group@plain.test
fans fans@plain.test
owner-fans owner@open.test
friends friends@plain.test
owner-friends owner@owners.test
"""
MAP = "socketmap:unix:tlsmode/map.sock:transport"
BOSS = "boss@" + CLOSED  # has a transport of his own in a table that is asked first
MAIN_CF = {
    "sender_dependent_default_transport_maps": inline({BOSS: "smtp:", "@" + CLOSED: "smtp:"}) + ", " + MAP,
    "masquerade_domains": "masked.test, strict-mask.test",
    "virtual_mailbox_domains": "mailboxes.test, strict-mailboxes.test",
    "virtual_mailbox_maps": "static:x",
    "virtual_transport": "smtp:" + PLAIN,
    "mydestination": "ours.test",
    "alias_maps": "texthash:/etc/postfix/aliases",
    "expand_owner_alias": "yes",
    "local_recipient_maps": "",
    "luser_relay": "lost@plain.test",
    "transport_maps": inline({"bare.test": "smtp:", "host.test": "smtp:" + PLAIN, "hop.test": ":" + PLAIN,
                              "self.test": "smtp-enforced:", "strict-self.test": "smtp-verified:",
                              "strict-class.test": "smtp-enforced:", "strict-mailboxes.test": "smtp-enforced:" + PLAIN}),
    "sender_dependent_relayhost_maps": inline({"@hosted.test": PLAIN, "@led.test": "smtp:" + PLAIN}),
    "smtp_generic_maps": inline({"@inner.test": "@closed.test", "@strict-inner.test": "@closed.test"}),
    "sender_canonical_maps": inline({"@renamed.test": "@open.test", "@alias.test": "@closed.test"}),
    "fallback_transport_maps": inline({"gone": "smtp:" + PLAIN, "left": "smtp-enforced:" + PLAIN}),
    "virtual_alias_domains": "virtual.test",
    "virtual_alias_maps": inline({"one@virtual.test": "one@plain.test", "group@virtual.test": "group@ours.test"}),
    "recipient_bcc_maps": inline({"watched@tls.test": "copy@plain.test"}),
    "relay_domains": "class.test, strict-class.test",
    "smtpd_recipient_restrictions": "check_recipient_access inline:{ { filtered.test = FILTER smtp:%s } }" % PLAIN,
    "allow_percent_hack": "yes",
}
# Sender, what it is sent to, where it must be refused: none of these leads past the sender's mode.
SAFE = (
    ("a virtual alias", "va@" + CLOSED, "one@virtual.test", "one@plain.test"),
    ("a virtual alias to a local one", "vl@" + CLOSED, "group@virtual.test", "group@plain.test"),
    ("a local alias", "la@" + CLOSED, "team@ours.test", "team@plain.test"),
    ("luser_relay", "lu@" + CLOSED, "nobody-here@ours.test", "lost@plain.test"),
    ("recipient_bcc_maps", "bcc@" + CLOSED, "watched@tls.test", "copy@plain.test"),
    ("the percent hack", "percent@" + CLOSED, "x%plain.test@ours.test", "x@plain.test"),
    ("an address literal", "literal@" + CLOSED, "x@[%s]", "x@[%s]"),
    ("sender_dependent_relayhost_maps", "relayed@hosted.test", "x@tls.test", "x@tls.test"),
)


# closed.test as a sender may write it; Postfix mends some of them before it asks.
WRITTEN = ('"u@open.test"@closed.test', "A@CLOSED.Test", "a@closed.test.", "@open.test:a@closed.test", "closed.test!a",
           "a+b@closed.test", "a@open.test@closed.test", '"a b"@closed.test', '"a\\"@open.test"@closed.test', "a@ closed.test",
           "a@closed.test (x@open.test)", '"<a@open.test>"@closed.test', '"a@closed.test"', "a@closed\u3002test")
WATCHED = 2601  # smtpd with the milter that refuses


def services():
    yield clone("smtp-enforced", "led-enforced")
    yield service("127.0.0.1:%d" % WATCHED, "smtpd", "inet", smtpd_milters="unix:tlsmode/watch.sock")


def publish(w):
    homes(w, *MODES, *STRICT, "led.test", "flips.test")
    w.destination("tls.test")
    for domain in ("plain.test", "bare.test", "class.test", "strict-class.test"):
        w.destination(domain, starttls="none")
    for domain in ("self.test", "strict-self.test"):
        w.destination(domain, cert="self")


def overrides(w, t):
    """A transport that is named somewhere is final; what names none is safe."""
    named = "an entry that names the next hop only"
    t.leaks("transport_maps smtp:", named, t.send(CLOSED, "bare.test"), "bare.test")
    t.leaks("transport_maps smtp:[host]", named, t.send(CLOSED, "host.test"), "plain.test")
    t.closed("transport_maps smtp:[host]", t.send(CLOSED, "hop.test"))
    t.leaks("FILTER smtp:[host] of an access table", named, t.send(CLOSED, "filtered.test"), "plain.test")
    t.closed("FILTER smtp:[host] of an access table", t.send(CLOSED, "hop.test"))
    named = "a strict transport named for them"
    t.leaks("virtual_transport = smtp:[host]", named, t.send(CLOSED, "mailboxes.test"), "plain.test")
    t.closed("virtual_transport = smtp:[host]", t.send(CLOSED, "strict-mailboxes.test"))
    trap = "transport_maps smtp-enforced: and a verified sender"
    t.leaks(trap, "smtp-verified: there", t.send(PROVEN, "self.test"), "self.test", "over TLS")
    t.closed(trap, t.send(PROVEN, "strict-self.test"), "deferred", "4.7.5")
    t.leaks("relay_domains", named, t.send(CLOSED, "class.test"), "class.test")
    t.closed("relay_domains", t.send(CLOSED, "strict-class.test"))


def to(w, sender, rcpt, final):
    """A message; FINAL is the recipient that leaves the house."""
    return Mail(sender, final, w.postfix.send(sender, rcpt))


def earlier_table(w, t):
    """Every table is asked for the whole address before any is asked for @domain; the first that has it wins."""
    trap = "a sender's address in a table before ours"
    t.leaks(trap, "ours alone", to(w, BOSS, "boss@plain.test", "boss@plain.test"), "plain.test")
    t.closed(trap + " (the domain in it does nothing)", t.send(CLOSED, "plain.test"))


def flipped(w, t):
    """Postfix's processes each remember their last question to the resolver for up to 30 s: this sender, this recipient. It is
    the first part, so that no bounce asks another in between; on a machine that slept through the 30 s the next pair tells."""
    trap = "the same sender and recipient again after a new mode"
    for number in range(5):
        sender, rcpt = "patient%d@flips.test" % number, "doctor%d@plain.test" % number
        w.mode("flips.test", "opportunistic")
        wait_for("the old mode", lambda: w.ask("transport", "x@flips.test") == "NOTFOUND ")
        t.arrives("trap %s: before it" % trap, to(w, sender, rcpt, rcpt), "plain.test")
        w.mode("flips.test", "enforced")
        wait_for("the new mode", lambda: w.ask("transport", "x@flips.test") == "OK smtp-enforced:")
        again = t.outcome(to(w, sender, rcpt, rcpt))
        if again.status == "sent":
            break
    seen = [e["tls"] for e in w.sinks.messages(lambda e: rcpt in e["rcpts"])]
    t.tap.equal(seen, ["", ""], "trap %s: without another question in between it leaks (seen at the receiver)" % trap, again)
    t.closed(trap + " (to any other recipient)", t.send("flips.test", "plain.test"))
    t.tap.equal(t.outcome(to(w, sender, rcpt, rcpt)).dsn, "5.7.10", "trap %s: closed by any other message" % trap)


def rewritten(w, t):
    """The mode is that of the sender in the queue: after canonical_maps, before what smtp(8) makes of it."""
    trap, guard = "sender_canonical_maps", "a mode for the domain that comes out"
    t.leaks(trap, guard, t.send("renamed.test", "plain.test"), "plain.test")
    t.closed(trap, t.send("alias.test", "plain.test"))
    t.leaks("masquerade_domains", guard, t.send("host.masked.test", "plain.test"), "plain.test")
    t.closed("masquerade_domains", t.send("host.strict-mask.test", "plain.test"))
    guard = "a mode for the domain before it"
    t.leaks("smtp_generic_maps", guard, t.send("inner.test", "plain.test"), "plain.test")
    t.closed("smtp_generic_maps", t.send("strict-inner.test", "plain.test"))
    trap, guard = "owner- aliases", "a mode for the list owner's domain"
    t.leaks(trap, guard, to(w, "writer@" + CLOSED, "fans@ours.test", "fans@plain.test"), "plain.test")
    t.refused("trap %s: closed" % trap, to(w, "writer@" + CLOSED, "friends@ours.test", "friends@plain.test").rcpt)


def local_transports(w, t):
    """What local(8) hands on by a transport of its own."""
    trap = "fallback_transport, mailbox_transport"
    t.leaks(trap, "a strict transport named there", to(w, "fall@" + CLOSED, "gone@ours.test", "gone@ours.test"), "plain.test")
    t.closed(trap, to(w, "fall@" + CLOSED, "left@ours.test", "left@ours.test"))


def safe_ways(w, t):
    plain = w.receivers["mx.plain.test"].address
    for name, sender, rcpt, final in SAFE:
        rcpt, final = (text.replace("%s", plain) for text in (rcpt, final))
        t.refused("no trap: %s" % name, to(w, sender, rcpt, final).rcpt)
    subprocess.run(["sendmail", "-XV", "-f", "verp@" + CLOSED, "verp@plain.test"], input=b"Subject: x\n\nx\n", check=True)
    went = wait_for("the end of the VERP message", lambda: w.sinks.await_event(
        lambda e: e["event"] == "message" and e["rcpts"] == ["verp+verp=plain.test@" + CLOSED]), 30)
    seen = t.seen(Mail("", "verp@plain.test", None), 0)
    t.tap.ok("5.7.10" in went["text"] and seen is None, "no trap: VERP", seen, went["text"])


def written_senders(w, t):
    """However a sender writes the domain, it is the domain."""
    for number, sender in enumerate(WRITTEN):
        with smtplib.SMTP("127.0.0.1", 25, local_hostname="client.test", timeout=60) as client:
            client.ehlo()
            client.send(("MAIL FROM:<%s>%s\r\n" % (sender, "" if sender.isascii() else " SMTPUTF8")).encode())
            codes = [client.getreply()[0], client.rcpt("written%d@plain.test" % number)[0]]
            codes.append(client.data("Subject: x\r\n\r\nx\r\n")[0])
        t.tap.equal(codes, [250] * 3, "a message of <%s> is taken" % ascii(sender))
    for number, sender in enumerate(WRITTEN):
        t.refused("no trap: <%s>" % ascii(sender), "written%d@plain.test" % number)


def watch(w, t):
    """The milter's watch on routes, on_escape = reject: which of these it sees at RCPT."""
    seen = ("bare.test", "host.test", "class.test", "mailboxes.test")
    unseen = ("hop.test", "strict-class.test", "filtered.test", "plain.test")
    with smtplib.SMTP("127.0.0.1", WATCHED, local_hostname="client.test", timeout=60) as client:
        client.ehlo()
        client.mail("watched@" + CLOSED)
        codes = {domain: client.rcpt("w@" + domain)[0] for domain in seen + unseen}
        home = client.rcpt("team@ours.test")[0]
    t.tap.equal(codes, {**dict.fromkeys(seen, 550), **dict.fromkeys(unseen, 250)},
                "transport_maps, relay_domains, virtual_transport: on_escape = reject refuses at RCPT; a FILTER it cannot see")
    t.tap.equal(home, 250, "a recipient at home is no escape")


def relayhost_with_transport(w, t):
    """relayhost knows no transport: "smtp" is taken for a host, the rest for a port, and smtp(8) dies of it."""
    mail = t.send("led.test", "tls.test")
    wait_for("smtp(8) to die", lambda: [line for line in w.postfix.lines() if "fatal: unknown service: " + PLAIN in line], 30)
    t.tap.equal(t.seen(mail, 0), None, "trap relayhost smtp:[host]: nothing leaks, the mail waits")


PARTS = (flipped, overrides, earlier_table, rewritten, local_transports, safe_ways, written_senders, watch,
         relayhost_with_transport)


def test(tap):
    with World("e2e-traps-routes") as w:
        publish(w)
        w.start(postfix=False)
        with open("/etc/postfix/aliases", "w") as aliases:
            aliases.write(ALIASES)
        start_postfix(w, services, **MAIN_CF)
        settings(w, {**MODES, **dict.fromkeys(STRICT, "enforced")}, {"led.test": ("enforced", "led")})
        milter = another_milter(w, "watch", on_escape="reject")
        t = Traps(tap, w)
        for part in PARTS:
            part(w, t)
        t.named("sender-map-order", "transport-maps", "filter-action", "relay-transport", "class-transport",
                "relayhost-transport")
        t.nothing_else()
        milter.stop()


main(test)
