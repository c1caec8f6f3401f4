#!/usr/bin/python3
"""contrib/postfix-header-routing: the author or the login decides, whatever the envelope says, and every recipient still gets its mail.

The receivers' own log and the mailboxes are the oracle. First the leak and the loss without the wiring, then the wiring.
"""
import os
import re
import smtplib
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world import postfix_second as second  # noqa: E402
from world.postfix import Postfix  # noqa: E402
from world.space import run  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

OPEN, CLOSED, PROVEN = "open.test", "closed.test", "proven.test"
PEOPLE = ("wilma", "fred", "betty", "archive")
LIMIT = 40000  # message_size_limit

MAIN = dict(mydestination="home.test", myorigin="home.test", mailbox_command="", alias_maps="texthash:/etc/postfix/aliases",
            local_recipient_maps="proxy:unix:passwd.byname $alias_maps", virtual_alias_domains="virt.test",
            virtual_alias_maps="texthash:/etc/postfix/virtual", relay_domains="inner.test", always_bcc="archive@home.test",
            message_size_limit=str(LIMIT), smtpd_authorized_xclient_hosts="127.0.0.1", mailbox_size_limit="0")
ALIASES = """team fred, t@plain.test, t@good.test
list l@plain.test, l@good.test
owner-list wilma
robot "|/usr/sbin/sendmail -i -f robot@open.test -- r@plain.test r@good.test"
"""
VIRTUAL = "all@virt.test betty@home.test, v@plain.test, v@good.test\n"

# envelope sender's domain, author's, login's -> the mode of the message
WHO = (
    (OPEN, OPEN, None, "opportunistic"),
    (OPEN, CLOSED, None, "enforced"),
    (OPEN, PROVEN, None, "verified"),
    (OPEN, OPEN, CLOSED, "enforced"),
    (OPEN, CLOSED, PROVEN, "verified"),
    (CLOSED, OPEN, None, "enforced"),
    (PROVEN, CLOSED, None, "verified"),
    (None, CLOSED, None, "enforced"),  # a null sender: vacation replies have an author, too
)
# receiver -> the least mode that must not reach it, "" for none
RCPTS = (("x@plain.test", "enforced"), ("x@self.test", "verified"), ("x@good.test", ""), ("x@keyed.test", ""), ("x@strict.test", ""),
         ("t@plain.test", "enforced"), ("t@good.test", ""), ("v@plain.test", "enforced"), ("v@good.test", ""))
TO = ["wilma@home.test", "team@home.test", "all@virt.test", "x@inner.test"] + [r for r, _ in RCPTS if r.startswith("x@")]
RANK = ("opportunistic", "enforced", "verified")


def publish(w):
    w.destination("plain.test", starttls="none")
    w.destination("inner.test", starttls="none")
    w.destination("self.test", cert="self")
    w.destination("keyed.test", signed=True, cert="self", tlsa="3 1 1")
    w.destination("strict.test", sts="enforce")
    w.destination(OPEN, starttls="none")
    for name in ("good.test", CLOSED, PROVEN, "pooled.test"):
        w.destination(name)


def submit(sender, rcpts, token, author=None, login=None, body="Hello.\r\n", headers=(), options=(), rcpt_options=(), source="127.0.0.1"):
    """Hands a message over whose author and login are its own affair; its queue id."""
    fields = ["From: <%s>" % author] if author else []
    fields += ["To: <%s>" % rcpts[0], "Subject: " + token] + list(headers)
    with smtplib.SMTP("127.0.0.1", 25, local_hostname="client.test", timeout=60, source_address=(source, 0)) as client:
        client.ehlo()
        if login:
            client.docmd("XCLIENT", "LOGIN=" + login)
            client.ehlo()
        for code, text in [client.mail(sender, list(options))] + [client.rcpt(rcpt, list(rcpt_options)) for rcpt in rcpts]:
            if code != 250:
                raise smtplib.SMTPResponseException(code, text)
        code, text = client.data(("\r\n".join(fields) + "\r\n\r\n" + body).encode())
        if code != 250:
            raise smtplib.SMTPResponseException(code, text)
    return re.search(r"queued as (\w+)", text.decode())[1]


