#!/usr/bin/python3
"""contrib/postfix-header-routing in a site that has more: routes of its own, an LMTP server, pools, instances that are away.
And its setup."""
import glob
import os
import re
import smtplib
import socketserver
import subprocess
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from header_room import CLOSED, OPEN, PROVEN, in_mailbox, install, seen, start, submit, through  # noqa: E402
from world import postfix_second as second  # noqa: E402
from world.space import run  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

PLAIN = "[mx.plain.test]"
POOL = ("pool2/unix=pool2 unix - - y - - smtp -o smtp_helo_name=pool2.sender.test -o smtp_tls_security_level=may "
        "-o smtp_tls_policy_maps=")
SITE = {
    "relay_domains": "inner.test own.test",
    "transport_maps": "inline:{ {mapped.test = smtp:%s} {own.test = relay:%s} }" % (PLAIN, PLAIN),
    "sender_dependent_relayhost_maps": "inline:{ {led@open.test = [mx.good.test]} }",
    "virtual_mailbox_domains": "boxes.test",
    "virtual_transport": "lmtp:unix:private/boxes",
    "smtp_fallback_relay": "[mx.good.test]",
    "header_checks": "regexp:/etc/postfix/site.regexp",
    "default_destination_rate_delay": "1s",
    "default_destination_recipient_limit": "1",
    "smtp_destination_rate_delay": "0s",
    "smtp_destination_recipient_limit": "50",
    "smtpd_tls_security_level": "encrypt",
    "smtpd_tls_cert_file": "/run/world/client.pem",
    "smtp_tls_cert_file": "$smtpd_tls_cert_file",
    "smtp_tls_key_file": "$smtpd_tls_cert_file",
}
# The clients of the tests speak no TLS.
PORT_25 = "smtp/inet/smtpd_tls_security_level=may"


class Lmtp(socketserver.ThreadingUnixStreamServer):
    """A mail store on a socket in the first instance's queue directory, as dovecot's; .rcpts grows with each delivery."""
    daemon_threads = True

    def __init__(self):
        self.rcpts = []
        super().__init__("/var/spool/postfix/private/boxes", LmtpSession)
        os.chmod(self.server_address, 0o666)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class LmtpSession(socketserver.StreamRequestHandler):
    def handle(self):
        self.say("220 boxes LMTP")
        rcpts = []
        for line in self.rfile:
            word = line[:4].upper()
            if word == b"RCPT":
                rcpts.append(re.search(r"<(.*?)>", line.decode())[1])
            if word == b"DATA":
                self.take(rcpts)
                rcpts = []
            elif word == b"QUIT":
                return self.say("221 bye")
            else:
                self.say("250 ok")

    def take(self, rcpts):
        self.say("354 go on")
        text = b"".join(iter(self.rfile.readline, b".\r\n"))
        token = re.search(rb"^Subject: (\S+)", text, re.M)[1].decode()
        for rcpt in rcpts:
            self.server.rcpts.append((token, rcpt))
            self.say("250 taken")

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")


# ---- setup ----

def refusals(tap, w):
    """What setup wants first."""
    was = run("postconf", "-h", "smtp_tls_policy_maps").strip()
    w.postfix.set(smtp_tls_policy_maps="")
    status, text = second.setup("--apply")
    tap.ok(status == 1 and "contrib/postfix" in text, "setup: without the other wiring it stops and says so", text)
    tap.ok(not os.path.exists("/etc/postfix-enforced"), "setup: and has made nothing")
    w.postfix.set(smtp_tls_policy_maps=was)


def shown_and_made(tap, w):
    before = configuration(), sorted(os.listdir("/etc/postfix"))
    status, text = second.setup()
    tap.ok(status == 1 and "milter_header_checks" in text, "setup shows what it would do", text)
    tap.equal((configuration(), sorted(os.listdir("/etc/postfix"))), before, "and changes nothing")
    install(w)
    tap.equal(second.setup(), (0, "nothing to change\n"), "after --apply there is nothing to change")
    tap.equal(len(glob.glob("/etc/postfix/ma*.cf.tlsmode-[0-9]*-[0-9]*")), 4,
              "a backup stays, ours beside that of the other wiring")
    tap.equal(run("postconf", "-c", "/etc/postfix-enforced", "-hx", "smtp_tls_cert_file").strip(), SITE["smtpd_tls_cert_file"],
              "a value that names one of smtpd's keeps its meaning")
    for mode in second.MODES:
        tap.equal(run("postfix", "-c", "/etc/postfix-" + mode, "check"), "",
                  "postfix check has nothing to say of postfix-" + mode)


