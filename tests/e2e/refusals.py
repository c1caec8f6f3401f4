#!/usr/bin/python3
"""Refusals as people read them: what the bounce of a strict sender says when it reaches the mailbox, that it comes at once, and
that nothing but a receiver without STARTTLS makes one, whatever the sender's mode and whichever Postfix."""
import email
import os
import re
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world import sink  # noqa: E402
from world.postfix import version  # noqa: E402
from world.space import run  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

OPEN, CLOSED, PROVEN = "open.test", "closed.test", "proven.test"
SENDERS = (OPEN, CLOSED, PROVEN)
MODE = {CLOSED: "enforced", PROVEN: "verified"}
SENTENCE = ("Sender domain requires TLS: its mail is sent encrypted or not at all (mode %s), but the receiving host %s[%s] "
            "does not offer encryption (STARTTLS)")
WRONG = "3 1 1 " + "ab" * 32
PLAIN = {"starttls": "none"}
LONG = ".".join(["mx-" + "x" * 58] * 3) + ".long.test"  # 201 octets and an address beside it

# destination; what it does with mail of (open, closed, proven): "sent", or the code that it waits with, or "bounce"
RECEIVERS = {
    "plain.test": ("sent", "bounce", "bounce"),
    "both.test": ("sent", "bounce", "bounce"),  # two MX hosts, neither offers TLS
    "long.test": ("sent", "bounce", "bounce"),
    "stripped.test": ("sent", "bounce", "bounce"),  # on the way: nobody can tell it from a receiver that has none
    "sts-stripped.test": ("4.7.4", "4.7.4", "4.7.4"),  # but its policy can
    "dane-stripped.test": ("4.7.4", "4.7.4", "4.7.4"),
    "second.test": ("sent", "sent", "sent"),  # the second MX host is fine
    "away.test": ("sent", "bounce", "bounce"),  # the first is away: Postfix tells of the last that it tried, no more
    "last.away.test": ("sent", "4.4.1", "4.4.1"),  # the last is away
    "refuses.test": ("sent", "4.7.0", "4.7.0"),  # offers STARTTLS and answers 454
    "garbage.test": ("4.7.5", "4.7.5", "4.7.5"),
    "cut.test": (None, None, None),  # the connection ends; only that nothing bounces
    "old.test": ("sent", "4.7.5", "4.7.5"),  # TLS 1.1
    "self.test": ("sent", "sent", "4.7.5"),
    "expired.test": ("sent", "sent", "4.7.5"),
    "name.test": ("sent", "sent", "4.7.5"),
    "sts-plain.test": ("4.7.4", "4.7.4", "4.7.4"),
    "sts-self.test": ("4.7.5", "4.7.5", "4.7.5"),
    "sts-away.test": ("sent", "4.7.4", "4.7.4"),  # a record whose policy cannot be had
    "dane-plain.test": ("4.7.4", "4.7.4", "4.7.4"),
    "dane-wrong.test": ("4.7.5", "4.7.5", "4.7.5"),
    "dane-bogus.test": ("4.7.5", "4.7.5", "4.7.5"),
    "unusable.test": ("4.7.4", "4.7.4", "4.7.4"),
    "bogus.test": (None, None, None),
}


def hosts(w, domain, *how):
    zone = w.zone(domain, signed=False)
    for number, behaviour in enumerate(how, 1):
        host = w.receiver("mx%d.%s" % (number, domain), **behaviour)
        zone.add("@", "MX", "%d0 mx%d" % (number, number)).set("mx%d" % number, "A", host.address)


