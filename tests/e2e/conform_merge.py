#!/usr/bin/python3
"""Merging what destinations publish with what the operator wrote, and Redis in every bad state (conformance matrix M;
ids in the names): real zones, real policies, a real Redis that is away, slow, read-only, out of memory or full of nonsense,
and two nodes on it."""
import json
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world.node import Node  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

TLS = " protocols=>=TLSv1.2"
NONE, MAY, DANE, TEMP = "NOTFOUND ", "OK may", "OK dane", "TEMP"
ONLY, ENCRYPT, VERIFY = "OK dane-only" + TLS, "OK encrypt" + TLS, "OK verify match=hostname servername=hostname" + TLS
MATCH = "OK secure match=a.bank.test:.b.bank.test servername=hostname" + TLS
MODES = ("opportunistic", "enforced", "verified")
USABLE = "3 1 1 " + "ab" * 32
IDN = "xn--bcher-kva.test"


def policy(name):
    return "OK secure match=mx.%s servername=hostname%s" % (name, TLS)


STS, BOTH = policy("sts.test"), policy("both.test")

# id, label, key of the setting, its fields, destination, answers of the three modes
SETTINGS = (
    ("nothing set", None, (), "plain.test", (NONE, ENCRYPT, VERIFY)),
    ("nothing set, DANE and policy: DANE goes first", None, (), "both.test", (ONLY,) * 3),
    ("nothing set, DANE fails: never the policy", None, (), "failing.test", (ONLY,) * 3),
    ("at least enforced, nothing published", "rcpt:plain.test", ("mode", "enforced"), "plain.test",
     (ENCRYPT, ENCRYPT, VERIFY)),
    ("at least verified, nothing published", "rcpt:plain.test", ("mode", "verified"), "plain.test", (VERIFY,) * 3),
    ("opportunistic does not weaken the sender's mode", "rcpt:plain.test", ("mode", "opportunistic"), "plain.test",
     (NONE, ENCRYPT, VERIFY)),
    ("opportunistic does not weaken DANE", "rcpt:both.test", ("mode", "opportunistic"), "both.test", (ONLY,) * 3),
    ("opportunistic does not weaken a policy", "rcpt:sts.test", ("mode", "opportunistic"), "sts.test", (STS,) * 3),
    ("a setting for all raises it, too", "rcpt:*", ("mode", "enforced"), "plain.test", (ENCRYPT, ENCRYPT, VERIFY)),
    ("of all subdomains, not of the domain itself", "rcpt:.plain.test", ("mode", "enforced"), "plain.test",
     (NONE, ENCRYPT, VERIFY)),
    ("a mode nobody understands is enforced", "rcpt:plain.test", ("mode", "strict!"), "plain.test",
     (ENCRYPT, ENCRYPT, VERIFY)),
    ("names to match", "rcpt:plain.test", ("match", "a.bank.test:.b.bank.test"), "plain.test", (MATCH,) * 3),
    ("names to match never replace DANE", "rcpt:both.test", ("match", "a.bank.test"), "both.test", (ONLY,) * 3),
    ("an exception from DANE alone leaves the policy", "except:both.test", ("dane", "ignore"), "both.test",
     (BOTH, ONLY, ONLY)),
    ("an exception from DANE for all leaves the policy", "except:both.test", ("dane", "ignore", "for", "all"),
     "both.test", (BOTH,) * 3),
    ("an exception from a failing DANE", "except:failing.test", ("dane", "ignore", "sts", "ignore"), "failing.test",
     (MAY, ONLY, ONLY)),
    ("an exception from the policy", "except:sts.test", ("sts", "ignore"), "sts.test", (NONE, STS, STS)),
    ("an exception from the policy does not touch DANE", "except:both.test", ("sts", "ignore"), "both.test",
     (ONLY,) * 3),
    ("plain text is not allowed against a policy", "except:sts.test", ("plaintext", "allow", "for", "all"), "sts.test",
     (STS,) * 3),
    ("plain text is not allowed against DANE", "except:both.test", ("plaintext", "allow", "for", "all"), "both.test",
     (ONLY,) * 3),
    ("an exception nobody understands is none", "except:sts.test", ("sts", "ignroe"), "sts.test", (STS,) * 3),
)


def publish(w):
    w.destination("plain.test")
    for name in ("good.test", IDN):
        w.destination(name, sts="enforce")
    w.destination("sts.test", sts="enforce")
    w.destination("both.test", signed=True, tlsa=USABLE, sts="enforce")
    w.destination("failing.test", signed=True, sts="enforce")
    w.zone("_tcp.mx.failing.test", ds="wrong").set("_25", "TLSA", USABLE)
    for i in range(12):
        w.destination("cold%d.test" % i, sts="enforce")
    for name in ("newer.test", "older.test"):
        w.destination(name)
        w.sts(name, ttl=1)


