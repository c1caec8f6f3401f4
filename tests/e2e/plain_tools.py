#!/usr/bin/python3
"""The world itself, with nothing of tlsmode in it: zones secure, insecure, bogus and failing; receivers that do as they say; Postfix with
our two services and fixed tables in the place of tlsmode-mapd. What the other tests build on."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world.dnswire import RCODES, ask  # noqa: E402
from world.postfix import Postfix  # noqa: E402
from world.tap import main  # noqa: E402
from world.world import World  # noqa: E402

TLSA = "3 1 1 " + "ab" * 32
# name, type, rcode, AD bit, how many records of that type
DNS = (
    ("secure.test", "MX", "noerror", True, 1),
    ("_25._tcp.mx.secure.test", "TLSA", "noerror", True, 1),
    ("_24._tcp.mx.secure.test", "TLSA", "nxdomain", True, 0),
    ("none.test", "MX", "nxdomain", True, 0),
    ("insecure.test", "MX", "noerror", False, 1),
    ("unchained.test", "MX", "noerror", False, 1),
    ("bogus.test", "MX", "servfail", False, 0),
    ("child.test", "MX", "noerror", True, 1),
    ("_25._tcp.mx.child.test", "TLSA", "servfail", False, 0),
    ("servfail.test", "MX", "servfail", False, 0),
    ("lame.test", "MX", "servfail", False, 0),
    ("half.test", "MX", "servfail", False, 0),
    ("_mta-sts.half.test", "TXT", "noerror", False, 1),
    ("alias.half.test", "TXT", "noerror", False, 1),
)
TABLES = {
    "pol": "match.test dane-only\nmismatch.test dane-only\n",
    "modes": "a@enforced.test smtp-enforced:\na@verified.test smtp-verified:\n",
    "enforced": "ca.test encrypt\nself.test encrypt\nplain.test encrypt\nold.test encrypt protocols=>=TLSv1.2\n",
    "verified": "ca.test verify match=hostname servername=hostname\nself.test verify match=hostname servername=hostname\n",
}
# sender, destination, status, code, trust and TLS version as Postfix's log says them
MAIL = (
    ("a@open.test", "plain.test", "sent", "2.0.0", "", ""),
    ("a@open.test", "self.test", "sent", "2.0.0", "Untrusted", "TLSv1.3"),
    ("a@open.test", "ca.test", "sent", "2.0.0", "Trusted", "TLSv1.3"),
    ("a@open.test", "match.test", "sent", "2.0.0", "Verified", "TLSv1.3"),
    ("a@open.test", "mismatch.test", "deferred", "4.7.5", "", ""),
    ("a@enforced.test", "self.test", "sent", "2.0.0", "Untrusted", "TLSv1.3"),
    ("a@enforced.test", "plain.test", "deferred", "4.7.4", "", ""),
    ("a@enforced.test", "old.test", "deferred", "4.7.5", "", ""),
    ("a@verified.test", "ca.test", "sent", "2.0.0", "Verified", "TLSv1.3"),
    ("a@verified.test", "self.test", "deferred", "4.7.5", "", ""),
)


def zones(w):
    secure = w.zone("secure.test")
    secure.set("@", "MX", "10 mx.secure.test.").set("_25._tcp.mx", "TLSA", TLSA)
    w.zone("insecure.test", signed=False).set("@", "MX", "10 mx.secure.test.")
    w.zone("unchained.test", ds=None).set("@", "MX", "10 mx.secure.test.")
    w.zone("bogus.test", ds="wrong").set("@", "MX", "10 mx.bogus.test.")
    w.zone("child.test").set("@", "MX", "10 mx.child.test.")
    w.zone("_tcp.mx.child.test", ds="wrong").set("_25", "TLSA", TLSA)
    w.zone("servfail.test", faulty=True)
    w.zone("lame.test", faulty=True, signed=True).set("@", "MX", "10 mx.secure.test.")
    w.zone("half.test", faulty=True).set("_mta-sts", "TXT", '"v=STSv1; id=1;"').set("alias", "CNAME", "_mta-sts.half.test.")
    w.faults.update({("servfail.test.", "*"): "servfail", ("half.test.", "MX"): "servfail"})
    w.destination("plain.test", starttls="none")
    w.destination("self.test", cert="self")
    w.destination("ca.test")
    w.destination("old.test", tls=("1.0", "1.1"))
    w.destination("match.test", signed=True, tlsa="3 1 1")
    w.destination("mismatch.test", signed=True, tlsa=TLSA)
    w.destination("open.test")


def fixed_tables():
    for name, text in TABLES.items():
        open("/etc/postfix/" + name, "w").write(text)
    master = open("/etc/postfix/master.cf").read()
    master = re.sub(r"  -o smtp_delivery_status_filter=.*\n", "", master)
    master = re.sub(r"socketmap:unix:tlsmode/map\.sock:(\w+)(-tlsrpt)?", r"texthash:/etc/postfix/\1", master)
    open("/etc/postfix/master.cf", "w").write(master)


def test(tap):
    with World("e2e-world") as w:
        zones(w)
        w.start_dns()
        for name, rtype, rcode, secure, count in DNS:
            got = ask("127.0.0.1", name, rtype, do=True)
            found = sum(1 for r in got[2] if r[1] == rtype)
            tap.equal((got[0], got[1], found), (RCODES[rcode], secure, count), "%s %s is %s%s" % (
                name, rtype, rcode, ", secure" if secure else ""))
        zone = w.zones["secure.test"].set("@", "MX", "10 mx.secure.test.", "20 mx2.secure.test.")
        w.publish(zone)
        tap.equal(len(ask("127.0.0.1", "secure.test", "MX")[2]), 2, "a changed zone is served and believed at once")
        tap.ok(("half.test", "MX") in w.faultdns.asked, "the failing server notes its questions")
        tap.ok(("servfail.test", "MX") in w.unbound.questions(), "the resolver's log names the questions")
        w.postfix = post = Postfix(
            w.space, w.ca.cert, smtpd_milters="", smtp_tls_policy_maps="texthash:/etc/postfix/pol",
            sender_dependent_default_transport_maps="texthash:/etc/postfix/modes")
        post.configure()
        fixed_tables()
        post.start()
        sent = [(row, post.send(row[0], "x@" + row[1])) for row in MAIL]
        for row, qid in sent:
            outcome = post.outcome(qid, "x@" + row[1])
            tap.equal((outcome.status, outcome.dsn, outcome.trust, outcome.tls), row[2:], "%s to %s: %s" % row[:3], outcome)
        clear = [m["sink"] for m in w.sinks.messages() if not m["tls"]]
        tap.equal(clear, ["mx.plain.test"], "only the receiver without STARTTLS got a message in the clear")


main(test)
