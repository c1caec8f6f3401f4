"""Sendmail of Debian's packages, unpacked below build/ and never installed, with contrib/sendmail; in the room's private folders.

    sendmail.unpack()                   outside the room: there is no network inside. What is missing, or None
    mta = sendmail.Sendmail(w.space, w.ca.cert); mta.configure()
    w.start(conf=sendmail.conf(mta), postfix=False); mta.start()

It runs as root, with one log in the world's folder, and a queue that is run when run_queue() says so.
"""
import collections
import functools
import os
import re
import smtplib
import socket
import subprocess
import threading

from .procs import Program
from .space import ROOT, build_dir, run
from .waiting import wait_for

WIRING = os.path.join(ROOT, "contrib", "sendmail")
FOLDER = os.path.join(build_dir(), "sendmail")
CF = os.path.join(FOLDER, "usr/share/sendmail/cf/")
PROGRAM = os.path.join(FOLDER, "usr/libexec/sendmail/sendmail")
# Sendmail takes no socket in a folder that others may write to.
CONF = {"mapd": {"listen": ["inet:127.0.0.1:8461", "unix:/var/spool/postfix/tlsmode/map.sock"], "min_tls": ""},
        "milter": {"listen": "inet:127.0.0.1:8462", "strict_transports": ["*"]}}
NAME = "mail.sender.test"
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")

Outcome = collections.namedtuple("Outcome", "qid rcpt status dsn text relay")


