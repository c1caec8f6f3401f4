#!/usr/bin/python3
"""What would let a message out behind Sendmail although every part works: each trap first with its guard removed from
sendmail.cf, where the receiver sees the leak, then with contrib/sendmail as it is."""
import collections
import os
import re
import socket
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world import certs, sendmail  # noqa: E402
from world.space import inside  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

OPEN, CLOSED, PROVEN = "open.test", "closed.test", "proven.test"
OUR_MAPD, FAKE_MAPD = "inet:8461@127.0.0.1", "inet:8471@127.0.0.1"
TEMP_KEPT = " -T<TMPF>"
NO_SERVER_RULES = ("SLocal_tls_server\n", "SLocal_tls_server\nR$*\t\t$@ ok\n")
NO_RCPT_RULES = ("SLocal_tls_rcpt\n", "SLocal_tls_rcpt\nR$*\t\t$@ ok\n")
CACHE = ("ConnectionCacheSize=0", "ConnectionCacheSize=4")
FORGET_NAMES = ("R<OK> <$&{server_name}/$&{server_addr}>", "R<OK> <$*>")
REMEMBER_HOSTS = ("Timeout.hoststatus=0s", "Timeout.hoststatus=30m")
LMTP = """#!/usr/bin/python3
import sys
print("220 lmtp", flush=True)
data = False
for line in sys.stdin:
    word = line.split()[0].upper() if line.split() else ""
    if data:
        data = line.rstrip() != "."
        if data:
            continue
        print("250 2.0.0 kept", flush=True)
    elif word == "DATA":
        data = True
        print("354 go on", flush=True)
    elif word == "QUIT":
        print("221 bye", flush=True)
        break
    else:
        print("250 2.0.0 ok", flush=True)
"""


class FakeMapd:
    """A socketmap server that answers ANSWERS[map], else NOTFOUND."""

    def __init__(self, **answers):
        self.answers = answers
        self.socket = socket.create_server(("127.0.0.1", 8471))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            connection, _ = self.socket.accept()
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        file = connection.makefile("rb")
        while head := re.match(rb"(\d+):", self.head(file)):
            request = file.read(int(head[1]) + 1).decode()
            answer = self.answers.get(request.partition(" ")[0], "NOTFOUND ")
            connection.sendall(b"%d:%s," % (len(answer), answer.encode()))

    @staticmethod
    def head(file):
        text = b""
        while not text.endswith(b":") and (octet := file.read(1)):
            text += octet
        return text


class Room:
    """The world with Sendmail; SEEN: recipient -> [TLS version or "" in the clear] of what receivers took."""

    def __init__(self, tap, w):
        self.tap, self.w = tap, w
        script = w.space.write("lmtp.py", LMTP, 0o755)
        w.space.write("sendmail/mailertable", "lmtp.test lmtp:x\n")
        w.space.write("sendmail/local-host-names", "house.test\n")
        self.mta = sendmail.Sendmail(w.space, w.ca.cert, lines=[
            "FEATURE(`mailertable', `text -k0 -v1 %s')dnl" % w.space.path("sendmail", "mailertable"),
            "LOCAL_CONFIG", "Mlmtp, P=%s, F=lsDFMzn9, S=0, R=0, T=DNS/RFC822/SMTP, A=lmtp" % script])
        self.mta.configure()
        self.number = 0

    def rcpt(self, domain):
        self.number += 1
        return "r%d@%s" % (self.number, domain)

    def seen(self, rcpt):
        return [e["tls"] for e in self.w.sinks.messages() if rcpt in e["rcpts"]]

    def try_once(self, sender, domain, cf=None):
        """One message, tried once: (status, enhanced code, TLS versions it was seen with)."""
        rcpt = self.rcpt(domain)
        qid = self.mta.hand_in("s%d@%s" % (self.number, sender), rcpt, cf=cf)
        got = self.mta.outcome(qid, rcpt)
        return got.status, got.dsn, self.seen(rcpt)

    def mode(self, domain, mode):
        self.w.mode(domain, mode)
        want = "OK " + mode if mode else "NOTFOUND "
        wait_for("the mode of " + domain, lambda: self.w.ask("mode", domain) == want)

    def empty(self):
        folder = self.mta.folder + "/mqueue/"
        for name in os.listdir(folder):
            os.unlink(folder + name)


