"""What the tests of the traps share: services with one guard taken away, fresh messages, and the receivers' own word.

A trap is shown twice with the real Postfix: with the guard removed a receiver sees the message in the clear (or on a connection
that proves nothing), with the guard none does. So that both fit in one running Postfix, a service without its guard is a clone of
ours under another name, and a sender is led to it by its `via` setting: "bare" makes bare, bare-enforced and bare-verified.
"""
import collections
import os
import re
import subprocess

from world.daemons import MILTER_ID, QUEUE_SOCKETS, confuse, merged
from world.postfix import Postfix, version
from world.procs import Program
from world.space import run
from world.waiting import wait_for

__all__ = ["CLOSED", "MODES", "OPEN", "PROVEN", "Mail", "Traps", "another_milter", "clone", "homes", "inline", "reload",
           "service", "settings", "start_postfix", "version"]
Mail = collections.namedtuple("Mail", "sender rcpt qid")
OPEN, CLOSED, PROVEN = "open.test", "closed.test", "proven.test"
MODES = {OPEN: "opportunistic", CLOSED: "enforced", PROVEN: "verified"}
SUFFIXES = {"opportunistic": "", "enforced": "-enforced", "verified": "-verified"}
RECEIVERS = "127.0.2."  # their addresses begin so
PID_FILE = "/var/spool/postfix/pid/master.pid"


def homes(w, *domains):
    """Senders' domains; one receiver takes all their bounces."""
    home = w.receiver("mx.home.test")
    w.zone("home.test", signed=False).set("mx", "A", home.address)
    for domain in domains:
        w.zone(domain, signed=False).set("@", "MX", "10 mx.home.test.")


def options_text(options):
    return "".join("\n  -o { %s = %s }" % option for option in options.items())


def service(name, program="smtp", kind="unix", chroot="y", maximum="-", **options):
    """A line of master.cf. KIND "unix-public": a unix socket for the other services of everybody, as cleanup(8) has it."""
    private = "n" if kind in ("inet", "unix-public") else "-"
    columns = (name, kind.partition("-")[0], private, "-", chroot, "-", maximum, program)
    return " ".join(columns) + options_text(options) + "\n"


def clone(original, name, without=(), chroot="y", **options):
    """Our service ORIGINAL under another NAME: the options WITHOUT are gone, OPTIONS added or changed."""
    have = {}
    for line in run("postconf", "-P", original + "/unix/*").splitlines():
        key, _, value = (part.strip() for part in line.partition("="))
        have[key.rpartition("/")[2]] = value
    missing = [option for option in without if option not in have]
    if missing:
        raise RuntimeError("%s has no %s: there is no guard to remove" % (original, missing))
    have.update(syslog_name="postfix/" + name, **options)
    return service(name, chroot=chroot, **{key: value for key, value in have.items() if key not in without})


def start_postfix(w, services, **main_cf):
    """Postfix with the wiring, and what SERVICES() adds to master.cf (asked when the wiring is in place)."""
    w.postfix = Postfix(w.space, w.ca.cert, **main_cf)
    w.postfix.configure()
    text = "".join(services())
    with open("/etc/postfix/master.cf", "a") as master:
        master.write(text)
    w.postfix.start()


def inline(rows):
    """A fixed table as Postfix reads it from main.cf."""
    return "inline:{ %s }" % ", ".join("{ %s = %s }" % row for row in rows.items())


def settings(w, modes, led=()):
    """The senders' modes, awaited. LED: those that have a family of services, too: domain -> (mode, family)."""
    rows = [(domain, mode, None) for domain, mode in modes.items()] + [(domain, *how) for domain, how in dict(led).items()]
    for domain, mode, family in rows:
        w.redis.cli("HSET", "tlsmode:sender:" + domain, "mode", mode, *(["via", family] if family else []))
    for domain, mode, family in rows:
        transport = (family or ("smtp" if SUFFIXES[mode] else "")) + SUFFIXES[mode]
        want = "OK %s:" % transport if transport else "NOTFOUND "
        wait_for("the mode of " + domain, lambda d=domain, a=want: w.ask("transport", "x@" + d) == a)