def publish(w):
    for name in SENDERS:
        w.destination(name)
    for name in ("plain.test", "first.test", "last.test", "many.test", "shared.test"):
        w.destination(name, **PLAIN)
    w.zone("port.test", signed=False).set("@", "A", w.receiver("port.test", port=2525, **PLAIN).address)
    w.destination("host-sts.test", **PLAIN)
    w.sts("host-sts.test", mx=["mx.host-sts.test"])
    w.zone("host-none.test", signed=False).set("@", "MX", "10 mx.host-sts.test.")
    hosts(w, "both.test", PLAIN, PLAIN)
    hosts(w, "second.test", PLAIN, {})
    hosts(w, "away.test", PLAIN, PLAIN)
    hosts(w, "last.away.test", PLAIN, PLAIN)
    for name in ("mx1.away.test", "mx2.last.away.test"):
        w.sinks.close(w.receivers[name])
    long = w.receiver(LONG, w.pair("self", "x"), **PLAIN)
    w.zone("long.test").set("@", "MX", "10 %s." % LONG).set(LONG + ".", "A", long.address)
    for name, how in (("stripped", {}), ("sts-stripped", {"sts": "enforce"}),
                      ("dane-stripped", {"signed": True, "tlsa": "3 1 1"})):
        zone = w.destination(name + ".test", **how)
        zone.set("mx", "A", w.stripped(w.receivers["mx.%s.test" % name]))
    for name, how in (("refuses", {"starttls": "454"}), ("garbage", {"starttls": "garbage"}), ("cut", {"starttls": "cut"}),
                      ("old", {"tls": ("1.0", "1.1")}), ("self", {"cert": "self"}), ("expired", {"cert": "expired"}),
                      ("name", {"cert": "name"}), ("sts-plain", {"sts": "enforce", **PLAIN}),
                      ("sts-self", {"sts": "enforce", "cert": "self"}), ("sts-away", PLAIN),
                      ("dane-plain", {"signed": True, "tlsa": "3 1 1", **PLAIN}), ("dane-wrong", {"signed": True, "tlsa": WRONG}),
                      ("dane-bogus", {"signed": True}), ("unusable", {"signed": True, "tlsa": "1 1 1 " + "cd" * 32, **PLAIN})):
        w.destination(name + ".test", **how)
    w.sts("sts-away.test", status=503)
    w.zone("_tcp.mx.dane-bogus.test", ds="wrong").set("_25", "TLSA", WRONG)
    w.zone("bogus.test", ds="wrong").set("@", "MX", "10 mx.plain.test.")


def bounce_of(w, sender, rcpt):
    """The bounce about RCPT as it reached the mailbox of SENDER: (text for people, fields of the DSN, returned part)."""
    came = w.sinks.await_event(lambda e: e["event"] == "message" and sender in e["rcpts"] and rcpt in e["text"], 60)
    message = email.message_from_string(came["text"].replace("\r\n", "\n"))
    human, dsn, returned = message.get_payload()
    return (re.sub(r"\s+", " ", human.get_payload()), [dict(part.items()) for part in dsn.get_payload()],
            returned.get_payload(), came)


def becomes_of(w, qid, rcpt):
    """"sent", "bounce", or the code that the message waits with after its first try."""
    got = w.postfix.outcome(qid, rcpt, 60)
    return {"sent": "sent", "bounced": "bounce", "deferred": got.dsn}[got.status], got


def receivers(tap, w):
    sent = []
    for number, (domain, wants) in enumerate(RECEIVERS.items()):
        for sender, want in zip(SENDERS, wants):
            rcpt = "r%d-%s@%s" % (number, sender[:2], domain)
            sent.append((sender, domain, want, rcpt, w.postfix.send("s%d@%s" % (number, sender), rcpt)))
    for sender, domain, want, rcpt, qid in sent:
        got, outcome = becomes_of(w, qid, rcpt)
        if want is None:
            tap.ok(got != "bounce", "%s to %s: whatever becomes of it, not a bounce" % (sender, domain), outcome)
        else:
            said = {"sent": "delivered", "bounce": "bounced at the first try"}.get(want, "waits with " + want)
            tap.equal(got, want, "%s to %s: %s" % (sender, domain, said), outcome)
    clear = [e["sender"] for e in w.sinks.messages() if not e["tls"] and e["sender"].endswith((CLOSED, PROVEN))]
    tap.equal(clear, [], "no message of a strict sender was seen in the clear")
    return {(sender, domain): rcpt for sender, domain, _, rcpt, _ in sent}


def sentence(w, modes, host):
    return SENTENCE % (modes, host, w.receivers[host].address)