def publish(w):
    for domain in (OPEN, CLOSED, PROVEN, "good.test"):
        w.destination(domain)
    w.destination("plain.test", starttls="none")
    w.destination("refused.test", starttls="454")
    w.destination("garbage.test", starttls="garbage")
    w.destination("key.test", signed=True, cert="self", tlsa="3 1 1")
    w.destination("otherkey.test", signed=True, tlsa="3 1 1 " + "ab" * 32)
    for domain, name in (("ta.test", "mx.ta.test"), ("ta-other.test", "other.test")):
        leaf = w.ca.issue(domain, dns=[name])
        w.destination(domain, signed=True, cert=certs.Pair(w.ca.chain(leaf), leaf.key), tlsa=certs.tlsa("2 0 1", w.ca.cert))
    w.destination("othername.test", cert="name")
    both = w.ca.issue("both", dns=["mx.names.test", "mx.othername.test"])
    w.destination("names.test", cert=both)
    w.destination("wild.test", cert=w.ca.issue("wild", dns=["*.wild.test"]), sts="enforce")
    w.destination("strict.test", sts="enforce", cert="name")
    shared = w.receiver("mx.shared.test", certs.self_signed(w.ca.root, "shared", dns=["mx.shared.test"]))
    w.zone("shared.test").set("mx", "A", shared.address)
    for domain in ("first.test", "second.test"):
        w.zone(domain).set("@", "MX", "10 mx.shared.test.")
    w.sts("second.test", mx=["mx.shared.test"])


def in_one_run(room, cf, *pairs):
    """Messages (sender, domain) tried in this order by one process: [(rcpt, status)]."""
    sent = []
    for place, (sender, domain) in enumerate(pairs):
        rcpt = room.rcpt(domain)
        sent.append((rcpt, room.mta.hand_in("s@" + sender, rcpt, "-odq", more=place * 100)))
    room.mta.run_queue(cf=cf)
    return [(rcpt, room.mta.outcome(qid, rcpt)) for rcpt, qid in sent]


def map_away(tap, room):
    """-T<TMPF>"""
    weak = room.mta.variant("no-tempfail", (TEMP_KEPT, ""), ("O QueueDirectory", "O DeliveryMode=i\nO QueueDirectory"))
    tap.equal(room.try_once(CLOSED, "plain.test")[:2], ("bounced", "5.7.10"), "while mapd answers an enforced message is refused")
    room.w.daemons.mapd.stop()
    tap.equal(room.try_once(CLOSED, "plain.test", weak), ("sent", "2.0.0", [""]),
              "LEAK with the guard removed: without -T<TMPF> and without mapd it goes in the clear")
    for sender in (OPEN, CLOSED, PROVEN):
        for domain in ("plain.test", "good.test"):
            tap.equal(room.try_once(sender, domain), ("deferred", "4.7.5", []), "mapd is away: %s to %s waits" % (sender, domain))
    room.w.daemons.start_mapd()
    room.mta.run_queue()
    late = [line for line in room.mta.lines() if re.search(r"to=r\d+@good\.test.*stat=Sent", line)]
    tap.equal(len(late), 3, "mapd is back: what waited is delivered where it may be", *late)
    room.empty()


def careless_replies(tap, room):
    """PERM reads as "no such key" in Sendmail; mapd never says it."""
    fake = FakeMapd(mode="PERM no", opportunistic="PERM no", enforced="PERM no", sts="PERM no")
    cf = room.mta.variant("fake", (OUR_MAPD, FAKE_MAPD))
    tap.equal(room.try_once(CLOSED, "plain.test", cf), ("sent", "2.0.0", [""]),
              "LEAK with a server that says PERM: an enforced message in the clear")
    fake.answers["mode"] = "OK enforced"
    tap.equal(room.try_once(CLOSED, "plain.test", cf), ("deferred", "4.7.5", []), "PERM of the map enforced: waits")
    for words in ("TEMP no", "OK unheard-of"):
        fake.answers["mode"] = words
        tap.equal(room.try_once(CLOSED, "plain.test", cf)[::2], ("deferred", []), "a server that says %r: waits" % words)
    fake.answers.update(mode="OK enforced", enforced="OK encrypt protocols=>=TLSv1.2", refusal="NOTFOUND ")
    tap.equal(room.try_once(CLOSED, "plain.test", cf)[::2], ("deferred", []), "min_tls in the answer: TLS is still a must")
    tap.equal(room.try_once(CLOSED, "good.test", cf), ("sent", "2.0.0", ["TLSv1.3"]), "and a good receiver gets the message")
    room.empty()


