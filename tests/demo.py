#!/usr/bin/python3
"""What contrib/demo shows: real mail from senders of every mode to receivers of every kind, and a mode changed while all runs.

The expectations are written by hand from the contract (the decision table, the promise of 5.7.10); nothing here is derived from
the program.  demo.py [--no-postfix] [--keep FOLDER]
"""
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from world.space import NoRoom, enter  # noqa: E402
from world.table import Table  # noqa: E402
from world.waiting import Late  # noqa: E402
from world.world import World  # noqa: E402

SECRET = "Hello."  # the body that every message carries
MODES = ("opportunistic", "enforced", "verified")
SENDERS = {"opportunistic": "shop.test", "enforced": "clinic.test", "verified": "bank.test"}

# What a receiver's domain publishes and how its mail server behaves (world.World.destination).
RECEIVERS = (
    ("plain.test", "no STARTTLS", {"starttls": "none"}),
    ("selfsigned.test", "self-signed certificate", {"cert": "self"}),
    ("valid.test", "valid certificate", {}),
    ("dane.test", "DANE, key matches", {"signed": True, "tlsa": "3 1 1"}),
    ("dane-bad.test", "DANE, key differs", {"signed": True, "tlsa": "3 1 1 " + "ab" * 32}),
    ("sts.test", "MTA-STS enforce", {"sts": "enforce"}),
    ("sts-bad.test", "MTA-STS enforce, other name", {"sts": "enforce", "cert": "name"}),
    ("sts-plain.test", "MTA-STS enforce, no STARTTLS", {"sts": "enforce", "starttls": "none"}),
    ("sts-test.test", "MTA-STS testing, self-signed", {"sts": "testing", "cert": "self"}),
)

NONE = "NOTFOUND"
ENCRYPT = "encrypt protocols=>=TLSv1.2"
VERIFY = "verify match=hostname servername=hostname protocols=>=TLSv1.2"
DANE = "dane-only protocols=>=TLSv1.2"
STS = "secure match=mx.%s servername=hostname protocols=>=TLSv1.2"
CLEAR, ANYTLS, PROVEN = "delivered, no TLS", "delivered, TLS", "delivered, TLS verified"
REFUSED, NOTLS, BADCERT = "bounced 5.7.10", "deferred 4.7.4", "deferred 4.7.5"

# Per receiver: policy answered and outcome for an opportunistic, an enforced and a verified sender.
EXPECTED = {
    "plain.test": ((NONE, CLEAR), (ENCRYPT, REFUSED), (VERIFY, REFUSED)),
    "selfsigned.test": ((NONE, ANYTLS), (ENCRYPT, ANYTLS), (VERIFY, BADCERT)),
    "valid.test": ((NONE, ANYTLS), (ENCRYPT, ANYTLS), (VERIFY, PROVEN)),
    "dane.test": ((DANE, PROVEN), (DANE, PROVEN), (DANE, PROVEN)),
    "dane-bad.test": ((DANE, BADCERT), (DANE, BADCERT), (DANE, BADCERT)),
    "sts.test": ((STS, PROVEN), (STS, PROVEN), (STS, PROVEN)),
    "sts-bad.test": ((STS, BADCERT), (STS, BADCERT), (STS, BADCERT)),
    "sts-plain.test": ((STS, NOTLS), (STS, NOTLS), (STS, NOTLS)),
    "sts-test.test": ((NONE, ANYTLS), (ENCRYPT, ANYTLS), (VERIFY, BADCERT)),
}

# While everything runs: redis-cli words, then sender, receiver, the sender's new mode, policy, outcome.
CHANGES = (
    (("HSET", "tlsmode:sender:shop.test", "mode", "enforced"), "shop.test", "plain.test", "enforced", ENCRYPT, REFUSED),
    (("HSET", "tlsmode:sender:clinic.test", "mode", "verified"), "clinic.test", "selfsigned.test", "verified", VERIFY, BADCERT),
    (("DEL", "tlsmode:sender:shop.test"), "shop.test", "plain.test", "opportunistic", NONE, CLEAR),
)