def texts(tap, w, sent):
    """Enforced and verified senders wrote to these at once: both modes are named as soon as both have asked."""
    for sender, number in ((CLOSED, 0), (PROVEN, 0), (CLOSED, 1), (PROVEN, 2)):
        domain, host = (("plain.test", "mx.plain.test"), ("both.test", "mx2.both.test"), ("long.test", LONG))[number]
        human, dsn, returned, came = bounce_of(w, "s%d@%s" % (number, sender), sent[sender, domain])
        rule = re.search(r"\(mode (.*?)\)", human)
        want = sentence(w, rule and rule[1], host)
        name = "%s to %s: " % (sender, domain)
        tap.ok(rule and rule[1] in (MODE[sender], "enforced or verified"), name + "the bounce names the sender's mode", human)
        tap.ok(human.strip().endswith("<%s>: %s" % (sent[sender, domain], want)), name + "in one sentence", human)
        tap.equal((dsn[1]["Action"], dsn[1]["Status"]), ("failed", "5.7.10"), name + "the status is 5.7.10", dsn)
        tap.equal(re.sub(r"\s+", " ", dsn[1]["Diagnostic-Code"]), "X-Postfix; " + want, name + "the diagnostic says the same")
        tap.ok("Subject: world" in str(returned) and "Hello." not in came["text"], name + "headers only", came["text"])
        tap.equal(came["sender"], "", name + "from the null sender")


def one_mode(tap, w):
    """Where only one mode asked for TLS of that host, it is named; else both are, for Postfix does not say who sends."""
    for sender, domain, rule in ((CLOSED, "first.test", "enforced"), (PROVEN, "last.test", "verified"),
                                 (CLOSED, "plain.test", "enforced or verified")):
        address, rcpt = "one@" + sender, "one@" + domain
        qid = w.postfix.send(address, rcpt)
        tap.equal(becomes_of(w, qid, rcpt)[0], "bounce", "%s to %s: bounced" % (sender, domain))
        human = bounce_of(w, address, rcpt)[0]
        tap.ok(sentence(w, rule, "mx." + domain) in human, "asked of it so far: mode %s" % rule, human)


def smart_hosts(tap, w):
    """The next hop is a host by name, by address or at another port: the bounce names what Postfix spoke to."""
    plain, port = w.receivers["mx.plain.test"], w.receivers["port.test"]
    for number, (relay, name, host) in enumerate((
            ("[mx.plain.test]", "mx.plain.test", plain), ("[%s]" % plain.address, plain.address, plain),
            ("[port.test]:2525", "port.test", port), ("plain.test", "mx.plain.test", plain))):
        address, rcpt = "relay%d@%s" % (number, CLOSED), "relay%d@nowhere.test" % number
        w.postfix.set(sender_dependent_relayhost_maps="inline:{ { %s = %s } }" % (address, relay))
        w.postfix.reload()
        qid = w.postfix.send(address, rcpt)
        got, outcome = becomes_of(w, qid, rcpt)
        tap.equal(got, "bounce", "relayhost %s without TLS: bounced at the first try" % relay, outcome)
        human = bounce_of(w, address, rcpt)[0] if got == "bounce" else ""
        tap.ok("host %s[%s] does not offer encryption (STARTTLS)" % (name, host.address) in human, "and named", human)


def one_host_of_two(tap, w):
    """Postfix names the host, not the destination: where one of its destinations demands TLS by itself, none of them bounces."""
    for number, (sender, domain, want) in enumerate((
            (CLOSED, "host-none.test", "bounce"), (CLOSED, "host-sts.test", "4.7.4"), (CLOSED, "host-none.test", "4.7.4"),
            (PROVEN, "host-none.test", "4.7.4"))):
        rcpt = "host%d@%s" % (number, domain)
        got, outcome = becomes_of(w, w.postfix.send("host@" + sender, rcpt), rcpt)
        tap.equal(got, want, "%s to %s, on a host of two destinations: %s" % (sender, domain, want), outcome)


def many_recipients(tap, w):
    """Beside one that is delivered and one that waits; and more of them than fit one delivery."""
    fine, waits = "fine@self.test", "waits@dane-plain.test"
    plain = ["many%d@many.test" % i for i in range(60)]
    qid = w.postfix.send("crowd@" + CLOSED, plain + [fine, waits])
    tap.equal([becomes_of(w, qid, rcpt)[0] for rcpt in (fine, waits)], ["sent", "4.7.4"],
              "one message: the others have their own end")
    tap.equal({becomes_of(w, qid, rcpt)[0] for rcpt in plain}, {"bounce"}, "60 recipients of one destination: all bounce at once")
    named = set()

    def all_named():
        for e in w.sinks.messages(lambda m: "crowd@" + CLOSED in m["rcpts"]):
            named.update(re.findall(r"<(\w+@[\w.-]+)>: Sender domain requires", e["text"]))
        return len(named) >= 60
    wait_for("bounces that name all of them", all_named, 60)
    tap.equal(named, set(plain), "and the bounces name them, and nobody else")