def children(master):
    """The processes of a running Postfix."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as stat:
                if stat.read().rpartition(")")[2].split()[1] == master:
                    found.add(pid)
        except OSError:
            pass  # it has just ended
    return found


def reload(w, **main_cf):
    """main.cf changed and in force: back when no process of before is left (each ends when it is idle)."""
    w.postfix.set(**main_cf)
    with open(PID_FILE) as pid:
        master = pid.read().strip()
    before = children(master)
    w.postfix.reload()
    wait_for("the end of the processes of before", lambda: not before & children(master), 60)


def another_milter(w, name, **options):
    """A second tlsmode-milter with other options, at unix:tlsmode/NAME.sock; it is the caller's to stop."""
    path = "%s/%s.sock" % (QUEUE_SOCKETS, name)
    conf = merged(w.daemons.conf, {"user": "", "milter": {"listen": "unix:" + path, **options}})
    words = [w.daemons.program("tlsmode-milter"), "-f", "-c", w.space.write(name + ".conf", confuse(conf))]
    program = Program(w.space, name, words, (MILTER_ID, MILTER_ID, (os.stat(QUEUE_SOCKETS).st_gid,)))
    wait_for("the milter " + name, lambda: program.insist() and os.path.exists(path), 20)
    return program


class Traps:
    """Messages with fresh addresses, and what became of each."""

    def __init__(self, tap, w):
        self.tap, self.w, self.count, self.known = tap, w, 0, set()

    def send(self, sender, domain, **more):
        """A message from a fresh address at SENDER to a fresh one at DOMAIN."""
        self.count += 1
        mail = Mail("s%d@%s" % (self.count, sender), "r%d@%s" % (self.count, domain), None)
        return mail._replace(qid=self.w.postfix.send(mail.sender, mail.rcpt, **more))

    def outcome(self, mail, nth=1):
        return self.w.postfix.outcome(mail.qid, mail.rcpt, nth=nth)

    def seen(self, mail, seconds=30):
        """(receiver, "in the clear" or "over TLS") by the receiver's own word; None when none saw it in that time."""
        came = self.w.sinks.await_event(lambda e: e["event"] == "message" and mail.rcpt in e["rcpts"], seconds)
        return (came["sink"], "over TLS" if came["tls"] else "in the clear") if came else None

    def arrives(self, name, mail, at, how="in the clear", host="mx"):
        """The message was taken by receiver HOST.AT, and so."""
        self.known.add(mail.rcpt)
        return self.tap.equal(self.seen(mail), (host + "." + at, how), name,
                              self.w.postfix.find_outcome(mail.qid, mail.rcpt, 1))

    def leaks(self, trap, guard, mail, at, how="in the clear", host="mx"):
        """Shows the trap. HOW "over TLS": a receiver that proves nothing took what needed a proof."""
        self.arrives("trap %s: without %s it leaks (seen at the receiver)" % (trap, guard), mail, at, how, host)

    def stays(self, name, mail, status, dsn):
        """The message ended as STATUS, and no receiver had it."""
        got = self.outcome(mail)
        self.tap.equal((got.status, got.dsn, self.seen(mail, 0)), (status, dsn, None), name, got)

    def closed(self, trap, mail, status="bounced", dsn="5.7.10"):
        self.stays("trap %s: closed" % trap, mail, status, dsn)

    def refused(self, name, rcpt):
        """Whatever new message it is in by then, it ends as the sender's mode demands, and no receiver had it."""
        line = re.compile(r": to=<%s>, .*relay=\S+\[%s\d+\]\S*, .*status=" % (re.escape(rcpt), re.escape(RECEIVERS)))
        last = wait_for("the end of " + rcpt, lambda: [text for text in self.w.postfix.lines() if line.search(text)], 30)[-1]
        self.tap.ok(", dsn=5.7.10, status=bounced" in last and not self.seen(Mail("", rcpt, None), 0), name, last)

    def named(self, *wanted):
        """tlsmode doctor finds this installation's traps; WANTED: ids of its rules, in tlsmode(1)."""
        words = [self.w.daemons.program("tlsmode"), "-c", self.w.space.path("tlsmode.conf"), "doctor"]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        found = set(re.findall(r"^(?:error|warning) ([a-z-]+):", done.stdout, re.MULTILINE))
        self.tap.equal((sorted(set(wanted) - found), done.returncode != 0), ([], True),
                       "tlsmode doctor names them: " + ", ".join(wanted), done.stdout, done.stderr)

    def nothing_else(self):
        """Over the whole run: only what was to be shown was seen in the clear. Bounces are outside the promise."""
        clear = {rcpt for e in self.w.sinks.messages() for rcpt in e["rcpts"] if e["sender"] and not e["tls"]}
        self.tap.equal(sorted(clear - self.known), [], "no other message was seen in the clear")
