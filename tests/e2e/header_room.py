"""The site of the tests header_*: a Postfix with people, aliases and destinations;
messages whose author is not their envelope's sender."""
import re
import smtplib

from world import postfix_second as second
from world.postfix import Postfix

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


def publish(w):
    w.destination("plain.test", starttls="none")
    w.destination("inner.test", starttls="none")
    w.destination("self.test", cert="self")
    w.destination("keyed.test", signed=True, cert="self", tlsa="3 1 1")
    w.destination("strict.test", sts="enforce")
    w.destination(OPEN, starttls="none")
    for name in ("good.test", CLOSED, PROVEN, "pooled.test"):
        w.destination(name)


def submit(sender, rcpts, token, author=None, login=None, body="Hello.\r\n", headers=(), options=(), rcpt_options=(),
           source="127.0.0.1"):
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


def through(w, *words, **more):
    """submit(), and all that became of it."""
    return second.journey(w.postfix, submit(*words, **more))


def seen(w, token, rcpt=None):
    """What the receivers saw of the message with this subject: messages themselves, not bounces of it."""
    subject = re.compile(r"^Subject: %s$" % token, re.M)
    return [m for m in w.sinks.messages(lambda m: subject.search(m["text"].split("\n\n", 1)[0])) if rcpt in (None, *m["rcpts"])]


def in_mailbox(name, token):
    return sum("\nSubject: %s\n" % token in text for text in second.mailbox(name))


def start(w, identity=("envelope", "from", "auth"), **main_cf):
    """The first instance without the wiring; MAIN_CF is laid over MAIN."""
    for number, name in enumerate(PEOPLE):
        second.account(name, 7470 + number)
    publish(w)
    w.start(own_root=True, postfix=False, conf={"milter": {"identity": list(identity), "on_mismatch": "filter"}})
    w.mode(CLOSED, "enforced")
    w.mode(PROVEN, "verified")
    w.postfix = Postfix(w.space, w.ca.cert, **{**MAIN, **main_cf})
    w.postfix.configure()
    for name, text in (("aliases", ALIASES), ("virtual", VIRTUAL)):
        with open("/etc/postfix/" + name, "w") as table:
            table.write(text)
    w.postfix.start()


def install(w):
    """The wiring, in force."""
    w.second = second.Seconds(w)
    w.second.apply()
    w.second.start()
    w.postfix.reload()