def seen(w, token, rcpt=None):
    """What the receivers saw of the message with this subject: messages themselves, not bounces of it."""
    subject = re.compile(r"^Subject: %s$" % token, re.M)
    return [m for m in w.sinks.messages(lambda m: subject.search(m["text"].split("\n\n", 1)[0])) if rcpt in (None, *m["rcpts"])]


def in_mailbox(name, token):
    return sum("\nSubject: %s\n" % token in text for text in second.mailbox(name))


def address(domain, who):
    return "%s@%s" % (who, domain) if domain else ""


# ---- without the wiring ----

def without(tap, w):
    """The mail follows the envelope sender: the author's mode is not kept."""
    qid = submit("env@" + OPEN, ["x@plain.test", "wilma@home.test"], "t-without", "author@" + CLOSED)
    second.journey(w.postfix, qid)
    tap.equal([m["tls"] for m in seen(w, "t-without", "x@plain.test")], [""], "no wiring: an enforced author's mail goes in the clear")


def straight(tap, w):
    """FILTER straight to the strict client: no leak, but local recipients are routed there, too."""
    with open("/etc/postfix/straight.regexp", "w") as table:
        table.write("/^X-TLS-Mode: enforced/ FILTER smtp-enforced:\n")
    w.postfix.set(milter_header_checks="regexp:/etc/postfix/straight.regexp")
    w.postfix.reload()

    def filtered():
        qid = submit("env@" + OPEN, ["x@good.test", "wilma@home.test"], "t-straight", "author@" + CLOSED)
        return second.journey(w.postfix, qid) if "%s: milter-header-filter:" % qid in "\n".join(w.postfix.lines()) else None
    gone = wait_for("the header checks", filtered, 60, 0.5)
    tap.equal([(d.service, d.status) for d in gone.of("wilma@home.test", "postfix")], [("enforced/smtp", "bounced")],
              "FILTER straight to smtp-enforced: the local recipient is lost")
    run("postconf", "-X", "milter_header_checks")


# ---- with it ----

def install(tap, w):
    before = subprocess.run(["postconf", "-n"], capture_output=True, text=True).stdout
    status, text = second.setup()
    tap.ok(status == 1 and "milter_header_checks" in text, "setup shows what it would do", text)
    tap.equal(subprocess.run(["postconf", "-n"], capture_output=True, text=True).stdout, before, "and changes nothing")
    w.second = second.Seconds(w)
    w.second.apply()
    tap.equal(second.setup(), (0, "nothing to change\n"), "after --apply there is nothing to change")
    w.second.start()
    w.postfix.reload()


def one(tap, w, who):
    """One message of WHO to everybody: who got it, how often, over what."""
    envelope, author, login, mode = who
    token = "t-" + "-".join((domain or "null").partition(".")[0] for domain in who[:2]) + ("-login" if login else "")
    qid = submit(address(envelope, "env"), TO, token, address(author, "author"), address(login, "user"))
    gone = second.journey(w.postfix, qid)
    instances = {d.instance for d in gone.deliveries if d.relay == "local" and d.rcpt == "wilma@home.test"}
    tap.equal(instances, {"postfix" + ("" if mode == "opportunistic" else "-" + mode)}, token + ": goes through the instance of its mode")
    for rcpt, forbidden in RCPTS:
        may = not forbidden or RANK.index(mode) < RANK.index(forbidden)
        got = seen(w, token, rcpt)
        clear = [m["sink"] for m in got if not m["tls"]]
        if may:
            tap.equal(len(got), 1, "%s: one copy to %s" % (token, rcpt), gone.deliveries)
        else:
            tap.equal(got, [], "%s: nothing to %s" % (token, rcpt), gone.deliveries)
        if mode != "opportunistic":
            tap.equal(clear, [], "%s: not in the clear to %s" % (token, rcpt))
    tap.equal([in_mailbox(name, token) for name in PEOPLE], [1] * len(PEOPLE), token + ": one copy in each mailbox")
    tap.equal([m["tls"] for m in seen(w, token, "x@inner.test")], [""], token + ": the site's own server (relay_domains) gets it as always")
    tap.ok(not any("x-tls-mode" in m["text"].lower() for m in seen(w, token)), token + ": the tag does not leave the house")
    tap.equal(sum("X-TLS-Mode: %s;" % mode in text for text in second.mailbox("wilma") if token + "\n" in text), 1,
              token + ": the tag is in the local copy")


