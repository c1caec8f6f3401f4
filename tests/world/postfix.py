"""Postfix as Debian ships it (main.cf.debian, the chrooted master.cf), wired by contrib/postfix/setup, in the room's private
folders."""
import collections
import grp
import os
import pwd
import re
import shutil
import smtplib

from .space import ROOT, run
from .waiting import wait_for

QUEUE = "/var/spool/postfix"
SHARE = "/usr/share/postfix/"
WIRING = os.path.join(ROOT, "contrib", "postfix")

# What a world needs beside the wiring: who we are, no syslog daemon, nothing of the machine's own mail.
OURS = {
    "myhostname": "mail.sender.test",
    "myorigin": "sender.test",
    "mydestination": "",
    "mynetworks": "127.0.0.0/8",
    "inet_interfaces": "127.0.0.1",
    "inet_protocols": "ipv4",
    "alias_maps": "",
    "alias_database": "",
    "local_recipient_maps": "",
    "smtputf8_enable": "yes",
    "maillog_file_prefixes": "/var, /dev/stdout, /run",
    "smtp_connect_timeout": "5s",
    "queue_run_delay": "5s",
    "minimal_backoff_time": "300s",
}

Outcome = collections.namedtuple("Outcome", "qid rcpt status dsn text relay service trust tls")


def version():
    """Postfix's, as numbers: (3, 7, 11)."""
    return tuple(int(number) for number in re.findall(r"\d+", run("postconf", "-dh", "mail_version"))[:3])


def misnamed():
    """The code of mail for an MX host that the MTA-STS policy does not name: from 3.10.5 on Postfix leaves the host out, before it
    refuses the certificate."""
    return "4.3.0" if version() >= (3, 10, 5) else "4.7.5"


class Postfix:
    """CA_FILE: what certificates are checked against; MORE is laid over the wired main.cf."""

    def __init__(self, space, ca_file, **more):
        self.space = space
        self.log = space.path("maillog")
        self.ca_file = ca_file
        self.own = {**OURS, "maillog_file": self.log}
        self.more = more
        if more.get("smtpd_milters") == "":  # a world without the milter
            self.more = {"non_smtpd_milters": "", **more}

    def configure(self, wired=True):
        """WIRED: with tlsmode's wiring; else as it was before somebody installed tlsmode."""
        shutil.copy(SHARE + "main.cf.debian", "/etc/postfix/main.cf")
        shutil.copy(SHARE + "master.cf.dist", "/etc/postfix/master.cf")
        self.set(**self.own)
        if wired:
            self.setup("--apply", "--ca-file", self.ca_file)
            self.set(**self.more)
        owner = pwd.getpwnam("postfix").pw_uid
        os.chown("/var/lib/postfix", owner, grp.getgrnam("postfix").gr_gid)
        os.chmod("/var/lib/postfix", 0o700)

    @staticmethod
    def setup(*words):
        """contrib/postfix/setup, which every world is wired by; what it said."""
        return run(os.path.join(WIRING, "setup"), *words)

    def set(self, **values):
        if values:
            run("postconf", "-e", *("%s=%s" % item for item in values.items()))

    def start(self):
        """As Debian's unit does it: fill the chroot (from 3.9.1 on Postfix's own start does), then start; back when port 25 greets."""
        open(self.log, "a").close()
        if version() < (3, 9):
            run("/usr/lib/postfix/configure-instance.sh", "-")
        run("postfix", "start")
        wait_for("Postfix's greeting", self.greets, 20)

    @staticmethod
    def greets():
        try:
            with smtplib.SMTP("127.0.0.1", 25, timeout=5):
                return True
        except OSError:
            return False

    def reload(self):
        run("postfix", "reload")

    def flush(self):
        """Tries everything that waits in the queue again."""
        run("postqueue", "-f")

    def stop(self):
        run("postfix", "stop")

    def lines(self):
        with open(self.log, errors="replace") as log:
            return log.read().splitlines()

    def send(self, sender, rcpts, body="Hello.\r\n", headers=(), subject="world"):
        """Hands a message to smtpd; its queue id. Raises smtplib.SMTPException when Postfix or the milter refuses."""
        rcpts = [rcpts] if isinstance(rcpts, str) else list(rcpts)
        lines = ["From: <%s>" % (sender or "mailer-daemon@sender.test"), "To: <%s>" % rcpts[0], "Subject: " + subject]
        lines += ["%s: %s" % header for header in headers]
        with smtplib.SMTP("127.0.0.1", 25, local_hostname="client.test", timeout=60) as client:
            client.ehlo()
            options = ["SMTPUTF8"] if not (sender + "".join(rcpts)).isascii() else []
            for code, text in [client.mail(sender, options)] + [client.rcpt(rcpt) for rcpt in rcpts]:
                if code != 250:
                    raise smtplib.SMTPResponseException(code, text)
            code, text = client.data(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
            if code != 250:
                raise smtplib.SMTPResponseException(code, text)
        return re.search(r"queued as (\w+)", text.decode()).group(1)

    def outcome(self, qid, rcpt, seconds=30, nth=1):
        """What became of the message's NTH try for RCPT; awaited in the log."""
        def look():
            return self.find_outcome(qid, rcpt, nth)
        return wait_for("a delivery status of %s to %s" % (qid, rcpt), look, seconds, 0.05)

    def find_outcome(self, qid, rcpt, nth=1):
        """The status line, and the TLS line of the same smtp process before it."""
        status = re.compile(r"postfix/(\S+)\[(\d+)\]: %s: to=<%s>, (?:orig_to=\S+ )?relay=(.*?), .*dsn=([\d.]+), status=(\w+) "
                            r"\((.*)\)$" % (qid, re.escape(rcpt)), re.IGNORECASE)
        tls = {}
        for line in self.lines():
            connected = re.search(r"\[(\d+)\]: (\w+) TLS connection established to (\S+):\d+: (\S+)", line)
            if connected:
                tls[connected[1]] = (connected[2], connected[4], connected[3])
            fits = status.search(line)
            if fits:
                nth -= 1
                if nth == 0:
                    trust, version, peer = tls.get(fits[2], ("", "", ""))
                    if fits[5] != "sent" or not fits[3].startswith(peer):
                        trust = version = ""
                    return Outcome(qid, rcpt, fits[5], fits[4], fits[6], fits[3], fits[1], trust, version)
            elif re.search(r"\[\d+\]: \w+: to=<", line):
                tls.pop(re.search(r"\[(\d+)\]", line)[1], None)
        return None

    def bounce_of(self, qid, seconds=30):
        """The queue id of the non-delivery message made for QID."""
        def look():
            return next((m[1] for m in (re.search(r"%s: sender non-delivery notification: (\w+)" % qid, line)
                                        for line in self.lines()) if m), None)
        return wait_for("a bounce of " + qid, look, seconds, 0.05)