def ask_all(w, key):
    return tuple(TEMP if r.startswith("TEMP ") else r for r in (w.ask(mode, key) for mode in MODES))


def names(tap, w):
    """One canonical form for the reply, the policy and the key in Redis, however the name arrives."""
    for canonical, forms in (("good.test", ("good.test", "GOOD.Test", "good.test.", "Good.TEST.")), (
            IDN, (IDN, "b\u00fccher.test", "B\u00dcCHER.Test.", IDN.upper(), "bu\u0308cher.test"))):
        for form in forms:
            tap.equal(w.ask("opportunistic", form), policy(canonical), "IDN-01 IDN-03 one policy for %s" % ascii(form))
    for kind in ("sts", "dane"):
        wait_for("facts in Redis", lambda k=kind: len(w.redis.cli("KEYS", "tlsmode:%s:*" % k)) >= 2)
    keys = sorted(w.redis.cli("KEYS", "tlsmode:*:*"))
    tap.equal(keys, sorted("tlsmode:%s:%s" % (kind, name) for kind in ("sts", "dane") for name in ("good.test", IDN)),
              "IDN-03 one key in Redis for all of them")
    told = w.ask("opportunistic-tlsrpt", "b\u00fccher.test")
    tap.ok(told.isascii() and "policy_domain=%s " % IDN in told,
           "IDN-06 TLSRPT attributes of an internationalised domain are A-labels", told)


def settings(tap, w):
    for label, key, fields, destination, want in SETTINGS:
        if key:
            w.redis.cli("HSET", "tlsmode:" + key, *fields)
        tap.becomes(lambda: ask_all(w, destination), want, "MRG-01 " + label)
        if key:
            w.redis.cli("DEL", "tlsmode:" + key)
    tap.becomes(lambda: [ask_all(w, name)[0] for name in ("plain.test", "sts.test", "both.test", "failing.test")],
                [NONE, STS, ONLY, ONLY], "MRG-01 all settings deleted: what is published alone decides")


def ways(w):
    return [w.ask("transport", "x@" + name) for name in ("closed.test", "open.test")]


WAYS = ["OK smtp-enforced:", NONE]


def bad_states(tap, w):
    """Redis takes no writes, or does not answer: known settings hold, cold domains are resolved."""
    w.mode("closed.test", "enforced")
    tap.becomes(lambda: ways(w), WAYS, "MRG-02 a setting is in force")
    redis, cold = w.redis, iter("cold%d.test" % i for i in range(12))

    def holds(what):
        name = next(cold)
        tap.equal((ways(w), w.ask("opportunistic", name)), (WAYS, policy(name)),
                  "MRG-02 Redis %s: settings hold, a cold domain is resolved" % what)

    redis.cli("CONFIG", "SET", "maxmemory", "1")
    holds("out of memory")
    redis.cli("CONFIG", "SET", "maxmemory", "0")
    redis.cli("REPLICAOF", "127.0.0.8", "1")
    holds("a read-only replica whose master is away")
    redis.cli("REPLICAOF", "NO", "ONE")
    redis.cli("ACL", "SETUSER", "default", "-@write")
    holds("that forbids writing")
    redis.cli("ACL", "SETUSER", "default", "+@all")
    redis.program.send(signal.SIGSTOP)
    holds("that does not answer")
    redis.program.send(signal.SIGCONT)
    redis.cli("CLIENT", "PAUSE", "600", "ALL")
    holds("slow")
    redis.stop()
    holds("away")
    redis.start()
    redis.cli("HSET", "tlsmode:sender:closed.test", "mode", "verified")
    tap.becomes(lambda: ways(w), ["OK smtp-verified:", NONE],
                "MRG-02 Redis is back: a new setting is taken without a restart")
    w.mode("closed.test", "enforced")
    tap.becomes(lambda: ways(w), WAYS, "MRG-02 and another")