def everybody(tap, w):
    for who in WHO:
        one(tap, w, who)


def bounce(tap, w):
    """A refusal comes back at once, to the envelope sender, without the body, and its own way is not strict."""
    for mode, author, rcpt in (("enforced", CLOSED, "b1@plain.test"), ("verified", PROVEN, "b2@plain.test")):
        token = "t-bounce-" + mode
        gone = second.journey(w.postfix, submit("back%s@%s" % (mode, OPEN), [rcpt], token, "author@" + author, body="a private word\r\n"))
        tap.equal([(d.dsn, d.status) for d in gone.of(rcpt, "postfix-" + mode)], [("5.7.10", "bounced")], mode + ": a prompt 5.7.10")
        came = [m for m in w.sinks.messages() if m["rcpts"] == ["back%s@%s" % (mode, OPEN)]]
        tap.equal([(m["sender"], m["tls"]) for m in came], [("", "")], mode + ": one bounce, to the envelope sender, in the clear: its MX has no TLS")
        text = came[0]["text"] if came else ""
        tap.ok("5.7.10" in text and token in text and "a private word" not in text, mode + ": it says why and has no body", text)
    second.journey(w.postfix, submit("wilma@home.test", ["b3@plain.test"], "t-bounce-home", "author@" + CLOSED))
    tap.equal(sum("t-bounce-home" in text and "5.7.10" in text for text in second.mailbox("wilma")), 1, "a local sender's bounce is in the mailbox")
    second.journey(w.postfix, submit("all@virt.test", ["b4@plain.test"], "t-bounce-virt", "author@" + CLOSED))
    tap.equal(sum("t-bounce-virt" in text and "5.7.10" in text for text in second.mailbox("betty")), 1, "a bounce to an alias is expanded")
    gone = second.journey(w.postfix, submit("b5@" + OPEN, ["b5@self.test"], "t-cert", "author@" + PROVEN))
    tap.equal([(d.dsn, d.status) for d in gone.of("b5@self.test", "postfix-verified")], [("4.7.5", "deferred")], "a certificate's fault waits")


def aliases(tap, w):
    """What local(8) sends on stays strict, also when the sender changes and when a command sends it."""
    gone = second.journey(w.postfix, submit("env@" + OPEN, ["list@home.test", "robot@home.test"], "t-alias", "author@" + CLOSED))
    tap.equal([m["sender"] for m in seen(w, "t-alias", "l@good.test")], ["owner-list@home.test"], "a list with an owner sends on", gone.deliveries)
    wait_for("the command's mail", lambda: seen(w, "t-alias", "r@good.test"), 60)
    came = next(line for line in w.postfix.lines() if "pickup" in line and "from=<robot@open.test>" in line)
    second.journey(w.postfix, re.search(r": (\w+): uid=", came)[1])
    tap.ok(" postfix/pickup" in came, "sendmail(1) of a command speaks to the first instance", came)
    tap.equal([(m["sink"], m["rcpts"]) for m in seen(w, "t-alias") if not m["tls"]], [], "neither goes in the clear")


