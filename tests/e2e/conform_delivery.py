#!/usr/bin/python3
"""What the standards demand of a delivery, row by row of the conformance matrix (ids in the names): Debian's Postfix
with our wiring sends to receivers that break in one way each. A row passes only when Postfix's log and the receiver
itself tell the same."""
import os
import smtplib
import ssl
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world import certs  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

SENDERS = ("open.test", "closed.test", "proven.test")
OPEN, CLOSED, PROVEN = SENDERS
OTHER_KEY = "3 1 1 " + "cd" * 32
OLD = {"tls": ("1.0", "1.1")}

# What a receiver under an enforce policy may be: label, its behaviour, the code of the deferral.
BROKEN = (
    ("no STARTTLS", {"starttls": "none"}, "4.7.4"),
    ("STARTTLS refused", {"starttls": "454"}, "4.7.0"),
    ("a self-signed certificate", {"cert": "self"}, "4.7.5"),
    ("an expired certificate", {"cert": "expired"}, "4.7.5"),
    ("another name", {"cert": "name"}, "4.7.5"),
    ("an unknown authority", {"cert": "foreign"}, "4.7.5"),
    ("TLS 1.1", OLD, "4.7.5"),
)
UNUSABLE = ("0 1 1 " + "ab" * 32, "1 1 1 " + "ab" * 32, "3 2 1 " + "ab" * 32, "3 1 3 " + "ab" * 32,
            "3 1 1 " + "ab" * 31)
SENT, WAITS = "sent", "deferred"

# sender: id, its relayhost, the receiver that takes the mail
SMART_HOSTS = {
    "relay1@open.test": ("DANE-14", "[mx.port.test]:2525", "mx.port.test"),
    "relay2@open.test": ("DANE-14", "[mx.otherport.test]:2525", None),
    "relay3@open.test": ("STS-13", "[sts-relay.test]", "sts-relay.test"),
    "relay4@open.test": ("STS-13", "[sts-relay-bad.test]", None),
    "relay5@open.test": ("STS-13", "[sts-relay-bad.test]:", None),  # Postfix reads an empty port as its default
}

# id, sender, destination, label, status, receiver, TLS seen there (True, False)
ROWS = (
    ("STS-64", OPEN, "testing-self.test", "policy testing, a self-signed certificate", SENT, "mx.testing-self.test",
     True),
    ("STS-64", OPEN, "testing-plain.test", "policy testing, no STARTTLS", SENT, "mx.testing-plain.test", False),
    ("STS-65", OPEN, "none-plain.test", "policy none, no STARTTLS", SENT, "mx.none-plain.test", False),
    ("STS-69", OPEN, "second.test", "only the second MX is in the policy", SENT, "mx2.second.test", True),
    ("DANE-09", OPEN, "order.test", "MX 10 without TLSA goes before MX 20 with", SENT, "mx1.order.test", True),
    ("DANE-10", OPEN, "optional.test", "an unsigned MX to a host with TLSA", SENT, "mx.key.test", True),
    ("MX-01", CLOSED, "implicit.test", "no MX record, TLSA of the domain itself", SENT, "implicit.test", True),
    ("DANE-21", CLOSED, "mixed.test", "malformed records beside a good one", SENT, "mx.mixed.test", True),
    ("DANE-20", OPEN, "agile.test", "a wrong SHA-256 beside a right SHA-512", SENT, "mx.agile.test", True),
)


def chained(w, domain, name):
    """A DANE-TA(2) destination: the chain with a leaf for NAME, the record names the CA."""
    pair = w.ca.issue("ta-" + domain, dns=[name])
    w.destination(domain, signed=True, cert=certs.Pair(w.ca.chain(pair), pair.key), tlsa=certs.tlsa("2 0 1", w.ca.cert))


def two(w, domain, **zone):
    z = w.zone(domain, **zone)
    for number in (1, 2):
        host = w.receiver("mx%d.%s" % (number, domain))
        z.add("@", "MX", "%d0 mx%d" % (number, number)).set("mx%d" % number, "A", host.address)
    return z


