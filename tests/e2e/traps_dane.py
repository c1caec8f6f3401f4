#!/usr/bin/python3
"""Traps of DANE: Postfix reads `dane` as `may` where it cannot validate or need not believe, and then sends in the clear."""
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from trap import MODES, OPEN, Traps, clone, homes, inline, settings, start_postfix, version  # noqa: E402
from world import certs  # noqa: E402
from world.dnswire import ask  # noqa: E402
from world.procs import Program  # noqa: E402
from world.space import run  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

BLIND = "127.0.0.6"
# Opportunistic senders led to services with something missing.
LED = {name + ".test": ("opportunistic", name) for name in ("plain-dns", "blind", "unset", "unset-encrypt", "newer-tls")}
FIXED = (3, 6, 17), (3, 7, 13), (3, 8, 8), (3, 9, 2)


def two_hosts(w, domain, first, second, keyed):
    """MX hosts mx1 and mx2, TLSA records for number KEYED only: row 5 of the table, `dane`."""
    zone = w.zone(domain)
    for number, how in enumerate((first, second), 1):
        host = w.receiver("mx%d.%s" % (number, domain), **how)
        zone.add("@", "MX", "%d0 mx%d" % (number, number)).set("mx%d" % number, "A", host.address)
        if number == keyed:
            zone.set("_25._tcp.mx%d" % number, "TLSA", certs.tlsa("3 1 1", host.pair.cert))


def publish(w):
    homes(w, *MODES, *LED)
    w.destination("keyed.test", signed=True, tlsa="3 1 1", starttls="none")
    w.zone("insecure.test", signed=False).set("@", "MX", "10 mx.keyed.test.")
    two_hosts(w, "stripped.test", {"starttls": "none"}, {}, 1)
    two_hosts(w, "old.test", {"tls": ("1.2", "1.2")}, {}, 2)


def services():
    default = run("postconf", "-dh", "smtp_tls_dane_insecure_mx_policy").strip()
    yield clone("smtp", "plain-dns", smtp_dns_support_level="")
    yield clone("smtp", "blind", chroot="n")
    yield clone("smtp", "unset", smtp_tls_dane_insecure_mx_policy=default)
    yield clone("smtp", "unset-encrypt", smtp_tls_dane_insecure_mx_policy=default, smtp_tls_security_level="encrypt")
    fixed = inline({"old.test": "dane protocols=>=TLSv1.3"})
    yield clone("smtp", "newer-tls", smtp_tls_policy_maps=fixed, minimal_backoff_time="1s")


def blind_resolver(w):
    """A resolver that does not validate, for the services outside the chroot; those inside keep their own /etc/resolv.conf."""
    with open(w.unbound.conf) as conf:
        text = conf.read()
    for old, new in (("interface: 127.0.0.1", "interface: " + BLIND), ("validator iterator", "iterator"),
                     ("/control", "/control-blind")):
        text = text.replace(old, new)
    program = Program(w.space, "blind", ["unbound", "-d", "-c", w.space.write("unbound/blind.conf", text)])

    def answers():
        try:
            rcode, secure, found = ask(BLIND, "keyed.test", "MX", do=True)
        except OSError:
            return False
        return rcode == 0 and found and not secure
    wait_for("an answer from the resolver that does not validate", lambda: program.insist() and answers(), 30)
    with open("/etc/resolv.conf", "w") as conf:
        conf.write("nameserver %s\noptions edns0 trust-ad\n" % BLIND)


def resolvers(w, t):
    """Without DNSSEC `dane` means `may`, silently."""
    t.tap.equal([w.ask("opportunistic", d) for d in ("insecure.test", "stripped.test")], ["OK dane"] * 2,
                "trap dane: usable TLSA records behind an insecure MX, or at one of two hosts: dane is what Postfix is told")
    for trap, guard, sender in (("dane, smtp_dns_support_level", "dnssec", "plain-dns.test"),
                                ("dane, a resolver without AD", "a validating resolver", "blind.test")):
        t.leaks(trap, guard, t.send(sender, "insecure.test"), "keyed.test")
        t.leaks(trap + ", two hosts", guard, t.send(sender, "stripped.test"), "stripped.test", host="mx1")
        t.closed(trap, t.send(OPEN, "insecure.test"), "deferred", "4.7.4")
        t.arrives("trap %s, two hosts: closed, the other host takes it" % trap, t.send(OPEN, "stripped.test"), "stripped.test",
                  "over TLS", host="mx2")
    for sender, dsn in (("plain-dns.test", "4.7.5"), ("blind.test", "4.7.5")):
        t.stays("trap dane-only: %s sends nothing at all" % sender, t.send(sender, "keyed.test"), "deferred", dsn)


def mended():
    """The default of this Postfix is right."""
    return version() >= next((fix for fix in FIXED if fix[:2] == version()[:2]), (3, 9, 2))


def insecure_mx(w, t):
    """The default before 3.7.13 follows main.cf's level, not the policy's."""
    for sender in ("unset.test", "unset-encrypt.test"):
        trap = "smtp_tls_dane_insecure_mx_policy (%s)" % sender
        mail = t.send(sender, "insecure.test")
        if mended():
            t.stays("trap %s: the default is right from this version on" % trap, mail, "deferred", "4.7.4")
        else:
            t.leaks(trap, "an explicit dane", mail, "keyed.test")
    t.closed("smtp_tls_dane_insecure_mx_policy", t.send(OPEN, "insecure.test"), "deferred", "4.7.4")


def protocols(w, t):
    """A version demanded at `dane` stays when Postfix falls to `may`: then the handshake fails, and the clear is next."""
    trap = "protocols= on dane"
    t.arrives("trap %s: closed, with tlsmode's own answer the message goes over TLS" % trap, t.send(OPEN, "old.test"), "old.test",
              "over TLS", host="mx1")
    w.sinks.close(w.receivers["mx2.old.test"])
    mail = t.send("newer-tls.test", "old.test")
    failed = w.sinks.await_event(lambda e: e["event"] == "tls-failed" and e["sink"] == "mx1.old.test", 30)
    t.tap.ok(failed, "trap %s: the handshake fails" % trap)

    def tried_again():
        w.postfix.flush()
        return t.seen(mail, 1)
    wait_for("the second try of " + mail.rcpt, tried_again, 60)
    t.leaks(trap, "an answer that leaves it out", mail, "old.test", host="mx1")


def without_dane(w, t):
    """The cure where there is no validating resolver: mapd says encrypt where it would say dane."""
    t.named("dns-support", *([] if mended() else ["insecure-mx-policy"]))
    w.daemons.write(mapd={"dane": False})
    w.daemons.mapd.send(signal.SIGHUP)
    for domain in ("insecure.test", "stripped.test", "keyed.test"):
        wait_for("encrypt for " + domain, lambda d=domain: w.ask("opportunistic", d).startswith("OK encrypt"), 20)
    for sender in ("plain-dns.test", "blind.test"):
        t.closed("dane, mapd.dane = false (%s)" % sender, t.send(sender, "insecure.test"), "deferred", "4.7.4")


def test(tap):
    with World("e2e-traps-dane") as w:
        publish(w)
        w.start(postfix=False, conf={"mapd": {"min_tls": "1.3"}})
        start_postfix(w, services)
        blind_resolver(w)
        settings(w, MODES, LED)
        t = Traps(tap, w)
        for part in (resolvers, insecure_mx, protocols, without_dane):
            part(w, t)
        t.nothing_else()


main(test)