def forged(tap, w):
    headers = ["X-TLS-Mode: enforced; domain=x.test; by=from", "x-tls-mode: verified"]
    gone = second.journey(w.postfix, submit("env@" + OPEN, ["f@plain.test", "wilma@home.test"], "t-forged", "author@" + OPEN, headers=headers))
    tap.equal({d.instance for d in gone.deliveries}, {"postfix"}, "a forged tag leads nowhere", gone.deliveries)
    tap.equal([m["tls"] for m in seen(w, "t-forged")], [""], "the message goes its own way")


def tls_required_no(tap, w):
    gone = second.journey(w.postfix, submit("env@" + OPEN, ["n@plain.test"], "t-no", "author@" + CLOSED, headers=["TLS-Required: No"]))
    tap.equal([d.dsn for d in gone.of("n@plain.test", "postfix-enforced")], ["5.7.10"], "TLS-Required: No lifts nothing")
    tap.equal(seen(w, "t-no"), [], "nothing was seen")


def largest():
    """Hands the largest message over that the first instance takes (to 50 octets); its queue id."""
    for size in range(LIMIT, 0, -50):
        try:
            return submit("env@" + OPEN, ["big@good.test"], "t-big", "author@" + CLOSED, body=("%0900d\r\n" % 0 * 50)[:size])
        except smtplib.SMTPResponseException as error:
            if error.smtp_code != 552:
                raise
    raise RuntimeError("no size was small enough")


def passed_on(tap, w):
    """What the envelope and the octets say comes through both instances."""
    options = ["SMTPUTF8", "BODY=8BITMIME", "ENVID=e7", "RET=FULL"]
    qid = submit("é@" + OPEN, ["ü@good.test"], "t-utf8", "author@" + CLOSED, body="Grüße\r\n", options=options,
                 rcpt_options=["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;a@b.test"])
    gone = second.journey(w.postfix, qid)
    mail = next((e["line"] for e in w.sinks.events if e["event"] == "mail" and "@%s>" % OPEN in e["line"] and "SMTPUTF8" in e["line"]), "")
    tap.equal([word for word in ("SMTPUTF8", "BODY=8BITMIME", "ENVID=e7", "RET=HDRS") if word not in mail], [],
              "SMTPUTF8, 8BITMIME and DSN arrive; RET is the milter's", mail, gone.deliveries)
    rcpt = next((e["line"] for e in w.sinks.events if e["event"] == "rcpt" and "ORCPT=rfc822;a@b.test" in e["line"]), "")
    tap.ok("NOTIFY=FAILURE,DELAY" in rcpt or "NOTIFY=DELAY,FAILURE" in rcpt, "NOTIFY and ORCPT arrive", rcpt)
    text = "\n".join(w.postfix.lines())
    tap.ok(re.search(r"postfix-enforced/smtpd\[\d+\]: \w+: client=.*orig_queue_id=%s, orig_client=" % qid, text),
           "the strict instance's log names the first one's queue id and client")
    gone = second.journey(w.postfix, largest())
    tap.equal([d.status for d in gone.of("big@good.test", "postfix-enforced")], ["sent"], "a message of the largest size passes", gone.deliveries)


def untouched(tap, w):
    """A stranger's header fields are not completed (127.0.0.2 is one, by inet_interfaces); the strict instance's client is none."""
    folded = "Dkim-Like: " + " ".join(["folded"] * 9) + "\r\n\t and   kept"
    qid = submit("env@" + OPEN, ["wilma@home.test"], "t-raw", "author@" + CLOSED, headers=[folded, "Cc: bare"], source="127.0.0.2")
    gone = second.journey(w.postfix, qid)
    text = next((text for text in second.mailbox("wilma") if "\nSubject: t-raw\n" in text), "")
    tap.ok(folded.replace("\r\n", "\n") in text and "\nCc: bare\n" in text and gone.of("wilma@home.test", "postfix-enforced"),
           "header fields arrive as they were", text)


