#!/usr/bin/python3
"""Traps of the maps: replies that Postfix takes for "not found", sockets outside the chroot, and what `match=` and the TLSRPT
attributes mean to which Postfix."""
import os
import re
import shutil
import smtplib
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from trap import CLOSED, MODES, OPEN, Mail, Traps, clone, homes, inline, settings, start_postfix, version  # noqa: E402
from world.daemons import MAPD_USER, QUEUE_SOCKETS  # noqa: E402
from world.socketmap import Socketmap  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

OURS = "socketmap:unix:tlsmode/map.sock:"
FAKE = "socketmap:unix:tlsmode/fake.sock:"
RUN = "/run/tlsmode/map.sock"
# What a careless server may say to every key of a policy map.
REPLIES = {"bare": b"OK", "spaces": b"OK ", "perm": b"PERM no such thing", "odd": b"YES encrypt",
           "attribute": b"OK encrypt hard=yes"}

# What it says of a sender's transport.
SAID = {"perm@said.test": b"PERM no", "empty@said.test": b"OK ", "temp@said.test": b"TEMP later", "bare@said.test": b"OK"}


class Careless(threading.Thread):
    """A server of socketmaps that answers as told: (map, key) or map -> reply; NOTFOUND otherwise."""

    def __init__(self, path, replies):
        super().__init__(daemon=True)
        self.replies = replies
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        self.socket.listen(20)

    def run(self):
        while True:
            threading.Thread(target=self.serve, args=(self.socket.accept()[0],), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rwb") as file:
            while digits := re.match(rb"(\d+):", self.until_colon(file)):
                name, _, key = file.read(int(digits[1]) + 1)[:-1].decode().partition(" ")
                reply = self.replies.get((name, key)) or self.replies.get(name) or b"NOTFOUND "
                file.write(b"%d:%s," % (len(reply), reply))
                file.flush()

    @staticmethod
    def until_colon(file):
        text = b""
        while octet := file.read(1):
            text += octet
            if octet == b":":
                break
        return text


LED = {**{name + ".test": ("enforced", name) for name in (*REPLIES, "parent", "level", "run", "free", "proxy")},
       **{name + ".test": ("opportunistic", name) for name in ("tlsrpt", "plain-map", "star")}}
BARE_IS_NOTHING = (3, 10)  # before it a bare OK counts as not found, from it on as a fault


def publish(w):
    homes(w, *MODES, *LED)
    w.destination("tls.test")
    w.destination("clear.test", starttls="none")
    w.destination("good.test", sts="enforce")
    for domain, host in (("deep.test", "a.b.deep.test"), ("wide.test", "a.wide.test"), ("away.test", "mx.tls.test")):
        zone = w.zone(domain, signed=False).set("@", "MX", "10 %s." % host)
        if host.endswith("." + domain):
            zone.set(host + ".", "A", w.receiver(host).address)
        w.sts(domain, mx=["*." + domain])


def services():
    for name in (*REPLIES, "parent"):
        yield clone("smtp-enforced", name + "-enforced", smtp_tls_policy_maps=FAKE + name)
    yield clone("smtp-enforced", "level-enforced", smtp_tls_policy_maps=FAKE + "bare", smtp_tls_security_level="may")
    outside = "socketmap:unix:%s:enforced" % RUN
    yield clone("smtp-enforced", "run-enforced", smtp_tls_policy_maps=outside)
    yield clone("smtp-enforced", "free-enforced", smtp_tls_policy_maps=outside, chroot="n")
    yield clone("smtp-enforced", "proxy-enforced", smtp_tls_policy_maps="proxy:" + outside)
    yield clone("smtp", "tlsrpt", smtp_tls_policy_maps=OURS + "opportunistic-tlsrpt")
    yield clone("smtp", "plain-map", smtp_tls_policy_maps=OURS + "opportunistic")
    yield clone("smtp", "star", smtp_tls_policy_maps=inline(
        {"wide.test": "secure match=*.wide.test", "deep.test": "secure match=.deep.test"}))


def said(w, sender):
    """A message of SENDER, whose transport the careless server is asked for: (smtpd's code, the message)."""
    mail = Mail(sender, sender.replace("@", "-") + "@clear.test", None)
    try:
        return 250, mail._replace(qid=w.postfix.send(mail.sender, mail.rcpt))
    except smtplib.SMTPResponseException as error:
        return error.smtp_code, None


def careless(w, t):
    """A server's careless words. What Postfix takes for a fault is deferred; what it takes for nothing leads on."""
    for name in REPLIES:
        level_holds = name == "bare" and version() < BARE_IS_NOTHING
        t.closed("a policy map that says %r" % REPLIES[name].decode(), t.send(name + ".test", "clear.test"), "deferred",
                 "4.7.4" if level_holds else "4.7.5")
    for name, trap, guard in (("parent", "a bare OK, an answer for the parent domain", "a server that says NOTFOUND"),
                              ("level", "a bare OK on a service at level may", "smtp_tls_security_level=encrypt")):
        mail = t.send(name + ".test", "clear.test")
        if version() < BARE_IS_NOTHING:
            t.leaks(trap, guard, mail, "clear.test")
        else:
            t.stays("trap %s: Postfix from 3.10 on takes it for a fault" % trap, mail, "deferred", "4.7.5")
        t.closed(trap, t.send(CLOSED, "clear.test"))
    for sender in ("perm@said.test", "empty@said.test", "temp@said.test"):
        t.tap.equal(said(w, sender)[0], 451, "trap a transport map that says %r: the client waits" % SAID[sender].decode())
    code, mail = said(w, "bare@said.test")
    if version() < BARE_IS_NOTHING:
        t.leaks("transport map, a bare OK", "a server that says OK with a text", mail, "clear.test")
    else:
        t.tap.equal(code, 451, "trap transport map, a bare OK: Postfix from 3.10 on takes it for a fault")


def never_careless(w, t):
    """mapd has one form for each kind of answer, whatever it is asked and whatever is away."""
    maps = [m + form for m in ("opportunistic", "enforced", "verified") for form in ("", "-tlsrpt")]
    maps += ["QUERY", "postfix", "QUERYwithTLSRPT", "transport", "refusal", "mode", "sts", "nosuchmap"]
    keys = ["clear.test", "CLEAR.test.", ".clear.test", "[mx.clear.test]:587", "[127.0.0.9]", "x@%s" % CLOSED, "<>", '"<>"', "@",
            "", " ", "..", "\u00e4.test", "x" * 300, "\0", "a b",
            "4.7.4 TLS is required, but was not offered by host mx.clear.test[127.0.2.9]"]
    form = re.compile(r"OK \S.*|NOTFOUND |TEMP \S.*", re.DOTALL)
    states = (("all is well", lambda: None), ("Redis is away", w.redis.stop), ("the resolver is away", w.unbound.stop))
    for state, change in states:
        change()
        keys.append("new-%d.test" % len(keys))
        client = Socketmap(w.daemons.where)
        said = {(name, key): plain_ask(client, name, key) for name in maps for key in keys}
        client.close()
        t.tap.equal({asked: reply for asked, reply in said.items() if not form.fullmatch(reply)}, {},
                    "trap careless replies: tlsmode-mapd has none, %s (%d questions)" % (state, len(said)))


def plain_ask(client, name, key):
    client.send(name, key)
    return client.reply()


def chroot(w, t):
    """A socket outside the chroot: nothing leaks, and nothing travels."""
    trap = "a socket in /run, asked from the chroot"
    t.stays("trap %s: all mail waits" % trap, t.send("run.test", "tls.test"), "deferred", "4.7.5")
    for sender, how in ((CLOSED, "named relative to the queue directory"), ("free.test", "asked from outside the chroot"),
                        ("proxy.test", "by proxymap(8)")):
        t.arrives("trap %s: closed, %s" % (trap, how), t.send(sender, "tls.test"), "tls.test", "over TLS")
    t.closed(trap, t.send("proxy.test", "clear.test"))


def patterns(w, t):
    """What a match list says, and the attributes that say it better to a Postfix that knows them."""
    trap = "match=*.x"
    t.stays("trap %s: it never matches" % trap, t.send("star.test", "wide.test"), "deferred", "4.7.5")
    t.arrives("trap match=.x: it matches at any depth", t.send("star.test", "deep.test"), "deep.test", "over TLS", host="a.b")
    for domain in ("good.test", "wide.test", "deep.test", "away.test"):
        wait_for("the policy of " + domain, lambda d=domain: w.ask("opportunistic", d).startswith("OK secure"))
    t.arrives("trap %s: closed, tlsmode says .x" % trap, t.send("plain-map.test", "wide.test"), "wide.test", "over TLS", host="a")
    t.closed("match=.x, another domain", t.send("plain-map.test", "away.test"), "deferred", "4.7.5")
    trap = "plain maps, an MX name two labels below *.x"
    t.leaks(trap, "mx_host_pattern", t.send("plain-map.test", "deep.test"), "deep.test", "over TLS", host="a.b")
    if version() < (3, 10):
        for domain in ("good.test", "deep.test"):
            t.stays("trap TLSRPT maps: Postfix before 3.10 defers all mail (%s)" % domain, t.send("tlsrpt.test", domain),
                    "deferred", "4.7.5")
        t.arrives("trap TLSRPT maps: closed, the plain map", t.send(OPEN, "good.test"), "good.test", "over TLS")
    else:
        for sender in ("tlsrpt.test", *MODES) if version() >= (3, 10, 5) else ():
            t.closed("%s (%s)" % (trap, sender), t.send(sender, "deep.test"), "deferred", "4.3.0")
        t.arrives("trap TLSRPT maps: Postfix from 3.10 on knows them", t.send("tlsrpt.test", "wide.test"), "wide.test",
                  "over TLS", host="a")


def test(tap):
    with World("e2e-traps-maps") as w:
        publish(w)
        os.mkdir("/run/tlsmode")
        shutil.chown("/run/tlsmode", MAPD_USER, "postfix")
        w.start(postfix=False, conf={"mapd": {"deadline": 2, "listen": ["unix:%s/map.sock" % QUEUE_SOCKETS, "unix:" + RUN]}})
        Careless(QUEUE_SOCKETS + "/fake.sock", {
            **REPLIES, ("parent", "clear.test"): b"OK", ("parent", ".test"): b"OK none",
            **{("transport", sender): reply for sender, reply in SAID.items()}}).start()
        start_postfix(w, services, sender_dependent_default_transport_maps=OURS + "transport, " + FAKE + "transport",
                      proxy_read_maps="proxy:socketmap:unix:%s:enforced" % RUN)
        settings(w, MODES, LED)
        t = Traps(tap, w)
        for part in (careless, chroot, patterns):
            part(w, t)
        t.named("strict-policy-missing", "strict-level", "socket-chroot", "policy-missing",
                "plain-map-late" if version() >= (3, 10, 5) else "tlsrpt-map-early")
        t.nothing_else()
        never_careless(w, t)
        w.redis.start()


main(test)
