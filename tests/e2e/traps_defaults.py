#!/usr/bin/python3
"""Traps in main.cf's defaults: a gateway in default_transport, and address probes by somebody else's mode. One Postfix, first
as it is wired, then with the guards taken out."""
import os
import smtplib
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from trap import CLOSED, MODES, OPEN, Traps, homes, inline, reload, settings, start_postfix  # noqa: E402
from world.tap import main  # noqa: E402
from world.world import World  # noqa: E402

GATE = "[mx.gate.test]"
MAP = "socketmap:unix:tlsmode/map.sock:transport"
PROBED = {
    "smtpd_recipient_restrictions": "check_recipient_access " + inline({"plain.test": "reject_unverified_recipient"}),
    "address_verify_relayhost": "", "address_verify_default_transport": "smtp", "address_verify_poll_delay": "1s",
    "unverified_recipient_reject_code": "550",
}


def rcpt(sender, address):
    """What smtpd says to RCPT."""
    with smtplib.SMTP("127.0.0.1", 25, local_hostname="client.test", timeout=60) as client:
        client.ehlo()
        client.mail(sender)
        return client.rcpt(address)


def probes(tap, w, t):
    """Probes come from double-bounce@myorigin, and myorigin is an enforced domain here."""
    name = "trap address probes: "
    tap.becomes(lambda: rcpt("a@" + OPEN, "first@plain.test")[0], 250, name + "closed", 60)
    reload(w, relayhost="", default_transport="smtp:" + GATE, address_verify_sender_dependent_default_transport_maps=MAP)
    tap.becomes(lambda: rcpt("a@" + OPEN, "second@plain.test")[0], 550,
                name + "with the sender map myorigin's mode refuses an opportunistic sender's recipient", 60)
    probed = [(e["sink"], e["line"]) for e in w.sinks.events if e["event"] == "rcpt" and "second@" in e["line"]]
    tap.equal(probed, [], name + "the receiver was never asked for it")


def gateways(w, t, where):
    """WHERE: the receiver that must take a strict message."""
    mail = t.send(CLOSED, "tls.test")
    t.arrives("trap default_transport = smtp:[gw]: %s" % where[0], mail, where[1], "over TLS")
    t.arrives("trap default_transport = smtp:[gw]: an opportunistic message goes through the gateway", t.send(OPEN, "tls.test"),
              "gate.test", "over TLS")


def test(tap):
    with World("e2e-traps-defaults") as w:
        homes(w, *MODES, "sender.test")
        for domain in ("gate.test", "tls.test"):
            w.destination(domain)
        w.destination("plain.test", starttls="none")
        w.start(postfix=False)
        start_postfix(w, list, relayhost=GATE, **PROBED)
        settings(w, {**MODES, "sender.test": "enforced"})
        t = Traps(tap, w)
        gateways(w, t, ("closed, with relayhost = [gw] a strict one, too", "gate.test"))
        probes(tap, w, t)
        gateways(w, t, ("with it a strict message goes past the gateway", "tls.test"))
        t.named("default-transport-nexthop", "probe-sender-map")
        t.nothing_else()


main(test)