def connections_reused(tap, w):
    """Opportunistic mail keeps a connection to the same host open; a strict message does not travel on it."""
    w.postfix.set(smtp_connection_cache_destinations="shared.test")
    w.postfix.reload()
    for number in range(3):
        opp = w.postfix.send("keep%d@%s" % (number, OPEN), "keep%d@shared.test" % number)
        strict = w.postfix.send("keep%d@%s" % (number, CLOSED), "strict%d@shared.test" % number)
        got = [becomes_of(w, qid, "%s%d@shared.test" % (who, number))[0] for qid, who in ((opp, "keep"), (strict, "strict"))]
        tap.equal(got, ["sent", "bounce"], "a kept connection, %d: opportunistic delivered, enforced bounced" % (number + 1))
    leaked = [r for e in w.sinks.messages() for r in e["rcpts"] if r.startswith("strict")]
    tap.equal(leaked, [], "and nothing of it was seen")


class Held:
    """Holds the answer of one receiver to EHLO until release()."""

    def __init__(self, name):
        self.name, self.gate, self.asked, self.before = name, threading.Event(), threading.Event(), sink.Session.on_ehlo

    def __enter__(self):
        def on_ehlo(session, line):
            if session.receiver.name == self.name:
                self.asked.set()
                self.gate.wait(60)
            return self.before(session, line)
        sink.Session.on_ehlo = on_ehlo
        return self

    def __exit__(self, *unused):
        self.gate.set()
        sink.Session.on_ehlo = self.before


def daemon_restarted(tap, w):
    """What mapd answered for a host is in its memory only: without that a refusal is no ground for a bounce; the next try is."""
    w.daemons.mapd.stop()
    w.daemons.start_mapd()
    qid = w.postfix.send("after@" + CLOSED, "after@plain.test")
    tap.equal(becomes_of(w, qid, "after@plain.test")[0], "bounce", "mapd restarted before a message: bounced at the first try")
    rcpt = "amid@plain.test"
    with Held("mx.plain.test") as held:
        qid = w.postfix.send("amid@" + CLOSED, rcpt)
        tap.ok(held.asked.wait(30), "a delivery is under way: the policy has been answered")
        w.daemons.mapd.stop()
        w.daemons.start_mapd()
    tap.equal(becomes_of(w, qid, rcpt)[0], "4.7.4", "mapd restarted amid a delivery: the message waits")
    w.postfix.flush()
    got = w.postfix.outcome(qid, rcpt, 60, nth=2)
    tap.equal((got.status, got.dsn), ("bounced", "5.7.10"), "and is bounced at the next try", got)


def local_faults(tap, w):
    """Ours, not the receiver's: the mail waits."""
    for label, option, value, domains in (
            ("no policy map", "smtp_tls_policy_maps", "socketmap:unix:tlsmode/away.sock:enforced", ("plain.test", "self.test")),
            ("no TLS engine", "smtp_tls_CAfile", "/nowhere/ca.pem", ("self.test",))):
        old = run("postconf", "-Ph", "smtp-enforced/unix/" + option).strip()
        run("postconf", "-P", "smtp-enforced/unix/%s=%s" % (option, value))
        w.postfix.reload()
        for domain in domains:
            rcpt = "%s@%s" % (option, domain)
            got, outcome = becomes_of(w, w.postfix.send("fault@" + CLOSED, rcpt), rcpt)
            tap.equal(got, "4.7.5", "%s, to %s: waits" % (label, domain), outcome)
        run("postconf", "-P", "smtp-enforced/unix/%s=%s" % (option, old))
        w.postfix.reload()


def test(tap):
    with World("e2e-refusals") as w:
        publish(w)
        w.start(own_root=True)
        tap.note("Postfix %s" % ".".join(map(str, version())))
        for domain, mode in MODE.items():
            w.mode(domain, mode)
            wait_for("the mode of " + domain, lambda d=domain, m=mode: w.ask("transport", "x@" + d) == "OK smtp-%s:" % m)
        sent = receivers(tap, w)
        texts(tap, w, sent)
        for part in (one_mode, smart_hosts, one_host_of_two, many_recipients, connections_reused, daemon_restarted, local_faults):
            part(tap, w)
        tap.equal((w.daemons.mapd.stop(), w.daemons.milter.stop()), (0, 0), "a clean end of both daemons")


main(test)