def tlsa_fails(w, domain, how, **more):
    """A good receiver whose TLSA records cannot be had: HOW is "bogus" or a fault."""
    w.destination(domain, signed=True, **more)
    if how == "bogus":
        w.zone("_tcp.mx." + domain, ds="wrong").set("_25", "TLSA", OTHER_KEY)
    else:
        w.zone("_tcp.mx." + domain, faulty=True)
        w.faults[("_tcp.mx.%s." % domain, "*")] = how


def publish(w):
    for name in SENDERS:
        w.destination(name)
    for i, (_, how, _) in enumerate(BROKEN):
        w.destination("sts%d.test" % i, sts="enforce", **how)
        w.destination("key%d.test" % i, signed=True, tlsa="3 1 1", **how)
    w.destination("testing-self.test", cert="self", sts="testing")
    w.destination("testing-plain.test", starttls="none", sts="testing")
    w.destination("none-plain.test", starttls="none", sts="none")
    two(w, "second.test", signed=False)
    w.sts("second.test", mx=["mx2.second.test"])
    order = two(w, "order.test")
    order.set("_25._tcp.mx2", "TLSA", certs.tlsa("3 1 1", w.receivers["mx2.order.test"].pair.cert))
    w.destination("key.test", signed=True, cert="self", tlsa="3 1 1")
    w.zone("optional.test", signed=False).set("@", "MX", "10 mx.key.test.")
    host = w.receiver("implicit.test", cert="self")
    w.zone("implicit.test").set("@", "A", host.address).set("_25._tcp", "TLSA", certs.tlsa("3 1 1", host.pair.cert))
    for domain, wrong, right in (("mixed.test", UNUSABLE, "3 1 1"), ("agile.test", (OTHER_KEY,), "3 1 2")):
        zone = w.destination(domain, signed=True, cert="self")
        zone.set("_25._tcp.mx", "TLSA", *wrong, certs.tlsa(right, w.receivers["mx." + domain].pair.cert))
    w.destination("otherkey.test", signed=True, tlsa=OTHER_KEY)
    w.destination("both.test", signed=True, tlsa=OTHER_KEY, sts="enforce")
    tlsa_fails(w, "bogus.test", "bogus")
    tlsa_fails(w, "servfail.test", "servfail")
    tlsa_fails(w, "bogus-sts.test", "bogus", sts="enforce")
    for i, form in enumerate(UNUSABLE):
        w.destination("unusable%d.test" % i, signed=True, cert="self", tlsa=form)
        w.destination("unusable-plain%d.test" % i, signed=True, starttls="none", tlsa=form)
    for name, tlsa in (("port.test", "3 1 1"), ("otherport.test", OTHER_KEY)):
        host = w.receiver("mx." + name, "self", port=2525)
        w.zone(name).set("mx", "A", host.address).set(
            "_2525._tcp.mx", "TLSA", tlsa if tlsa == OTHER_KEY else certs.tlsa(tlsa, host.pair.cert))
    for name, cert in (("sts-relay.test", "ca"), ("sts-relay-bad.test", "name")):
        w.zone(name, signed=False).set("@", "A", w.receiver(name, cert).address)
        w.sts(name, mx=[name])
    w.destination("xn--bcher-kva.test", sts="enforce")
    w.destination("xn--dne-qla.test", signed=True, cert="self", tlsa="3 1 1")
    chained(w, "ta-host.test", "mx.ta-host.test")
    chained(w, "ta-domain.test", "ta-domain.test")
    chained(w, "ta-other.test", "other.test")


