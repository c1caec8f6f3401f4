#!/usr/bin/python3
"""Traps in the routing: what overrides the transport that the sender's mode chose, and what only seems to."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from trap import CLOSED, MODES, Mail, Traps, clone, homes, inline, settings, start_postfix  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

PLAIN = "[mx.plain.test]"
STRICT = ("renamed.test", "owners.test", "hosted.test")
# Aliases of ours.test; a list's owner is its sender.
ALIASES = """team team@plain.test
fans fans@plain.test
owner-fans owner@open.test
friends friends@plain.test
owner-friends owner@owners.test
"""
MAIN_CF = {
    "mydestination": "ours.test",
    "alias_maps": "texthash:/etc/postfix/aliases",
    "expand_owner_alias": "yes",
    "local_recipient_maps": "",
    "luser_relay": "lost@plain.test",
    "transport_maps": inline({"bare.test": "smtp:", "host.test": "smtp:" + PLAIN, "hop.test": ":" + PLAIN,
                              "strict-class.test": "smtp-enforced:"}),
    "sender_dependent_relayhost_maps": inline({"@hosted.test": PLAIN, "@led.test": "smtp:" + PLAIN}),
    "sender_canonical_maps": inline({"@renamed.test": "@open.test", "@alias.test": "@closed.test"}),
    "fallback_transport_maps": inline({"gone": "smtp:" + PLAIN, "left": "smtp-enforced:" + PLAIN}),
    "virtual_alias_domains": "virtual.test",
    "virtual_alias_maps": inline({"one@virtual.test": "one@plain.test", "team@virtual.test": "team@ours.test"}),
    "recipient_bcc_maps": inline({"watched@tls.test": "copy@plain.test"}),
    "relay_domains": "class.test, strict-class.test",
    "smtpd_recipient_restrictions": "check_recipient_access inline:{ { filtered.test = FILTER smtp:%s } }" % PLAIN,
    "allow_percent_hack": "yes",
}
# Sender, what it is sent to, where it must be refused: none of these leads past the sender's mode.
SAFE = (
    ("a virtual alias", "va@" + CLOSED, "one@virtual.test", "one@plain.test"),
    ("a virtual alias to a local one", "vl@" + CLOSED, "team@virtual.test", "team@plain.test"),
    ("a local alias", "la@" + CLOSED, "team@ours.test", "team@plain.test"),
    ("luser_relay", "lu@" + CLOSED, "nobody-here@ours.test", "lost@plain.test"),
    ("recipient_bcc_maps", "bcc@" + CLOSED, "watched@tls.test", "copy@plain.test"),
    ("the percent hack", "percent@" + CLOSED, "x%plain.test@ours.test", "x@plain.test"),
    ("an address literal", "literal@" + CLOSED, "x@[%s]", "x@[%s]"),
    ("sender_dependent_relayhost_maps", "relayed@hosted.test", "x@tls.test", "x@tls.test"),
)


def publish(w):
    homes(w, *MODES, *STRICT, "led.test")
    w.destination("tls.test")
    for domain in ("plain.test", "bare.test", "class.test", "strict-class.test"):
        w.destination(domain, starttls="none")


def overrides(w, t):
    """A transport that is named somewhere is final; what names none is safe."""
    named = "an entry that names the next hop only"
    t.leaks("transport_maps smtp:", named, t.send(CLOSED, "bare.test"), "bare.test")
    t.leaks("transport_maps smtp:[host]", named, t.send(CLOSED, "host.test"), "plain.test")
    t.closed("transport_maps smtp:[host]", t.send(CLOSED, "hop.test"))
    t.leaks("FILTER smtp:[host] of an access table", named, t.send(CLOSED, "filtered.test"), "plain.test")
    t.closed("FILTER smtp:[host] of an access table", t.send(CLOSED, "hop.test"))
    t.leaks("relay_domains", "a strict transport named for them", t.send(CLOSED, "class.test"), "class.test")
    t.closed("relay_domains", t.send(CLOSED, "strict-class.test"))


def to(w, sender, rcpt, final):
    """A message; FINAL is the recipient that leaves the house."""
    return Mail(sender, final, w.postfix.send(sender, rcpt))


def rewritten(w, t):
    """The mode is that of the sender who leaves the house."""
    trap, guard = "sender_canonical_maps", "a mode for the domain that comes out"
    t.leaks(trap, guard, t.send("renamed.test", "plain.test"), "plain.test")
    t.closed(trap, t.send("alias.test", "plain.test"))
    trap, guard = "owner- aliases", "a mode for the list owner's domain"
    t.leaks(trap, guard, to(w, "writer@" + CLOSED, "fans@ours.test", "fans@plain.test"), "plain.test")
    refused(w, t, "trap %s: closed" % trap, "writer@" + CLOSED, "friends@ours.test", "friends@plain.test")


def refused(w, t, name, sender, rcpt, final):
    """What is sent to RCPT leaves for FINAL, maybe in a new message; there it is refused."""
    qid = follow(w, w.postfix.send(sender, rcpt), final)
    got = w.postfix.outcome(qid, final)
    t.tap.equal((got.status, got.dsn, t.seen(Mail(sender, final, qid), 0)), ("bounced", "5.7.10", None), name, got)


def follow(w, qid, final):
    """The message that carries it to FINAL: local(8) makes new ones for aliases."""
    def look():
        lines = [line for line in w.postfix.lines() if qid in line]
        made = [line.rpartition("forwarded as ")[2].rstrip(")") for line in lines if "forwarded as " in line]
        return made[0] if made else qid if any(": to=<%s>" % final in line for line in lines) else None
    return wait_for("the way of %s to %s" % (qid, final), look, 30)


def local_transports(w, t):
    """What local(8) hands on by a transport of its own."""
    trap = "fallback_transport, mailbox_transport"
    t.leaks(trap, "a strict transport named there", to(w, "fall@" + CLOSED, "gone@ours.test", "gone@ours.test"), "plain.test")
    t.closed(trap, to(w, "fall@" + CLOSED, "left@ours.test", "left@ours.test"))


def safe_ways(w, t):
    plain = w.receivers["mx.plain.test"].address
    for name, sender, rcpt, final in SAFE:
        rcpt, final = (text.replace("%s", plain) for text in (rcpt, final))
        refused(w, t, "no trap: %s" % name, sender, rcpt, final)
    subprocess.run(["sendmail", "-XV", "-f", "verp@" + CLOSED, "verp@plain.test"], input=b"Subject: x\n\nx\n", check=True)
    went = wait_for("the end of the VERP message", lambda: w.sinks.await_event(
        lambda e: e["event"] == "message" and e["rcpts"] == ["verp+verp=plain.test@" + CLOSED]), 30)
    t.tap.ok("5.7.10" in went["text"] and not w.sinks.messages(lambda e: "verp@plain.test" in e["rcpts"]), "no trap: VERP", went["text"])


def relayhost_with_transport(w, t):
    """relayhost knows no transport: "smtp" is taken for a host, the rest for a port, and smtp(8) dies of it."""
    mail = t.send("led.test", "tls.test")
    wait_for("smtp(8) to die", lambda: [line for line in w.postfix.lines() if "fatal: unknown service: " + PLAIN in line], 30)
    t.tap.equal(t.seen(mail, 0), None, "trap relayhost smtp:[host]: nothing leaks, the mail waits")


def test(tap):
    with World("e2e-traps-routes") as w:
        publish(w)
        w.start(postfix=False)
        with open("/etc/postfix/aliases", "w") as aliases:
            aliases.write(ALIASES)
        start_postfix(w, lambda: [clone("smtp-enforced", "led-enforced")], **MAIN_CF)
        settings(w, {**MODES, **dict.fromkeys(STRICT, "enforced")})
        settings(w, {"led.test": "enforced"}, {"led.test": "led"})
        t = Traps(tap, w)
        for part in (overrides, rewritten, local_transports, safe_ways, relayhost_with_transport):
            part(w, t)
        t.nothing_else()


main(test)