PLAY = """
The world is up. From this folder:
  contrib/demo --enter redis-cli -s /run/redis/redis-server.sock HSET tlsmode:sender:shop.test mode verified
  contrib/demo --enter tlsmode -c /run/world/tlsmode.conf explain you@shop.test x@plain.test
  contrib/demo --enter postmap -q sts.test socketmap:unix:/var/spool/postfix/tlsmode/map.sock:enforced
  contrib/demo --enter sh -c 'echo hello | sendmail -f you@shop.test x@plain.test'
  contrib/demo --enter tail -f /run/world/maillog
  contrib/demo --enter                        a shell in there (receivers' events: /run/world/sinks.jsonl)
  contrib/demo --stop                         ends it
Senders: shop.test clinic.test bank.test. Postfix remembers a transport for up to 30 s: use a fresh local part."""
# Postfix's words for what it found of a certificate.
TRUST = {"Verified": "verified", "Trusted": "trusted, name not checked", "Untrusted": "not trusted, not asked for", "Anonymous": "none"}

POORER = """So the part that needs no such right runs: Redis, DNS and policy host on 127.x, tlsmode-mapd's answers instead of deliveries."""


def say(text):
    print(text, flush=True)


class Demo:
    def __init__(self, w, deliveries):
        self.w = w
        self.deliveries = deliveries
        self.wrong_rows = 0
        self.results = []  # (as expected, row, policy, outcome)
        self.wrong_bounce = False
        self.table = Table("sender mode", "destination", "publishes", "policy answered", "outcome", "as expected")

    @property
    def wrong(self):
        return self.wrong_rows or self.wrong_bounce

    def build(self):
        for domain, _, how in RECEIVERS:
            self.w.destination(domain, **how)
        for domain in SENDERS.values():
            self.w.destination(domain)

    def policy(self, mode, domain):
        """What Postfix itself is told: postmap -q, the map's real client."""
        answer, complaint = self.w.postfix_query(domain, mode)
        return answer or ("TEMP" if complaint else NONE)

    def outcome(self, qid, rcpt):
        """(class, text for people), from Postfix's log and from the receiver's own events, which must agree."""
        if not self.deliveries:
            return None, "not sent"
        try:
            got = self.w.postfix.outcome(qid, rcpt, 30)
        except Late as late:
            return None, str(late)
        if got.status != "sent":
            reason = re.sub(r"^Sender domain requires TLS: .*(does not offer).*", r"the receiver \1 TLS", got.text)
            reason = re.sub(r" by host .*| \(in reply.*", "", reason)
            return "%s %s" % (got.status, got.dsn), "%s %s: %s" % (got.status, got.dsn, reason[:60])
        seen = self.w.sinks.await_event(lambda e: e["event"] == "message" and rcpt in e["rcpts"], 5)
        if not seen or bool(seen["tls"]) != bool(got.tls):
            return None, "log and receiver disagree"
        if not got.tls:
            return CLEAR, "delivered in the clear"
        return PROVEN if got.trust == "Verified" else ANYTLS, "delivered, %s, certificate %s" % (got.tls, TRUST[got.trust])

    def row(self, mode, domain, publishes, want, qid, rcpt, label=None):
        want_policy = want[0] % domain if "%" in want[0] else want[0]
        policy = self.policy(mode, domain)
        kind, text = self.outcome(qid, rcpt)
        good = policy == want_policy and (kind == want[1] or not self.deliveries)
        self.wrong_rows += not good
        self.results.append((good, "%s to %s" % (label or mode, domain), policy, text))
        short = policy.replace(" servername=hostname", "").replace(" protocols=>=TLSv1.2", "") if good else policy
        self.table.add(label or mode, domain, publishes, short, text, "yes" if good else "NO: %s, %s" % (want_policy, want[1]))

    def send(self, sender, domain, number=[0]):
        """A fresh local part each time: Postfix remembers what it was told of an address for up to 30 seconds."""
        number[0] += 1
        rcpt = "rcpt%d@%s" % (number[0], domain)
        return (self.w.postfix.send("sender%d@%s" % (number[0], sender), rcpt) if self.deliveries else None), rcpt

    def first_round(self):
        for mode, domain in SENDERS.items():
            if mode != "opportunistic":
                self.redis_cli("HSET", "tlsmode:sender:" + domain, "mode", mode)
        receivers = [row for row in RECEIVERS if self.w.policy_host or "sts" not in row[2]]
        if len(receivers) < len(RECEIVERS):
            say("port 443 is forbidden (CAP_NET_BIND_SERVICE is missing): the MTA-STS receivers are left out")
        sent = {(mode, domain): self.send(SENDERS[mode], domain) for domain, _, _ in receivers for mode in MODES}
        for domain, publishes, _ in receivers:
            for mode, want in zip(MODES, EXPECTED[domain]):
                self.row(mode, domain, publishes, want, *sent[mode, domain])

    def redis_cli(self, *words):
        where = self.w.redis.where
        how = ["-s", where[5:]] if where.startswith("unix:") else ["-p", where.rsplit(":", 1)[1]]
        subprocess.run(["redis-cli", *how, *words], check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)

    def await_mode(self, domain, mode):
        """Milliseconds until the map `mode` says so."""
        client, began = self.w.daemons.client(), time.monotonic()
        want = "NOTFOUND " if mode == "opportunistic" else "OK " + mode
        while client.ask("mode", domain) != want and time.monotonic() < began + 5:
            pass
        client.close()
        return (time.monotonic() - began) * 1000

    def changes(self):
        publishes = {domain: text for domain, text, _ in RECEIVERS}
        for words, sender, domain, mode, policy, outcome in CHANGES:
            self.redis_cli(*words)
            ms = self.await_mode(sender, mode)
            say("redis-cli %s: in force, seen %.1f ms after redis-cli ended" % (" ".join(words), ms))
            qid, rcpt = self.send(sender, domain)
            self.row(mode, domain, publishes[domain], (policy, outcome), qid, rcpt, mode + " (new)")

    def bounce(self):
        """The refused mail of clinic.test came back promptly, with 5.7.10, and without its body."""
        came = self.w.sinks.await_event(
            lambda e: e["event"] == "message" and e["sink"] == "mx.clinic.test" and e["sender"] == "", 10)
        text = came["text"] if came else ""
        good = "5.7.10" in text and "rfc822-headers" in text and SECRET not in text
        self.wrong_bounce = not good
        say("bounce to clinic.test: %s" % ("5.7.10, headers only, as expected" if good else "NOT as expected:\n" + text))