def configuration():
    """main.cf and master.cf as Postfix reads them; multi-instance support and what tests change may stay."""
    names = subprocess.run(["postconf", "-n"], capture_output=True, text=True).stdout
    services = subprocess.run(["postconf", "-M"], capture_output=True, text=True).stdout
    changing = ("multi_instance", "alternate_config", "mydestination")
    return [line for line in names.splitlines() if not line.startswith(changing)] + services.splitlines()


# ---- routes ----

def pooled(tap, w):
    """via: the sender's own transport stays its way out, and is strict in the strict instance whatever master.cf says."""
    gone = through(w, "p@pooled.test", ["p@plain.test", "p@good.test"], "t-pool", "author@" + CLOSED)
    tap.equal([m["rcpts"] for m in seen(w, "t-pool")], [["p@good.test"]], "via: strict in the strict instance", gone.deliveries)
    tap.ok(any(e["event"] == "ehlo" and e["name"] == "pool2.sender.test" and e["sink"] == "mx.good.test" for e in w.sinks.events),
           "via: by the pool's own client")


def routes(tap, w):
    """The site's own routes are kept in the strict instance, and none of them leads around the mode."""
    rcpts = ["m@mapped.test", "o@own.test", "b@boxes.test"]
    through(w, "env@" + OPEN, rcpts, "t-open", "author@" + OPEN)
    tap.equal(sorted(m["rcpts"][0] for m in seen(w, "t-open")), sorted(rcpts[:2]), "opportunistic: as ever")
    gone = through(w, "env@" + OPEN, rcpts, "t-strict", "author@" + CLOSED)
    tap.equal(gone.ends("m@mapped.test", "postfix-enforced"), [("5.7.10", "bounced")],
              "transport_maps that name smtp: do not lead around the mode, nor does a fallback relay", gone.deliveries)
    tap.equal(len({d.text for d in gone.deliveries if d.service == "reinject/smtp"}), 1,
              "it goes to the instance in one piece, whatever limits others have", gone.deliveries)
    tap.equal([(m["rcpts"], m["tls"]) for m in seen(w, "t-strict")], [(["o@own.test"], "")],
              "relay: is the site's own", gone.deliveries)
    tap.equal(w.lmtp.rcpts, [("t-open", "b@boxes.test"), ("t-strict", "b@boxes.test")],
              "the mail store on the first instance's socket has both")
    through(w, "led@" + OPEN, ["x@plain.test"], "t-led", "author@" + CLOSED)
    tap.equal([(m["sink"], bool(m["tls"])) for m in seen(w, "t-led")], [("mx.good.test", True)],
              "the sender's relayhost is kept, over TLS")


def strictest(tap, w):
    """milter.identity = {"from"}: the envelope's mode still counts where it is the stricter one."""
    gone = through(w, "s@" + PROVEN, ["s@self.test", "s@good.test"], "t-strictest", "author@" + CLOSED)
    tap.equal({d.instance for d in gone.deliveries if "good.test" in d.rcpt}, {"postfix", "postfix-enforced"},
              "the tag says enforced", gone.deliveries)
    tap.equal([m["sink"] for m in seen(w, "t-strictest")], ["mx.good.test"], "the envelope's verified holds in postfix-enforced")


# ---- what is away, what changes ----