def unpack():
    """Fetches the packages; None, or one sentence on why there are none."""
    os.makedirs(build_dir(), exist_ok=True)
    done = subprocess.run(["sh", "-c", '. ./contrib/packages.sh; packages_unpack "$0.log" "$0" $PACKAGES_SENDMAIL', FOLDER],
                          cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        return "Debian's packages of Sendmail cannot be had: " + " ".join(done.stderr.split())[-200:]
    os.chmod(PROGRAM, 0o755)  # not setgid: the loader would ignore our libraries' path
    return None


def environment():
    triplet = os.path.join(FOLDER, "usr/lib", run("gcc", "-print-multiarch").strip())
    return {**os.environ, "LD_LIBRARY_PATH": "%s:%s" % (triplet, triplet.replace("/usr/lib/", "/lib/"))}


def conf(mta):
    """What contrib/sendmail/README asks of tlsmode.conf for this Sendmail."""
    return {**CONF, "mapd": {**CONF["mapd"], "dane": mta.has_dane}}


def own_dev():
    """A /dev of the room, where /dev/log can be ours."""
    os.makedirs("/run/dev", exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "mode=755", "none", "/run/dev")
    for name in DEVICES:
        if os.path.exists("/dev/" + name):
            open("/run/dev/" + name, "w").close()
            run("mount", "--bind", "/dev/" + name, "/run/dev/" + name)
    os.symlink("/proc/self/fd", "/run/dev/fd")
    run("mount", "--rbind", "/run/dev", "/dev")


def own_hosts(space):
    """This machine has a full name: Sendmail waits a minute for one."""
    hosts = space.write("hosts", "127.0.0.1 %s %s localhost\n" % (NAME, socket.gethostname()))
    run("mount", "--bind", hosts, "/etc/hosts")


def status_of(dsn, text):
    """Of one delivery. A refusal on a kept connection still has the code of what that carried before."""
    return "deferred" if text.startswith("Deferred") else {"2": "sent", "4": "deferred", "5": "bounced"}[dsn[0]]


class Log:
    """/dev/log: every line of syslog(3) into one file."""

    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("/dev/log")
        open(path, "a").close()
        threading.Thread(target=self.collect, daemon=True).start()

    def collect(self):
        with open(self.path, "a", buffering=1) as out:
            while True:
                text = self.socket.recv(65536).decode("utf-8", "replace").rstrip("\0\n")
                out.write(re.sub(r"^<\d+>", "", text).replace("\n", " ") + "\n")

    def lines(self):
        with open(self.path, errors="replace") as log:
            return log.read().splitlines()


class Sendmail:
    """DEFINES are laid over sendmail.mc before the include of tlsmode.m4; LINES come right after it."""

    def __init__(self, space, ca_file, lines=(), **defines):
        self.space, self.ca_file, self.lines_after = space, ca_file, list(lines)
        self.folder = space.path("sendmail", "x")[:-2]
        self.defines = {
            "confTRUSTED_USER": "root", "confDOMAIN_NAME": NAME, "QUEUE_DIR": self.folder + "/mqueue",
            "MAIL_SETTINGS_DIR": self.folder + "/", "STATUS_FILE": self.folder + "/statistics",
            "confPID_FILE": self.folder + "/sendmail.pid", "confCONTROL_SOCKET_NAME": "", "ALIAS_FILE": self.folder + "/aliases",
            "confDEAD_LETTER_DROP": self.folder + "/dead.letter", "confHOST_STATUS_DIRECTORY": "",
            "confDONT_PROBE_INTERFACES": "loopback", "confLOG_LEVEL": "14", "confDELIVERY_MODE": "background",
            "confTO_IDENT": "0", "confQUEUE_LA": "10000", "confREFUSE_LA": "10000",
            **defines}
        self.cf = self.folder + "/sendmail.cf"
        self.log = self.process = None

    def configure(self):
        """sendmail.cf by m4 from the sample, its places changed to ours; a second call lays nothing anew but the file."""
        os.makedirs(self.folder + "/mqueue", exist_ok=True)
        os.chmod(self.folder + "/mqueue", 0o700)
        open(self.folder + "/aliases", "a").close()
        open(self.folder + "/local-host-names", "a").close()
        if self.log is None:
            own_dev()
            own_hosts(self.space)
            self.log = Log(self.space.path("maillog"))
        self.build()
        if self.has_dane:
            self.defines["confDANE"] = "true"
            self.build()

    def build(self):
        source = self.space.write("sendmail/sendmail.mc", self.mc())
        self.space.write("sendmail/sendmail.cf", run("m4", "-D_CF_DIR_=" + CF, source))

    def mc(self):
        text = open(WIRING + "/sendmail.mc").read()
        ours = ["include(`%sdebian/autoconf.m4')dnl" % CF]
        ours += ["define(`%s', `%s')dnl" % item for item in self.defines.items()]
        for old, new in (("/usr/share/sendmail/cf/", CF), ("/etc/ssl/certs/ca-certificates.crt", self.ca_file),
                         ("OSTYPE(", "\n".join(ours) + "\nOSTYPE("),
                         ("include(`/etc/mail/tlsmode.m4')dnl",
                          "\n".join(["define(`%s', `%s')dnl" % item for item in self.defines.items()] +
                                    ["include(`%s/tlsmode.m4')dnl" % WIRING] + self.lines_after))):
            assert old in text, old
            text = text.replace(old, new, 1)
        return text

    def about(self):
        """What sendmail -d0.1 tells: its version and what it was compiled with."""
        return subprocess.run(self.words("-d0.1", "-bt"), env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True).stdout

    @functools.cached_property
    def version(self):
        return re.search(r"Version (\S+)", self.about())[1]

    @functools.cached_property
    def has_dane(self):
        return re.search(r"\bDANE\b", self.about()) is not None

    def words(self, *words, cf=None):
        return [PROGRAM, "-C" + (cf or self.cf), *words]

    def start(self):
        self.process = Program(self.space, "sendmail", ["env", "LD_LIBRARY_PATH=" + environment()["LD_LIBRARY_PATH"]] +
                               self.words("-bD", "-L", "sm-mta"))
        wait_for("Sendmail's greeting", lambda: self.process.insist() and self.greets(), 20)

    @staticmethod
    def greets():
        try:
            with smtplib.SMTP("127.0.0.1", 25, timeout=5):
                return True
        except OSError:
            return False

    def stop(self):
        if self.process:
            self.process.stop()

    def run_queue(self, *options, cf=None):
        """Tries everything that waits once more, in one process; back when it has been tried (-v: it stays in the foreground)."""
        return subprocess.run(self.words("-q", "-v", *options, cf=cf), env=environment(), stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout

    def hand_in(self, sender, rcpts, *options, cf=None, more=0):
        """By sendmail(1), delivered before it is back unless OPTIONS (-odq) say otherwise; the queue id. A queue run takes short
        messages first: MORE lines make it later."""
        rcpts = [rcpts] if isinstance(rcpts, str) else list(rcpts)
        known = len(self.lines())
        subprocess.run(self.words("-i", "-odi", *options, "-f", sender, *rcpts, cf=cf), env=environment(), text=True,
                       input="From: <%s>\nTo: <%s>\nSubject: by hand\n\nHello.\n%s" % (sender, rcpts[0], "more\n" * more),
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        told = re.compile(r": (\w+): from=%s," % re.escape(sender))
        return wait_for("a queue id", lambda: next((m[1] for m in map(told.search, self.lines()[known:]) if m), None))

    def variant(self, name, *edits):
        """Another sendmail.cf, with EDITS (old, new) made to it: a guard removed. Its path."""
        with open(self.cf) as f:
            text = f.read()
        for old, new in edits:
            assert old in text, old
            text = text.replace(old, new)
        return self.space.write("sendmail/%s.cf" % name, text)

    def rebuild_aliases(self):
        run(*self.words("-bi"), env=environment())

    def rules(self, *lines):
        """What address test mode answers to LINES."""
        return subprocess.run(self.words("-bt"), env=environment(), input="\n".join(lines) + "\n", stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True).stdout

    def lines(self):
        return self.log.lines()

    def send(self, sender, rcpts, body="Hello.\r\n", headers=(), subject="world"):
        """Hands a message to the daemon; its queue id. Raises smtplib.SMTPException when Sendmail or the milter refuses."""
        with smtplib.SMTP("127.0.0.1", 25, local_hostname="client.test", timeout=60) as client:
            client.ehlo()
            return self.send_on(client, sender, rcpts, body, headers, subject)

    @staticmethod
    def send_on(client, sender, rcpts, body="Hello.\r\n", headers=(), subject="world"):
        rcpts = [rcpts] if isinstance(rcpts, str) else list(rcpts)
        lines = ["From: <%s>" % (sender or "mailer-daemon@sender.test"), "To: <%s>" % rcpts[0], "Subject: " + subject]
        lines += ["%s: %s" % header for header in headers]
        for code, text in [client.mail(sender)] + [client.rcpt(rcpt) for rcpt in rcpts]:
            if code != 250:
                raise smtplib.SMTPResponseException(code, text)
        code, text = client.data(("\r\n".join(lines) + "\r\n\r\n" + body).encode())
        if code != 250:
            raise smtplib.SMTPResponseException(code, text)
        return re.search(r"2\.0\.0 (\w+) Message accepted", text.decode())[1]

    def outcome(self, qid, rcpt, seconds=30, nth=1):
        """What became of the message's NTH try for RCPT; awaited in the log."""
        return wait_for("a delivery status of %s to %s" % (qid, rcpt), lambda: self.find_outcome(qid, rcpt, nth), seconds, 0.05)

    def find_outcome(self, qid, rcpt, nth=1):
        line = re.compile(r" %s: to=(\S+), .*?(?:relay=(\S+).*?, )?dsn=([\d.]+), (?:reply=.*?, )?stat=(.*)$" % qid)
        for found in filter(None, map(line.search, self.lines())):
            if rcpt.lower() in re.findall(r"<?([^<>,]+)>?", found[1].lower()):
                nth -= 1
                if nth == 0:
                    status = status_of(found[3], found[4])
                    return Outcome(qid, rcpt, status, found[3], found[4], found[2] or "")
        return None

    def bounce_of(self, qid, seconds=30):
        """The queue id of the non-delivery message made for QID."""
        return wait_for("a bounce of " + qid, lambda: next(
            (m[1] for m in (re.search(r" %s: (\w+): (?:DSN|return to sender)" % qid, line) for line in self.lines()) if m), None),
            seconds, 0.05)
