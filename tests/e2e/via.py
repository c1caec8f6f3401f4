#!/usr/bin/python3
"""`via`: senders with their own family of transports (a pool of addresses) keep it in every mode. Each family is bound to its own
address, and the receivers tell who came."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world.tap import main  # noqa: E402
from world.world import World  # noqa: E402

POOLS = {"pool2": "127.0.3.2", "pool3": "127.0.3.3"}
HOME = "127.0.0.1"  # where smtp, smtp-enforced and smtp-verified come from
MODES = (("opportunistic", "", "plain.test"), ("enforced", "-enforced", "self.test"), ("verified", "-verified", "tls.test"))

# key, its fields (None: the key goes)
SETTINGS = (
    ("bare.test", {"via": "pool2"}),
    (".sub.test", {"via": "pool2", "mode": "enforced"}),
    ("b.sub.test", {"mode": "verified"}),
    ("c.sub.test", {"via": "pool3"}),
    ("other.test", {"via": "pool3", "mode": "verified"}),
)
# sender's domain, the transport that mapd answers
ANSWERS = (
    ("bare.test", "OK pool2:"),
    ("x.sub.test", "OK pool2-enforced:"),
    ("b.sub.test", "OK pool2-verified:"),  # each field from the closest key that has it
    ("c.sub.test", "OK pool3-enforced:"),
    ("other.test", "OK pool3-verified:"),
    ("none.test", "NOTFOUND "),
)
DEFAULT = (("none.test", "OK pool3-enforced:"), ("bare.test", "OK pool2-enforced:"), ("c.sub.test", "OK pool3-enforced:"),
           ("b.sub.test", "OK pool2-verified:"))


def families(w):
    """A pool as a site has it; contrib/postfix/setup gives it its strict services."""
    with open("/etc/postfix/master.cf", "a") as master:
        for pool, address in POOLS.items():
            master.write("%s unix - - y - - smtp -o smtp_bind_address=%s -o syslog_name=postfix/%s\n" % (pool, address, pool))
    words = [word for pool in POOLS for word in ("--family", pool)]
    w.postfix.setup(*words, "--apply", "--ca-file", w.ca.cert)
    w.postfix.reload()


def publish(w):
    for name in ("flip.test", "bare.test", "none.test", "other.test", "tls.test"):
        w.destination(name)
    w.destination("self.test", cert="self")
    w.destination("plain.test", starttls="none")


def setting(w, key, **fields):
    for name, value in fields.items():
        w.redis.cli(*(("HSET", "tlsmode:sender:" + key, name, value) if value else ("HDEL", "tlsmode:sender:" + key, name)))


def delivered(w, sender, rcpt):
    """(status, the family and mode of the service, the address that the receiver saw, was it encrypted)"""
    got = w.postfix.outcome(w.postfix.send(sender, rcpt), rcpt)
    if got.status != "sent":
        return got.status, got.service.partition("/")[0], got.dsn, None
    came = w.sinks.await_event(lambda e: e["event"] == "message" and rcpt in e["rcpts"], 20)
    return "sent", got.service.partition("/")[0], came["peer"], bool(came["tls"])


def doctor(w):
    return subprocess.run([w.daemons.program("tlsmode"), "-c", w.space.path("tlsmode.conf"), "doctor"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60).stdout


def flips(tap, w):
    """The mode changes, the pool stays; the pool changes, the mode stays."""
    count = 0
    for pool in ("pool2", "pool3", "pool2"):
        setting(w, "flip.test", via=pool)
        for mode, suffix, receiver in (MODES[1], MODES[2], MODES[0], MODES[2], MODES[1]):
            count += 1
            setting(w, "flip.test", mode=mode)
            address = "f%d@flip.test" % count
            tap.becomes(lambda a=address: w.ask("transport", a), "OK %s%s:" % (pool, suffix), "via %s, mode %s" % (pool, mode))
            tap.equal(delivered(w, address, "f%d@%s" % (count, receiver)),
                      ("sent", pool + suffix if suffix else pool, POOLS[pool], mode != "opportunistic"),
                      "delivered by %s%s from its address" % (pool, suffix))
    tap.equal(delivered(w, "closed@flip.test", "closed@plain.test"), ("bounced", "pool2-enforced", "5.7.10", None),
              "the family's own services keep the mode: no TLS, a bounce")
    setting(w, "flip.test", via=None)
    tap.becomes(lambda: w.ask("transport", "home@flip.test"), "OK smtp-enforced:", "via is gone: the common service")
    tap.equal(delivered(w, "home@flip.test", "home@self.test"), ("sent", "enforced", HOME, True), "and its address")


def closest(tap, w):
    for key, fields in SETTINGS:
        setting(w, key, **fields)
    for domain, want in ANSWERS:
        tap.becomes(lambda d=domain: w.ask("transport", "x@" + d), want, "%s: %s" % (domain, want.strip()))
    tap.equal(delivered(w, "v1@bare.test", "v1@plain.test"), ("sent", "pool2", POOLS["pool2"], False),
              "via without a mode: opportunistic")
    tap.equal(delivered(w, "v2@x.sub.test", "v2@self.test"), ("sent", "pool2-enforced", POOLS["pool2"], True),
              "a subdomain's via and mode")
    tap.equal(delivered(w, "v3@b.sub.test", "v3@tls.test"), ("sent", "pool2-verified", POOLS["pool2"], True),
              "the parent's via with a mode of its own")
    tap.equal(delivered(w, "v4@c.sub.test", "v4@self.test"), ("sent", "pool3-enforced", POOLS["pool3"], True),
              "the parent's mode with a via of its own")


def default(tap, w):
    setting(w, "*", via="pool3", mode="enforced")
    for domain, want in DEFAULT:
        tap.becomes(lambda d=domain: w.ask("transport", "y@" + d), want, "*: %s: %s" % (domain, want))
    tap.equal((w.ask("transport", "<>"), w.ask("transport", '"<>"')), ("NOTFOUND ", "NOTFOUND "), "*: not the null sender")
    tap.equal(delivered(w, "d1@none.test", "d1@self.test"), ("sent", "pool3-enforced", POOLS["pool3"], True),
              "* with via and mode")
    tap.equal(delivered(w, "d2@bare.test", "d2@self.test"), ("sent", "pool2-enforced", POOLS["pool2"], True),
              "its mode with another key's via")
    setting(w, "<>", via="pool2", mode="verified")
    tap.becomes(lambda: w.ask("transport", "<>"), "OK pool2-verified:", "the null sender's own via")
    tap.equal(delivered(w, "", "d3@tls.test"), ("sent", "pool2-verified", POOLS["pool2"], True), "and its mail")
    for key in ("*", "<>"):
        w.redis.cli("DEL", "tlsmode:sender:" + key)
    tap.becomes(lambda: w.ask("transport", "z@none.test"), "NOTFOUND ", "the default goes")


def unknown_family(tap, w):
    """No such service in master.cf: the mail waits, and goes when the setting is mended."""
    setting(w, "none.test", via="pool9", mode="enforced")
    tap.becomes(lambda: w.ask("transport", "u@none.test"), "OK pool9-enforced:", "a family that master.cf does not have")
    rcpt = "u@self.test"
    qid = w.postfix.send("u@none.test", rcpt)
    got = w.postfix.outcome(qid, rcpt, 60)
    tap.equal((got.status, got.dsn), ("deferred", "4.3.0"), "its mail waits", got)
    tap.ok("mail transport unavailable" in got.text, "and Postfix says why", got.text)
    tap.equal(w.sinks.messages(lambda m: rcpt in m["rcpts"]), [], "nothing left")
    tap.ok("pool9-enforced" in doctor(w), "tlsmode doctor names the missing service", doctor(w))
    setting(w, "none.test", via="pool2")
    tap.becomes(lambda: w.ask("transport", "u@none.test"), "OK pool2-enforced:", "mended")
    w.postfix.reload()  # the queue manager forgets the dead transport and the old answer
    w.postfix.flush()
    came = w.sinks.await_event(lambda e: e["event"] == "message" and rcpt in e["rcpts"], 60)
    tap.equal((came and came["peer"], came and bool(came["tls"])), (POOLS["pool2"], True), "the mail goes by the pool named now")
    tap.becomes(lambda: "pool9" in doctor(w), False, "and tlsmode doctor is content with the family")


def test(tap):
    with World("e2e-via") as w:
        publish(w)
        w.start()
        families(w)
        for part in (flips, closest, default, unknown_family):
            part(tap, w)
        text = w.daemons.milter.text()
        escapes = {line[line.index("mailer="):].split()[0] for line in text.splitlines() if "event=escape" in line}
        tap.equal(escapes, {"mailer=pool9-enforced"} & escapes, "the milter takes the family's services for strict", escapes)
        tap.equal((w.daemons.mapd.stop(), w.daemons.milter.stop()), (0, 0), "a clean end of both daemons")


main(test)