def second_recipient(tap, room):
    """FEATURE(`sts') looks at the chain for the first recipient of a transaction only."""
    weak = room.mta.variant("sts-alone", NO_SERVER_RULES, NO_RCPT_RULES)
    for cf, label, want in ((weak, "LEAK with FEATURE(`sts') alone: MTA-STS of a second recipient, a self-signed certificate",
                             ["TLSv1.3"]), (None, "the rules: the second recipient waits", [])):
        rcpts = [room.rcpt("first.test"), room.rcpt("second.test")]
        qid = room.mta.hand_in("s@" + OPEN, rcpts, cf=cf)
        got = [room.mta.outcome(qid, rcpt).status for rcpt in rcpts]
        tap.equal((got[0], room.seen(rcpts[1])), ("sent" if want else got[0], want), label, got)
    room.empty()
    tap.equal(room.try_once(OPEN, "wild.test")[0], "sent", "MTA-STS and a wildcard certificate: delivered")


def other_recipients(tap, room):
    """A temporary refusal stays one, whatever became of another recipient."""
    weak = room.mta.variant("rcpt-alone", NO_SERVER_RULES)
    for cf, label, want in ((weak, "with rules for tls_rcpt alone: a temporary refusal ends as a bounce", "bounced"),
                            (None, "with the rules before the envelope: it waits", "deferred")):
        rcpts = ["nobody@nowhere.test", room.rcpt("refused.test")]
        qid = room.mta.hand_in("s@" + CLOSED, rcpts, cf=cf)
        tap.equal((room.mta.outcome(qid, rcpts[1]).status, room.seen(rcpts[1])), (want, []), label)
    room.empty()


def other_messages(tap, room):
    """The refusal of one sender's message is not the answer to the next sender's."""
    weak = room.mta.variant("host-status", REMEMBER_HOSTS)
    for cf, label, want in (
            (weak, "with a remembered host status: an opportunistic message is bounced for another's mode", "bounced"),
            (None, "without: it is delivered", "sent")):
        got = in_one_run(room, cf, (CLOSED, "plain.test"), (OPEN, "plain.test"))
        tap.equal([outcome.status for _, outcome in got], ["bounced", want], label)
    room.empty()


def kept_connections(tap, room):
    """The connection cache forced on."""
    cache = room.mta.variant("cache", CACHE)
    for domain, want in (("plain.test", "deferred"), ("refused.test", "deferred"),
                         ("garbage.test", "deferred"), ("good.test", "sent")):
        (_, first), (rcpt, second) = in_one_run(room, cache, (OPEN, domain), (CLOSED, domain))
        tap.equal((first.status, second.status, [v for v in room.seen(rcpt) if not v]), ("sent", want, []),
                  "connections kept: opportunistic, then enforced to %s: %s, nothing in the clear" % (domain, want), second)
    used = collections.Counter(e["connection"] for e in room.w.sinks.messages(lambda e: e["sink"] == "mx.good.test"))
    tap.ok(max(used.values()) > 1, "a connection was used for both", used)
    room.empty()
    story = ((OPEN, "othername.test"), (OPEN, "names.test"), (PROVEN, "othername.test"))
    weak = room.mta.variant("names", CACHE, FORGET_NAMES)
    for cf, label, want in (
            (weak, "LEAK with the guard removed: a kept connection is verified by the names of another one", ["TLSv1.3"]),
            (cache, "connections kept: verified waits where the names are not known", [])):
        got = in_one_run(room, cf, *story)
        tap.equal((got[2][1].status, room.seen(got[2][0])), ("sent" if want else "deferred", want), label, got[2][1])
    room.empty()


def live(tap, room):
    """A mode changed with redis-cli is in force with the next message."""
    clear, refused = ("sent", [""]), ("bounced", [])
    for mode, want in ((None, clear), ("enforced", refused), ("verified", refused), (None, clear)):
        room.mode("flip.test", mode)
        tap.equal(room.try_once("flip.test", "plain.test")[::2], want, "flip.test %s: %s" % (mode or "opportunistic", want[0]))
    room.mode("flip.test", "enforced")
    rcpt = room.rcpt("garbage.test")
    qid = room.mta.hand_in("s@flip.test", rcpt)
    first = room.mta.outcome(qid, rcpt)
    room.mode("flip.test", None)
    room.mta.run_queue()
    tap.equal((first.status, room.mta.outcome(qid, rcpt, nth=2).status, room.seen(rcpt)), ("deferred", "sent", [""]),
              "what waited goes when its mode is opportunistic again")