def nonsense(tap, w):
    """Keys and values nobody meant: no answer changes, nothing of them is repeated to Postfix."""
    redis = w.redis.cli
    for key in ("tlsmode:sender:a\nb.test", "tlsmode:sender:", "tlsmode:sender:" + "x" * 5000,
                b"tlsmode:sender:\xff\xfe.test", "tlsmode:rcpt:\x00",
                "tlsmode:except:*.*", "tlsmode:nothing:x.test"):
        redis("HSET", key, "mode", "verified", b"\xff\x00", "y" * 100000)
    redis("SET", "tlsmode:sender:open.test", "a string")
    tap.becomes(lambda: ways(w), ["OK smtp-enforced:", "OK smtp-enforced:"],
                "MRG-02 MRG-03 a string where a hash should be is read strictly")
    redis("DEL", "tlsmode:sender:open.test")
    redis("HSET", "tlsmode:sender:open.test", "mode", b"\xff\n\x00", "via", "smtp:[evil.test]\nX")
    tap.becomes(lambda: ways(w), ["OK smtp-enforced:", "OK smtp-enforced:"],
                "MRG-02 MRG-03 a value of strange octets reads as enforced")
    redis("DEL", "tlsmode:sender:open.test")
    tap.becomes(lambda: ways(w), WAYS, "MRG-02 strange keys beside it change nothing")
    tap.ok(w.daemons.mapd.alive(), "MRG-02 the daemon lives")


def poisoned(tap, w):
    """Facts in Redis that are malformed are not taken, and never reach a reply."""
    cold, now = ["cold%d.test" % i for i in range(6, 12)], int(w.redis.cli("TIME")[0])
    good = {"txt": "record", "txt_id": "1", "txt_until": now + 300, "mode": "enforce", "max_age": 86400, "id": "1",
            "fetched_at": now}
    for name, mx in zip(cold, ("evil.test ciphers=null", "evil.test:nexthop", "evil.test,none", "hostname", "*")):
        fields = [str(x) for pair in {**good, "mx": mx}.items() for x in pair]
        w.redis.cli("HSET", "tlsmode:sts:" + name, *fields)
    w.redis.cli("SET", "tlsmode:sts:" + cold[5], "x")
    w.redis.cli("HSET", "tlsmode:dane:" + cold[5], "mx", "secure", "kind", "records", "until", str(now + 300), "hosts",
                "mx usable")
    got = [w.ask("opportunistic", name) for name in cold]
    # A policy may name an MX host "hostname"; as a keyword of Postfix it must not be let through, so nothing fits.
    tap.ok(got[3].startswith("TEMP ") and "hostname" not in got[3],
           "MRG-02 STS-47 nor does a keyword of Postfix get through", got[3])
    del got[3], cold[3]
    tap.equal(got, [policy(name) for name in cold],
              "MRG-02 STS-47 malformed facts in Redis are not taken, the real ones are found")


def later_wins(tap, w):
    """An older policy written over a newer one is not taken by a node that knows better."""
    w.sts("newer.test", ttl=1, id="2", mx=["two.newer.test"])
    w.publish(w.zones["newer.test"])
    want = policy("newer.test").replace("mx.newer", "two.newer")
    tap.becomes(lambda: w.ask("opportunistic", "newer.test"), want, "MRG-04 a policy is in force")
    old = w.redis.cli("HGETALL", "tlsmode:sts:newer.test")
    fields = dict(zip(old[::2], old[1::2]))
    fields.update(mx="old.newer.test", id="1", txt_id="1", fetched_at=str(int(fields["fetched_at"]) - 1000))
    w.redis.cli("HSET", "tlsmode:sts:newer.test", *[x for pair in fields.items() for x in pair])
    got = {w.ask("opportunistic", "newer.test") for _ in range(20)}
    tap.equal(got, {want}, "MRG-04 an older policy in Redis does not replace the newer one in memory")


def two_nodes(tap, w):
    """Ids change while two nodes ask: both end with the newest, and so does Redis."""
    b = Node(w.daemons, 2).start()
    try:
        for i in range(2, 6):
            w.sts("older.test", ttl=1, id=str(i), mx=["m%d.older.test" % i])
            w.publish(w.zones["older.test"])
            wait_for("the policy %d at either node" % i,
                     lambda: "m%d." % i in w.ask("opportunistic", "older.test") + b.ask(
                "opportunistic", "older.test"), 15, 0.02)
        want = policy("older.test").replace("mx.older", "m5.older")
        tap.becomes(lambda: (w.ask("opportunistic", "older.test"), b.ask("opportunistic", "older.test"),
                             w.redis.cli("HGET", "tlsmode:sts:older.test", "id")), (want, want, "5"),
                    "MRG-04 two nodes, four new ids: both have the newest policy, and so has Redis")
    finally:
        b.program.stop()
    tap.ok(json.loads(w.ask("status", "all")[3:]), "MRG-02 status tells to the end")


def test(tap):
    with World("e2e-conform-merge") as w:
        publish(w)
        w.start(postfix=False, milter=False)
        for part in (names, settings, bad_states, nonsense, poisoned, later_wins, two_nodes):
            part(tap, w)
        tap.equal(w.daemons.mapd.stop(), 0, "a clean end")


main(test)