def play(w, demo, folder):
    """Leaves the world up: this process is its first and stays until it is told to end."""
    with open(os.path.join(folder, "ns"), "w") as f:
        f.write(os.readlink("/proc/self/ns/pid"))
    say(PLAY)
    with open(os.path.join(folder, "result.new"), "w") as f:
        f.write("1" if demo.wrong else "0")
    os.rename(f.name, os.path.join(folder, "result"))
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    threading.Event().wait()


def main():
    began = time.monotonic()
    deliveries = "--no-postfix" not in sys.argv
    try:
        enter()
    except NoRoom as reason:
        say("%s.\n%s" % (reason, POORER))
        deliveries = False
    with World("demo") as w:
        demo = Demo(w, deliveries)
        say("making certificates, zones, policies and receivers")
        demo.build()
        say("starting knot, unbound, the policy host, Redis, tlsmode-mapd, tlsmode-milter%s" % (
            " and Postfix" if deliveries else ""))
        w.start(postfix=deliveries)
        say("%d %s" % (len(RECEIVERS) * len(MODES), "messages on their way" if deliveries else "questions"))
        demo.first_round()
        if deliveries:
            demo.bounce()
        demo.changes()
        say("\n" + demo.table.text())
        say("\nEvery encrypt, verify, secure and dane-only also said protocols=>=TLSv1.2, every verify and secure servername=hostname.")
        say("%d rows as expected, %d not; %.0f seconds" % (
            len(demo.table.rows) - 1 - demo.wrong_rows, demo.wrong_rows, time.monotonic() - began))
        if "--keep" in sys.argv:
            play(w, demo, sys.argv[sys.argv.index("--keep") + 1])
    sys.exit(1 if demo.wrong else 0)


if __name__ == "__main__":
    main()
