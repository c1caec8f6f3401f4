#!/usr/bin/python3
"""Traps of filters: what a content filter, a FILTER action, or a milter that is away does to the sender's mode. Each way in has
a port of its own."""
import os
import smtplib
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from trap import CLOSED, MODES, OPEN, Mail, Traps, another_milter, homes, service, settings, start_postfix  # noqa: E402
from world.tap import main  # noqa: E402
from world.world import World  # noqa: E402

ABSENT = "{ unix:tlsmode/absent.sock, default_action=%s }"
ROUTED = "routing"  # the cleanup(8) that routes by the tag
SCANNED, AGAIN_IN = 2698, 2699  # where filters hand their messages back
PORTS = {
    "loses": {"content_filter": "loses:dummy"},
    "keeps": {"content_filter": "keeps:dummy"},
    "afar": {"content_filter": "smtp:[mx.clear.test]"},
    "beside": {"content_filter": "scan:[127.0.0.1]:%d" % SCANNED},
    "scanned": {"smtpd_milters": ""},
    "accepts": {"smtpd_milters": ABSENT % "accept"},
    "accepts-routed": {"smtpd_milters": ABSENT % "accept", "cleanup_service_name": ROUTED},
    "tempfails-routed": {"smtpd_milters": ABSENT % "tempfail", "cleanup_service_name": ROUTED},
    "disabled-routed": {"smtpd_milter_maps": "static:DISABLE", "cleanup_service_name": ROUTED},
    "skipped-routed": {"receive_override_options": "no_milters", "cleanup_service_name": ROUTED},
    "author-routed": {"cleanup_service_name": ROUTED},
    "routed": {"cleanup_service_name": ROUTED},
    "again": {"cleanup_service_name": "again"},
    "again-in": {"smtpd_milters": ""},
    "present": {},
    "rejects": {"smtpd_milters": "unix:tlsmode/rejects.sock"},
}
PORT = {**{name: 2601 + number for number, name in enumerate(PORTS)}, "scanned": SCANNED, "again-in": AGAIN_IN}


def publish(w):
    homes(w, *MODES, "sender.test")
    w.destination("tls.test")
    w.destination("clear.test", starttls="none")
    w.destination("ours.test")


def services():
    yield from (service("127.0.0.1:%d" % PORT[name], "smtpd", "inet", syslog_name="postfix/" + name, **options)
                for name, options in PORTS.items())
    pipe = "%s unix - n n - - pipe flags=Rq user=nobody null_sender= argv=/usr/sbin/sendmail -G -i %s ${recipient}\n"
    yield pipe % ("loses", "")
    yield pipe % ("keeps", "-f ${sender} --")
    yield service("scan")
    for name, action in ((ROUTED, "FILTER smtp-enforced:"), ("again", "FILTER scan:[127.0.0.1]:%d" % AGAIN_IN)):
        yield service(name, "cleanup", "unix-public", maximum="0", milter_header_checks="regexp:/etc/postfix/" + name)
        with open("/etc/postfix/" + name, "w") as table:
            table.write("/^X-TLS-Mode: enforced/ %s\n" % action)


def submit(way, sender, rcpts, author=None, headers="", body="a private word"):
    """Hands a message to the port of WAY; smtpd's refusal as (code, text), or None."""
    text = "From: <%s>\r\nSubject: %s\r\n%s\r\n%s\r\n" % (author or sender, way, headers, body)
    try:
        with smtplib.SMTP("127.0.0.1", PORT[way], local_hostname="client.test", timeout=60) as client:
            client.sendmail(sender, rcpts, text)
    except smtplib.SMTPDataError as error:
        return error.smtp_code, error.smtp_error.decode()
    except smtplib.SMTPSenderRefused as error:
        return error.smtp_code, error.smtp_error.decode()
    return None


def to_clear(t, way, sender="a@" + CLOSED, **more):
    """A message to the receiver without STARTTLS; what smtpd said of it is part of the check."""
    mail = Mail(sender, way + "@clear.test", None)
    t.tap.equal(submit(way, sender, [mail.rcpt], **more), None, "port %s takes a message" % way)
    return mail


def content_filters(w, t):
    """A filter hands the message back; what it says of the sender is who the sender is."""
    trap = "content_filter by a command"
    t.leaks(trap, "-f ${sender}", to_clear(t, "loses"), "clear.test")
    t.refused("trap %s: closed" % trap, to_clear(t, "keeps").rcpt)
    trap = "content_filter = smtp:[host]"
    t.leaks(trap, "a filter that hands the message back", to_clear(t, "afar"), "clear.test")
    t.refused("trap %s: closed" % trap, to_clear(t, "beside").rcpt)