def dane_unknown(tap, room):
    """A Sendmail without DANE and a mapd that answers with it: nothing goes there on trust."""
    if room.mta.has_dane:
        tap.skip("dane answers without DANE in Sendmail", "this Sendmail has DANE")
        return
    room.w.daemons.mapd.stop()
    room.w.daemons.write(mapd={"dane": True})
    room.w.daemons.start_mapd()
    for sender in (OPEN, CLOSED, PROVEN):
        for domain in ("key.test", "otherkey.test"):
            tap.equal(room.try_once(sender, domain), ("deferred", "4.7.5", []),
                      "mapd.dane = true, %s to %s: waits" % (sender, domain))
    room.empty()


def dane_kinds(tap, room):
    """The forms of TLSA records, where Sendmail looks at them itself."""
    if not room.mta.has_dane:
        tap.skip("TLSA records held against certificates", "this Sendmail was compiled without DANE")
        return
    for sender in (OPEN, CLOSED, PROVEN):
        for domain, want in (("key.test", "sent"), ("otherkey.test", "deferred"),
                             ("ta.test", "sent"), ("ta-other.test", "deferred")):
            got = room.try_once(sender, domain)
            tap.equal((got[0], bool(got[2])), (want, want == "sent"), "%s to %s: %s" % (sender, domain, want), got)
    room.empty()


def whose_mode(tap, room):
    """Which sender counts: told by the rules themselves, for a server without TLS."""
    room.mode(room.mta.defines["confDOMAIN_NAME"], "enforced")
    for envelope, told, want in (("a@open.test", "a@open.test", "ok"), ("a@closed.test", "a@open.test", "refused"),
                                 ("a@open.test", "a@closed.test", "refused"), ("root", "root", "refused"), ("<>", "<>", "ok"),
                                 ("A.B+c@CLOSED.test", "A.B+c@CLOSED.test", "refused"),
                                 ('"a b"@closed.test', '"a b"@closed.test', "refused")):
        answer = room.mta.rules(".D{server_name}mx.plain.test", ".D{server_addr}127.0.2.200", ".D{verify}NONE", ".Dhplain.test.",
                                ".Df" + envelope, ".Dg" + told, "Local_tls_rcpt x@plain.test")
        last = re.findall(r"Local_tls_rcpt\s+returns: (.*)", answer)[-1:]
        tap.equal(["refused" if "# error" in line else line for line in last], [want],
                  "sender %s, told as %s: %s" % (envelope, told, want), answer)
    room.mode(room.mta.defines["confDOMAIN_NAME"], None)


def local_mail(tap, room):
    """LMTP to a program and mail to a file have no TLS mode."""
    tap.equal(room.try_once(CLOSED, "lmtp.test")[:2], ("sent", "2.0.0"), "enforced, LMTP to a local program: delivered")
    tap.equal(room.try_once(PROVEN, "lmtp.test")[:2], ("sent", "2.0.0"), "verified, LMTP to a local program: delivered")


def tags(tap, room):
    """The milter behind Sendmail."""
    room.mta.start()
    for sender, mode in ((OPEN, "opportunistic"), (CLOSED, "enforced"), (PROVEN, "verified")):
        rcpt = room.rcpt("good.test")
        qid = room.mta.send("t@" + sender, rcpt, headers=[("X-TLS-Mode", "verified; domain=forged.test")])
        tap.equal(room.mta.outcome(qid, rcpt).status, "sent", "through the milter: %s is delivered" % sender)
        text = room.w.sinks.await_event(lambda e, r=rcpt: e["event"] == "message" and r in e["rcpts"])["text"]
        tap.equal(re.findall("^x-tls-mode: (.*)$", text, re.I | re.M), ["%s; domain=%s; by=envelope" % (mode, sender)],
                  "one tag, the forged one is gone")
    escapes = [line for line in room.w.daemons.milter.text().splitlines() if "event=escape" in line]
    tap.equal(escapes, [], "no mailer of Sendmail is taken for an escape")
    room.mta.stop()


PARTS = (map_away, careless_replies, second_recipient, other_recipients, other_messages, kept_connections, live, whose_mode,
         local_mail, tags, dane_kinds, dane_unknown)


def test(tap):
    with World("e2e-sendmail-traps") as w:
        publish(w)
        room = Room(tap, w)
        w.start(conf=sendmail.conf(room.mta), postfix=False)
        room.mta.rebuild_aliases()
        tap.note("Sendmail " + room.mta.version)
        room.mode(CLOSED, "enforced")
        room.mode(PROVEN, "verified")
        for part in PARTS:
            part(tap, room)


if not inside():
    reason = sendmail.unpack()
    if reason:
        print("1..0 # SKIP " + reason)
        sys.exit(77)
main(test)