def plan():
    """(name of the check, sender, destination, status, code or None, receiver or None, TLS or None)"""
    for sender in SENDERS:
        for i, (label, _, code) in enumerate(BROKEN):
            yield "STS-63 enforce, %s: %s waits" % (label, sender), sender, "sts%d.test" % i, WAITS, code, None, None
        for i, (label, how, code) in enumerate(BROKEN):
            # DANE-EE knows neither names, dates nor authorities; STARTTLS and TLS >= 1.2 are a must.
            if "cert" in how:
                yield ("DANE-17 3 1 1, %s: %s delivers" % (label, sender), sender, "key%d.test" % i, SENT, None,
                       "mx.key%d.test" % i, True)
            else:
                yield "DANE-06 3 1 1, %s: %s waits" % (label, sender), sender, "key%d.test" % i, WAITS, code, None, None
        for row, label, domain in (("DANE-06", "another key", "otherkey"), ("DANE-04", "TLSA bogus", "bogus"),
                                   ("DANE-04", "TLSA SERVFAIL", "servfail"),
                                   ("STS-68", "another key, policy enforce", "both"),
                                   ("STS-68", "TLSA bogus, policy enforce", "bogus-sts"),
                                   ("DANE-18", "2 0 1, a name that is neither", "ta-other")):
            yield "%s %s: %s waits" % (row, label, sender), sender, domain + ".test", WAITS, "4.7.5", None, None
        for label, domain in (("the MX host's name", "ta-host"), ("the next hop's name", "ta-domain")):
            yield ("DANE-18 2 0 1, %s: %s delivers" % (label, sender), sender, domain + ".test", SENT, None,
                   "mx.%s.test" % domain, True)
    for i, form in enumerate(UNUSABLE):
        short = form[:6] + "%d octets" % (len(form[6:]) // 2)
        yield ("DANE-07 unusable %s, self-signed: delivered" % short, OPEN, "unusable%d.test" % i, SENT, None,
               "mx.unusable%d.test" % i, True)
        yield ("DANE-07 unusable %s, no STARTTLS: waits" % short, OPEN, "unusable-plain%d.test" % i, WAITS, "4.7.4",
               None, None)
    for row, sender, domain, label, status, receiver, tls in ROWS:
        yield "%s %s" % (row, label), sender, domain, status, None, receiver, tls


def deliveries(tap, w):
    sent = []
    for i, row in enumerate(plan()):
        rcpt = "r%d@%s" % (i, row[2])
        sent.append((row, rcpt, w.postfix.send("s%d@%s" % (i, row[1]), rcpt)))
    for (name, _, _, status, code, receiver, tls), rcpt, qid in sent:
        got = w.postfix.outcome(qid, rcpt)
        if status == SENT:
            came = w.sinks.await_event(lambda e: e["event"] == "message" and rcpt in e["rcpts"], 5)
            seen = (got.status, came and came["sink"], came and bool(came["tls"]))
            tap.equal(seen, (SENT, receiver, tls), name, got)
        else:
            tap.equal((got.status, got.dsn), (WAITS, code), name, got)
    arrived = {rcpt for e in w.sinks.messages() for rcpt in e["rcpts"]}
    tap.equal([rcpt for row, rcpt, _ in sent if row[3] == WAITS and rcpt in arrived], [],
              "STS-63 DANE-04 DANE-06 STS-68 no receiver ever saw a message that had to wait")
    bounced = [line for line in w.postfix.lines() if "sender non-delivery notification" in line]
    tap.equal(bounced, [],
              "STS-63 STS-66 nothing is bounced for what the destination publishes, whatever the sender's mode")
    plain, tlsrpt = (w.ask("opportunistic" + form, "second.test") for form in ("", "-tlsrpt"))
    tap.ok("match=mx2.second.test servername=hostname" in plain and "mx_host_pattern=mx2.second.test" in tlsrpt,
           "STS-61 the answer names the MX hosts, the TLSRPT map the patterns", plain, tlsrpt)
    names = [e["sni"] for e in w.sinks.events if e["event"] == "tls" and e["sink"] == "mx2.second.test"]
    tap.ok(names and set(names) == {"mx2.second.test"}, "STS-62 the receiver is asked for by its own name", names)


def submit(w, token, tls, headers):
    """A message by SMTP with or without STARTTLS; what the milter logged of it."""
    with smtplib.SMTP("127.0.0.1", 25, local_hostname="client.test", timeout=30) as client:
        client.ehlo()
        if tls:
            context = ssl.create_default_context(cafile=w.ca.cert)
            context.check_hostname = False
            client.starttls(context=context)
            client.ehlo()
        client.mail("%s@%s" % (token, CLOSED))
        client.rcpt("%s@key.test" % token)
        code, text = client.data("%sSubject: %s\r\n\r\nHello.\r\n" % (headers, token))
    qid = text.decode().rpartition(" ")[2]
    told = qid + ": event=tagged"
    return wait_for("the milter's line of " + token, lambda: next(
        (line[line.index("event="):] for line in w.daemons.milter.text().splitlines() if told in line), None))


def own_hop(tap, w):
    """MLT-05: how this hop or an earlier one came has no say in the sender's mode."""
    forged = ("Received: from x.test by y.test with ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384) id 1;\r\n"
              "\tSun, 1 Nov 2026 00:00:00 +0000\r\n")
    want = "event=tagged mode=enforced domain=closed.test by=envelope removed=0"
    for what, tls, headers in (("in the clear", False, ""), ("over TLS", True, ""),
                               ("in the clear, Received lines that claim TLS", False, forged)):
        tap.equal(submit(w, "hop%d" % (len(headers) + tls), tls, headers), want,
                  "MLT-05 submitted %s: the same tag" % what)


def smart_hosts(tap, w):
    """A relayhost is the next hop that counts: its MTA-STS policy, its TLSA records at its own port."""
    for sender, (row, relay, receiver) in SMART_HOSTS.items():
        rcpt = sender.partition("@")[0] + "@nowhere.test"
        got = w.postfix.outcome(w.postfix.send(sender, rcpt), rcpt)
        came = w.sinks.await_event(lambda e, r=rcpt: e["event"] == "message" and r in e["rcpts"], 5 if receiver else 0)
        tap.equal((got.status, came and came["sink"], got.trust),
                  (SENT, receiver, "Verified") if receiver else (WAITS, None, ""),
                  "%s relayhost %s: %s" % (row, relay, "delivered, verified" if receiver else "waits"), got)


def u_labels(tap, w):
    """Postfix asks with the U-label; the answer names the MX host in A-labels, as the certificate does."""
    for number, domain in enumerate(("b\u00fccher.test", "d\u00e4ne.test")):
        rcpt = "x%d@%s" % (number, domain)
        got = w.postfix.outcome(w.postfix.send("u%d@%s" % (number, OPEN), rcpt), rcpt)
        tap.equal((got.status, got.trust), (SENT, "Verified"), "IDN-01 mail to %s: delivered, verified" % ascii(domain), got)


def test(tap):
    with World("e2e-conform-delivery") as w:
        publish(w)
        pair = w.ca.issue("submission", dns=["mail.sender.test"])
        relays = "inline:{ %s }" % ", ".join("{ %s = %s }" % (s, relay) for s, (_, relay, _) in SMART_HOSTS.items())
        w.start(own_root=True, smtpd_tls_cert_file=pair.cert, smtpd_tls_key_file=pair.key,
                smtpd_tls_security_level="may", sender_dependent_relayhost_maps=relays)
        w.mode(CLOSED, "enforced")
        w.mode(PROVEN, "verified")
        for sender, want in ((CLOSED, "OK smtp-enforced:"), (PROVEN, "OK smtp-verified:")):
            wait_for("the mode of " + sender, lambda s=sender, t=want: w.ask("transport", "x@" + s) == t)
        for part in (deliveries, own_hop, u_labels, smart_hosts):
            part(tap, w)
        tap.equal((w.daemons.mapd.stop(), w.daemons.milter.stop()), (0, 0), "a clean end of both daemons")


main(test)