def submitted(tap, w):
    """sendmail(1) passes the same way."""
    subprocess.run(["sendmail", "-f", "s@" + OPEN, "s@plain.test", "s@good.test"], check=True,
                   input=("From: author@%s\nSubject: t-sendmail\n\nHello.\n" % CLOSED).encode())
    came = wait_for("the message", lambda: seen(w, "t-sendmail", "s@good.test"), 60)
    tap.ok(came[0]["tls"], "sendmail(1): to good.test over TLS")
    line = wait_for("its pickup", lambda: next((line for line in w.postfix.lines() if "from=<s@%s>" % OPEN in line), None))
    second.journey(w.postfix, re.search(r": (\w+): ", line)[1])
    tap.equal(seen(w, "t-sendmail", "s@plain.test"), [], "sendmail(1): not to plain.test")


def pooled(tap, w):
    """via: the sender's own transport stays its way out, and is strict in the strict instance whatever master.cf says."""
    gone = second.journey(w.postfix, submit("p@pooled.test", ["p@plain.test", "p@good.test"], "t-pool", "author@" + CLOSED))
    tap.equal([m["rcpts"] for m in seen(w, "t-pool")], [["p@good.test"]], "via: strict in the strict instance", gone.deliveries)
    tap.ok(any(e["event"] == "ehlo" and e["name"] == "pool2.sender.test" and e["sink"] == "mx.good.test" for e in w.sinks.events),
           "via: by the pool's own client")


