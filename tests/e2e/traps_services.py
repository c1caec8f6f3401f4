#!/usr/bin/python3
"""Traps in master.cf: what the smtp services of strict senders must have, and what becomes of mail where one of those lines is
missing. Each family of services (see trap.clone) lacks one."""
import dataclasses
import os
import ssl
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from trap import CLOSED, MODES, OPEN, PROVEN, Traps, clone, homes, inline, service, settings, start_postfix, version  # noqa: E402
from world.certs import tlsa  # noqa: E402
from world.space import run  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

OURS = "socketmap:unix:tlsmode/map.sock:"
NO = [("TLS-Required", "no")]
OTHER_KEY = "3 1 1 " + "cd" * 32
# Senders led to services with something missing: mode, family.
LED = {"heeds.test": ("enforced", "heeds"), "heeds-p.test": ("verified", "heeds"), "static.test": ("enforced", "static"),
       "falls.test": ("enforced", "falls"), "falls-o.test": ("opportunistic", "falls"), "deaf.test": ("opportunistic", "deaf"),
       "caches.test": ("enforced", "caches"),
       "shared.test": ("enforced", "shared"), "crossed.test": ("verified", "crossed"),
       "before.test": ("enforced", "before"), "missing.test": ("enforced", "missing"), "shares.test": ("enforced", "shares")}
# A table in the place of the refusal map: right where only the sender's mode demanded TLS, wrong for DANE and MTA-STS.
STATIC = r"""/^4\.7\.5 client TLS configuration problem/            4.7.5 TLS policy temporarily unavailable
/^4\.7\.5 TLSA lookup error/                           4.7.5 TLSA lookup error
/^4\.7\.4 (TLS is required, but was not offered.*)$/   5.7.10 Sender domain requires TLS: $1
/^4\.7\.5 (Server certificate not .*)$/                5.7.10 Sender domain requires authenticated TLS: $1
"""
CACHED = ("flips.test", "ends.test", "grows.test")


def publish(w):
    homes(w, *MODES, *LED)
    for domain in ("plain.test", "flips.test", "ends.test"):
        w.destination(domain, starttls="none")
    w.destination("other.test", cert="self")
    w.destination("self.test", cert="self")
    w.destination("grows.test", cert="self")
    w.destination("resumes.test", cert="self")
    w.destination("otherkey.test", signed=True, tlsa=OTHER_KEY)
    zone = w.zone("half.test")
    for number, how in ((1, {"starttls": "none"}), (2, {})):
        host = w.receiver("mx%d.half.test" % number, **how)
        zone.add("@", "MX", "%d0 mx%d" % (number, number)).set("mx%d" % number, "A", host.address)
    zone.set("_25._tcp.mx2", "TLSA", tlsa("3 1 1", host.pair.cert))
    w.destination("sts-plain.test", starttls="none", sts="enforce")


def services():
    heeded = ["tls_required_enable"] if version() >= (3, 10) else []
    yield clone("smtp-enforced", "heeds-enforced", without=heeded)
    yield clone("smtp-verified", "heeds-verified", without=heeded)
    yield clone("smtp-enforced", "shared-enforced", without=["smtp_tls_policy_maps"])
    yield clone("smtp-enforced", "before-enforced", smtp_tls_policy_maps="%s, %senforced" % (inline({"plain.test": "may"}), OURS))
    yield clone("smtp-verified", "crossed-verified", smtp_tls_policy_maps=OURS + "enforced")
    yield clone("smtp-enforced", "static-enforced", smtp_delivery_status_filter="regexp:/etc/postfix/static")
    yield clone("smtp-enforced", "falls-enforced", without=["smtp_fallback_relay"])
    yield clone("smtp", "falls")
    yield clone("smtp", "deaf", smtp_fallback_relay="", **dict.fromkeys(heeded, "no"))
    run("postconf", "-P", "smtp/unix/smtp_fallback_relay=")
    cache = ["smtp_connection_cache_on_demand", "smtp_connection_cache_destinations"]
    yield clone("smtp-enforced", "caches-enforced", without=cache)
    yield clone("smtp-enforced", "shares-enforced", without=cache, smtp_tls_connection_reuse="yes")
    yield service("tlsproxy", "tlsproxy", maximum="0")