def milter_away(w, t):
    """Without the milter the envelope's route holds; all that the milter says is lost."""
    trap = "milter_default_action = accept"
    t.refused("trap %s: the envelope's mode holds" % trap, to_clear(t, "accepts").rcpt)
    t.refused("trap %s: with the milter, too" % trap, to_clear(t, "present").rcpt)
    for way, has_body, name in (("accepts", True, "without tempfail the bounce has the body"), ("present", False, "closed")):
        bounce = t.w.sinks.await_event(lambda e, y=way: e["event"] == "message" and "Subject: %s\n" % y in e["text"], 30)
        t.tap.equal("a private word" in bounce["text"], has_body, "trap %s: %s" % (trap, name))
    trap += " (routing by the author)"
    t.leaks(trap, "tempfail", to_clear(t, "accepts-routed", "a@" + OPEN, author="a@" + CLOSED), "clear.test")
    said = submit("tempfails-routed", "b@" + OPEN, ["tempfails-routed@clear.test"], author="a@" + CLOSED)
    seen = t.seen(Mail("", "tempfails-routed@clear.test", None), 0)
    t.tap.equal((said and said[0], seen), (451, None), "trap %s: closed" % trap)


def milter_passed_over(w, t):
    """Ways in that never meet the milter: without its tag nothing routes by the author."""
    trap, author = "%s (routing by the author)", {"sender": "e@" + OPEN, "author": "e@" + CLOSED}
    t.leaks(trap % "smtpd_milter_maps", "the milter for every client", to_clear(t, "disabled-routed", **author), "clear.test")
    t.leaks(trap % "no_milters", "the milter on every smtpd", to_clear(t, "skipped-routed", **author), "clear.test")
    t.refused("trap smtpd_milter_maps, no_milters: closed", to_clear(t, "author-routed", **author).rcpt)


def filter_action(w, t):
    """FILTER by the tag: for every recipient, those at home too. The whole cure is contrib/postfix-header-routing."""
    trap = "milter_header_checks FILTER"
    for way, local in (("routed", "clerk1@ours.test"), ("again", "clerk2@ours.test")):
        said = submit(way, "c@" + OPEN, [way + "@tls.test", local], author="c@" + CLOSED)
        t.tap.equal(said, None, "port %s takes a message" % way)
    t.arrives("trap %s: a recipient at home is sent away" % trap, Mail("", "clerk1@ours.test", None), "ours.test", "over TLS")
    t.tap.becomes(lambda: os.path.exists("/run/world/mail/clerk2"), True,
                  "trap %s: closed for those at home, where the filter hands the message back" % trap, 30)


def milter_refuses(w, t):
    """tls_required_no = reject: the message that would switch TLS off is not taken, however often it says so."""
    for number, headers in enumerate(("TLS-Required: no\r\n", "tls-required:  No\r\n", "TLS-Required: no\r\n" * 2), 1):
        said = submit("rejects", "d%d@%s" % (number, CLOSED), ["reject%d@clear.test" % number], headers=headers)
        t.tap.equal(said and said[0], 550, "trap TLS-Required: no: closed, tls_required_no = reject (%d)" % number, said)
    t.refused("trap TLS-Required: no: other messages pass that milter", to_clear(t, "rejects").rcpt)


def mailboxes(w):
    folder = w.space.path("mail", "x")[:-2]
    os.chmod(folder, 0o1777)
    with open("/etc/postfix/aliases", "w") as aliases:
        aliases.write("".join("clerk%d %s/clerk%d\n" % (number, folder, number) for number in (1, 2)))


def test(tap):
    with World("e2e-traps-filters") as w:
        publish(w)
        w.start(postfix=False, conf={"milter": {"identity": ["envelope", "from"]}})
        rejects = another_milter(w, "rejects", tls_required_no="reject")
        mailboxes(w)
        start_postfix(w, services, mydestination="ours.test", alias_maps="texthash:/etc/postfix/aliases",
                      local_recipient_maps="")
        settings(w, MODES)
        t = Traps(tap, w)
        for part in (content_filters, milter_away, milter_passed_over, filter_action, milter_refuses):
            part(w, t)
        t.named("content-filter", "filter-sender")
        t.nothing_else()
        rejects.stop()


main(test)