def closed_ports(tap, w):
    refused = []
    for port in (10461, 10462, 10463):
        try:
            smtplib.SMTP("127.0.0.2", port, timeout=5)
        except ConnectionRefusedError:
            refused.append(port)
    tap.equal(refused, [10461, 10462, 10463], "the inner ports listen on 127.0.0.1 only")
    with smtplib.SMTP("127.0.0.1", 10463, local_hostname="client.test", timeout=30) as client:
        client.ehlo()
        code = client.mail("env@" + OPEN)[0], client.rcpt("x@plain.test")[0]
    tap.equal(code[1] // 100, 5, "the way back takes bounces only", code)


def away(tap, w):
    """The strict instance is down: mail waits in the first one, and never goes another way, not even when it is queued anew."""
    w.second.stop("enforced")
    qid = submit("env@" + OPEN, ["a@plain.test", "a@good.test", "wilma@home.test"], "t-away", "author@" + CLOSED)
    gone = second.journey(w.postfix, qid)
    tap.equal({(d.service, d.status) for d in gone.deliveries}, {("reinject/smtp", "deferred")}, "the instance is down: mail waits", gone.deliveries)
    subprocess.run(["postsuper", "-r", qid], check=True, stderr=subprocess.DEVNULL)
    again = wait_for("the message queued anew", lambda: next((re.search(r": (\w+): ", line)[1] for line in w.postfix.lines()
                                                             if "orig_id=%s" % qid in line), None), 60)
    gone = second.journey(w.postfix, again)
    tap.equal({(d.service, d.status) for d in gone.deliveries}, {("reinject/smtp", "deferred")}, "postsuper -r: it still waits", gone.deliveries)
    tap.equal(seen(w, "t-away"), [], "nothing was sent")
    w.second.start("enforced")
    w.postfix.flush()
    wait_for("the delivery", lambda: seen(w, "t-away", "a@good.test") and in_mailbox("wilma", "t-away"), 60)
    gone = second.journey(w.postfix, again)
    tap.equal(([m["rcpts"] for m in seen(w, "t-away")], in_mailbox("wilma", "t-away")), ([["a@good.test"]], 1), "back: everybody has it once")


def drift(tap, w):
    """A domain that became ours after --apply: mail waits, setup says it, --apply mends it."""
    w.postfix.set(mydestination="home.test, late.test")
    w.postfix.reload()
    gone = wait_for("the new domain", lambda: late(w), 60, 0.5)
    tap.equal([d.status for d in gone.of("wilma@late.test", "postfix-enforced")], ["deferred"], "a domain the copy does not know: mail waits",
              gone.deliveries)
    status, text = second.setup()
    tap.ok(status == 1 and "+mydestination = home.test, late.test" in text, "setup shows what differs", text)
    w.second.apply()
    subprocess.run(["postqueue", "-c", "/etc/postfix-enforced", "-f"], check=True)
    wait_for("the mail", lambda: in_mailbox("wilma", "t-late"), 60)
    tap.equal(second.setup()[0], 0, "after --apply it is delivered")


def late(w):
    """A message to late.test; None while the first instance refuses it."""
    try:
        return second.journey(w.postfix, submit("env@" + OPEN, ["wilma@late.test"], "t-late", "author@" + CLOSED))
    except smtplib.SMTPException:
        return None


def nothing_leaked(tap, w):
    """Over the whole run with the wiring: no strict author's message in the clear, but to the site's own server."""
    strict = re.compile(r"^From: <author@(%s|%s)>" % (CLOSED, PROVEN), re.M)
    clear = [(m["sink"], m["rcpts"]) for m in w.sinks.messages() if not m["tls"] and strict.search(m["text"].split("\n\n", 1)[0])
             and m["sink"] != "mx.inner.test" and "Subject: t-without" not in m["text"]]
    tap.equal(clear, [], "no message of a strict author was ever seen in the clear")
    unproven = [m["rcpts"] for m in w.sinks.messages(lambda m: m["sink"] == "mx.self.test") if "From: <author@" + PROVEN in m["text"]]
    tap.equal(unproven, [], "no message of a verified author was seen by a host that could not prove itself")


def remove(tap, w, before):
    for instance in ("-", "postfix-enforced", "postfix-verified"):
        run("postmulti", "-i", instance, "-x", "postsuper", "-d", "ALL")
    w.second.stop()
    status, text = second.setup("--remove")
    tap.equal(status, 0, "setup --remove", text)
    tap.equal(configuration(), before, "and nothing of it is left in the first instance")
    tap.equal([p for p in ("/etc", "/var/spool", "/var/lib") for n in os.listdir(p) if n.startswith("postfix-") for p in [p + "/" + n]], [],
              "nor of the others")


def configuration():
    """main.cf and master.cf as Postfix reads them; multi-instance support and what tests change may stay."""
    names = subprocess.run(["postconf", "-n"], capture_output=True, text=True).stdout
    services = subprocess.run(["postconf", "-M"], capture_output=True, text=True).stdout
    return [line for line in names.splitlines() if not line.startswith(("multi_instance", "alternate_config", "mydestination"))] + services.splitlines()


def test(tap):
    second.private_places()
    for number, name in enumerate(PEOPLE):
        second.account(name, 7470 + number)
    with World("e2e-header") as w:
        publish(w)
        w.zone("late.test").set("@", "MX", "10 mail.sender.test.")
        w.zone("sender.test").set("mail", "A", "127.0.0.1")
        milter = {"identity": ["envelope", "from", "auth"], "on_mismatch": "filter"}
        w.start(own_root=True, postfix=False, conf={"milter": milter})
        w.mode(CLOSED, "enforced")
        w.mode(PROVEN, "verified")
        w.redis.cli("HSET", "tlsmode:sender:pooled.test", "via", "pool2")
        w.postfix = Postfix(w.space, w.ca.cert, **MAIN)
        w.postfix.configure()
        for name, text in (("aliases", ALIASES), ("virtual", VIRTUAL)):
            with open("/etc/postfix/" + name, "w") as table:
                table.write(text)
        subprocess.run(["postconf", "-M", "pool2/unix=pool2 unix - - n - - smtp -o smtp_helo_name=pool2.sender.test "
                        "-o smtp_tls_security_level=may -o smtp_tls_policy_maps="], check=True)
        w.postfix.start()
        before = configuration()
        for part in (without, straight, install, everybody, bounce, aliases, forged, tls_required_no, passed_on, untouched, submitted, pooled,
                     closed_ports, away, drift, nothing_leaked):
            part(tap, w)
        remove(tap, w, before)


main(test)