def tls_required(w, t):
    """From 3.10 on a line in the message switches its TLS policy off."""
    for led, sender in (("heeds.test", CLOSED), ("heeds-p.test", PROVEN)):
        trap = "TLS-Required: no (%s)" % MODES[sender]
        bare = t.send(led, "plain.test", headers=NO)
        if version() >= (3, 10):
            t.leaks(trap, "tls_required_enable=no", bare, "plain.test")
        else:
            t.stays("trap %s: Postfix before 3.10 does not heed it" % trap, bare, "bounced", "5.7.10")
        t.closed(trap, t.send(sender, "plain.test", headers=NO))
    if version() >= (3, 10):
        bare = t.send("heeds-p.test", "self.test", headers=NO)
        t.leaks("TLS-Required: no (a proof)", "tls_required_enable=no", bare, "self.test", "over TLS")
        trap = "TLS-Required: no (an opportunistic sender, MTA-STS)"
        t.leaks(trap, "tls_required_enable=no in main.cf", t.send(OPEN, "sts-plain.test", headers=NO), "sts-plain.test")
        t.closed(trap, t.send("deaf.test", "sts-plain.test", headers=NO), "deferred", "4.7.4")
    t.closed("TLS-Required: no (a proof)", t.send(PROVEN, "self.test", headers=NO), "deferred", "4.7.5")


def fallback_relay(w, t):
    """A host that the destination never named takes what the destination's own policy held back."""
    trap, guard = "smtp_fallback_relay", "an empty one on the service"
    t.leaks(trap, guard, t.send("falls.test", "otherkey.test"), "other.test", "over TLS")
    t.closed(trap, t.send(CLOSED, "otherkey.test"), "deferred", "4.7.5")
    trap += " (an opportunistic sender, DANE)"
    t.leaks(trap, guard, t.send("falls-o.test", "otherkey.test"), "plain.test")
    t.closed(trap, t.send(OPEN, "otherkey.test"), "deferred", "4.7.5")


def awaited(w, name, dest, answer):
    wait_for("%s for %s" % (answer, dest), lambda: w.ask(name, dest).startswith("OK " + answer))


def cached(t, trap, guard, mail, dest, how, dsn):
    """A connection that was right when it was opened takes what it must not; from 3.10.3 on its level is part of the key."""
    if version() < (3, 10, 3):
        t.leaks(trap, guard, mail, dest, how)
    else:
        t.stays("trap %s: Postfix from 3.10.3 on looks at the level" % trap, mail, "deferred", dsn)


def one_service(w, t):
    """The policy of one service flips while a clear connection is kept."""
    trap, dest = "one service for all modes", "flips.test"
    t.arrives("trap %s: a connection in the clear is kept" % trap, t.send(OPEN, dest), dest)
    w.redis.cli("HSET", "tlsmode:rcpt:" + dest, "mode", "enforced")
    awaited(w, "opportunistic", dest, "encrypt")
    cached(t, trap, "separate services", t.send(OPEN, dest), dest, "in the clear", "4.7.4")
    t.closed(trap, t.send(CLOSED, dest))


def ended_exception(w, t):
    """What an exception let through in the clear leaves a connection behind; then the exception ends."""
    trap, dest, key = "an exception that ended", "ends.test", "tlsmode:except:ends.test"
    w.redis.cli("HSET", key, "plaintext", "allow", "for", "all")
    awaited(w, "enforced", dest, "may")
    for sender in ("caches.test", CLOSED):
        t.arrives("trap %s: %s may send in the clear" % (trap, sender), t.send(sender, dest), dest)
    w.redis.cli("DEL", key)
    awaited(w, "enforced", dest, "encrypt")
    cached(t, trap, "smtp_connection_cache_on_demand=no", t.send("caches.test", dest), dest, "in the clear", "4.7.4")
    t.closed(trap, t.send(CLOSED, dest), "deferred", "4.7.4")


def shared_tls(w, t):
    """The same with TLS connections, where smtp_tls_connection_reuse keeps them: a proof is asked of those to come only."""
    trap, dest = "smtp_tls_connection_reuse", "grows.test"
    for sender in ("shares.test", CLOSED):
        t.arrives("trap %s: %s needs no proof" % (trap, sender), t.send(sender, dest), dest, "over TLS")
    w.redis.cli("HSET", "tlsmode:rcpt:" + dest, "mode", "verified")
    awaited(w, "enforced", dest, "verify")
    cached(t, trap, "smtp_connection_cache_on_demand=no", t.send("shares.test", dest), dest, "over TLS", "4.7.5")
    t.closed(trap, t.send(CLOSED, dest), "deferred", "4.7.5")