def away(tap, w):
    """The strict instance is down: mail waits in the first one, and never goes another way, not even when it is queued anew."""
    w.second.stop("enforced")
    qid = submit("env@" + OPEN, ["a@plain.test", "a@good.test", "wilma@home.test"], "t-away", "author@" + CLOSED)
    gone = second.journey(w.postfix, qid)
    tap.equal(gone.by_service(), {("reinject/smtp", "deferred")}, "the instance is down: mail waits", gone.deliveries)
    run("postsuper", "-r", qid)
    w.postfix.flush()
    again = wait_for("the message queued anew", lambda: next((re.search(r": (\w+): ", line)[1] for line in w.postfix.lines()
                                                             if "orig_id=%s" % qid in line), None), 60)
    gone = second.journey(w.postfix, again)
    tap.equal(gone.by_service(), {("reinject/smtp", "deferred")}, "postsuper -r: it still waits", gone.deliveries)
    tap.equal(seen(w, "t-away"), [], "nothing was sent")
    w.daemons.mapd.stop()
    w.second.start("enforced")
    w.postfix.flush()

    def waits():
        gone = second.Journey(w.postfix.lines(), again)
        tried = {d.rcpt for d in gone.deliveries if d.instance == "postfix-enforced"}
        return gone if tried >= {"a@plain.test", "a@good.test"} else None
    gone = wait_for("the strict instance's try", waits, 60)
    tap.equal({d.status for d in gone.deliveries if d.instance == "postfix-enforced" and d.relay != "local"}, {"deferred"},
              "no daemon: it waits there", gone.deliveries)
    tap.equal(seen(w, "t-away"), [], "no daemon: nothing was sent")
    w.daemons.start_mapd()
    run("postqueue", "-c", "/etc/postfix-enforced", "-f")
    wait_for("the delivery", lambda: seen(w, "t-away", "a@good.test") and in_mailbox("wilma", "t-away"), 60)
    second.journey(w.postfix, again)
    tap.equal(([m["rcpts"] for m in seen(w, "t-away")], in_mailbox("wilma", "t-away")), ([["a@good.test"]], 1),
              "back: everybody has it once")


def drift(tap, w):
    """A domain that became ours after --apply: mail waits, setup says it, --apply mends it."""
    w.postfix.set(mydestination="home.test, late.test")
    w.postfix.reload()
    gone = wait_for("the new domain", lambda: late(w), 60, 0.5)
    tap.equal([d.status for d in gone.of("wilma@late.test", "postfix-enforced")], ["deferred"],
              "a domain the copy does not know: mail waits", gone.deliveries)
    status, text = second.setup()
    tap.ok(status == 1 and "+mydestination = home.test, late.test" in text, "setup shows what differs", text)
    w.second.apply()
    run("postqueue", "-c", "/etc/postfix-enforced", "-f")
    wait_for("the mail", lambda: in_mailbox("wilma", "t-late"), 60)
    tap.equal(second.setup()[0], 0, "after --apply it is delivered")


def late(w):
    """A message to late.test; None while the first instance refuses it."""
    try:
        return through(w, "env@" + OPEN, ["wilma@late.test"], "t-late", "author@" + CLOSED)
    except smtplib.SMTPException:
        return None


def remove(tap, w, before):
    for instance in ("-", "postfix-enforced", "postfix-verified"):
        run("postmulti", "-i", instance, "-x", "postsuper", "-d", "ALL")
    w.second.stop()
    status, text = second.setup("--remove")
    tap.equal(status, 0, "setup --remove", text)
    tap.equal(configuration(), before, "and nothing of it is left in the first instance")
    left = [path for place in ("/etc", "/var/spool", "/var/lib") for path in glob.glob(place + "/postfix-*")]
    tap.equal(left, [], "nor of the others")


def test(tap):
    second.private_places()
    with World("e2e-header-site") as w:
        w.zone("late.test").set("@", "MX", "10 mail.sender.test.")
        w.zone("sender.test").set("mail", "A", "127.0.0.1")
        w.destination("pooled.test")
        with open("/etc/postfix/site.regexp", "w") as table:
            table.write("/^X-Never:/ REJECT\n")
        pair = w.pair("ca", "client.test")
        w.space.write("client.pem", open(pair.key).read() + open(pair.cert).read())
        start(w, ["from"], **SITE)
        run("postconf", "-P", PORT_25)
        w.postfix.reload()
        w.redis.cli("HSET", "tlsmode:sender:pooled.test", "via", "pool2")
        run("postconf", "-M", POOL)
        refusals(tap, w)
        w.lmtp = Lmtp()
        before = configuration()
        for part in (shown_and_made, pooled, routes, strictest, away, drift):
            part(tap, w)
        remove(tap, w, before)


main(test)