def resumed_sessions(w, t):
    """The TLS session cache is one for all services; a session that proved nothing is resumed where nothing is to be proven."""
    receiver = w.receivers["mx.resumes.test"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(receiver.pair.cert, receiver.pair.key)
    w.sinks.add(dataclasses.replace(receiver, context=context))
    for sender in (OPEN, OPEN, CLOSED, CLOSED):
        t.arrives("no trap: TLS sessions, %s needs no proof" % sender, t.send(sender, "resumes.test"), "resumes.test", "over TLS")
    resumed = [e["resumed"] for e in w.sinks.events if e["event"] == "tls" and e["sink"] == receiver.name]
    t.tap.equal(resumed, [False, True, False, True], "no trap: TLS sessions are resumed, each by its own service")
    t.stays("no trap: TLS sessions, smtp-verified resumes none of them", t.send(PROVEN, "resumes.test"), "deferred", "4.7.5")
    w.redis.cli("HSET", "tlsmode:rcpt:resumes.test", "mode", "verified")
    awaited(w, "enforced", "resumes.test", "verify")
    t.stays("no trap: TLS sessions, nor smtp-enforced when a proof is asked", t.send(CLOSED, "resumes.test"), "deferred", "4.7.5")


def wrong_maps(w, t):
    """Each strict service asks the map of its own name: `dane` is an answer for opportunistic senders only."""
    trap = "the opportunistic map on a strict service"
    t.leaks(trap, "smtp_tls_policy_maps=...:enforced", t.send("shared.test", "half.test"), "half.test", host="mx1")
    t.arrives("trap %s: closed, the other host takes it" % trap, t.send(CLOSED, "half.test"), "half.test", "over TLS", host="mx2")
    trap = "a policy table before ours"
    t.leaks(trap, "ours alone", t.send("before.test", "plain.test"), "plain.test")
    t.closed(trap, t.send(CLOSED, "plain.test"))
    trap = "the enforced map on smtp-verified"
    t.leaks(trap, "smtp_tls_policy_maps=...:verified", t.send("crossed.test", "self.test"), "self.test", "over TLS")
    t.closed(trap, t.send(PROVEN, "self.test"), "deferred", "4.7.5")


def missing_service(w, t):
    """A transport that master.cf does not have stops the mail, it does not let it go another way."""
    t.stays("no trap: a strict service that is missing", t.send("missing.test", "plain.test"), "deferred", "4.3.0")


def static_refusals(w, t):
    """A fixed table cannot tell the sender's demand from the destination's, which must stay temporary."""
    for what, dest, dsn in (("DANE", "otherkey.test", "4.7.5"), ("MTA-STS", "sts-plain.test", "4.7.4")):
        trap = "a static refusal table (%s)" % what
        t.stays("trap %s: without the refusal map it bounces" % trap, t.send("static.test", dest), "bounced", "5.7.10")
        t.closed(trap, t.send(CLOSED, dest), "deferred", dsn)


PARTS = (tls_required, fallback_relay, one_service, ended_exception, shared_tls, resumed_sessions, wrong_maps, missing_service,
         static_refusals)


def test(tap):
    with World("e2e-traps-services") as w:
        publish(w)
        w.start(postfix=False)
        with open("/etc/postfix/static", "w") as static:
            static.write(STATIC)
        heeded = {"tls_required_enable": "yes"} if version() >= (3, 10) else {}  # as cleanup(8) must, too, for the leaks
        start_postfix(w, services, smtp_tls_session_cache_database="btree:${data_directory}/sessions",
                      smtp_fallback_relay="[mx.plain.test], [mx.other.test]", **heeded,
                      smtp_connection_cache_time_limit="300s", smtp_connection_cache_destinations=", ".join(CACHED))
        settings(w, MODES, LED)
        t = Traps(tap, w)
        for part in PARTS:
            part(w, t)
        t.named("strict-fallback-relay", "policy-mode", "policy-order", "refusal-missing", "strict-service-missing",
                *(["strict-tls-required"] if version() >= (3, 10) else []))
        t.nothing_else()


main(test)
