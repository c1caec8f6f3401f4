"""The instances postfix-enforced and postfix-verified of contrib/postfix-header-routing beside the world's Postfix, and accounts
for local mail. Call private_places() before World(): instances lie in /etc, /var/spool and /var/lib, where Space() covers one
folder only.
"""
import collections
import glob
import os
import re
import shutil
import subprocess

from .space import ROOT, run
from .waiting import wait_for

WIRING = os.path.join(ROOT, "contrib", "postfix-header-routing")
MODES = ("enforced", "verified")
HOMES = "/home"


def private_places():
    """Puts memory over the places where instances and accounts lie; /etc is a copy. All of it ends with the room."""
    etc = "/mnt"
    run("mount", "-t", "tmpfs", "-o", "mode=0755", "tlsmode", etc)
    run("cp", "-a", "/etc/.", etc)
    run("mount", "--move", etc, "/etc")
    for folder in glob.glob("/etc/postfix-*"):
        shutil.rmtree(folder)  # the machine's own instances, in our copy
    for place in ("/var/spool", "/var/lib", "/var/mail", HOMES):
        os.makedirs(place, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "mode=0755", "tlsmode", place)
    for folder in ("/var/spool/postfix", "/var/lib/postfix"):
        os.mkdir(folder)
    os.chmod("/var/mail", 0o1777)


def account(name, number):
    """A person with a mailbox: Postfix delivers to /var/mail/NAME."""
    with open("/etc/passwd", "a") as passwd, open("/etc/group", "a") as group:
        passwd.write("%s:x:%d:%d::%s/%s:/bin/sh\n" % (name, number, number, HOMES, name))
        group.write("%s:x:%d:\n" % (name, number))
    os.mkdir("%s/%s" % (HOMES, name))
    os.chown("%s/%s" % (HOMES, name), number, number)


def mailbox(name):
    """The messages in a person's mailbox, one text each."""
    try:
        with open("/var/mail/" + name, errors="replace") as box:
            return re.split(r"^(?=From \S+  )", box.read(), flags=re.M)[1:]
    except FileNotFoundError:
        return []


def setup(*words):
    """contrib/postfix-header-routing/setup: (exit status, what it said)."""
    done = subprocess.run([WIRING + "/setup", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


class Seconds:
    """Both strict instances of a world whose Postfix is configured."""

    def __init__(self, world):
        self.world = world

    def apply(self):
        status, text = setup("--apply")
        if status:
            raise RuntimeError("setup --apply: %d: %s" % (status, text))
        return text

    def start(self, *modes):
        for mode in modes or MODES:
            run("postmulti", "-i", "postfix-" + mode, "-p", "start")
            wait_for("postfix-%s to run" % mode, lambda m=mode: self.runs(m), 20)

    def stop(self, *modes):
        for mode in modes or MODES:
            if self.runs(mode):
                run("postmulti", "-i", "postfix-" + mode, "-p", "stop")

    @staticmethod
    def runs(mode):
        return subprocess.run(["postfix", "-c", "/etc/postfix-" + mode, "status"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0


Delivery = collections.namedtuple("Delivery", "instance service qid rcpt orig relay dsn status text")
STATUS = re.compile(r" (postfix[^/\s]*)/(\S+)\[\d+\]: (\w+): to=<(.*?)>, (?:orig_to=<(.*?)>, )?relay=(.*?), .*"
                    r"dsn=([\d.]+), status=(\w+) \((.*)\)$")
ONWARD = re.compile(r"(?:queued as|forwarded as|notification:) (\w+)\)?$")


class Journey:
    """All that became of a message, through both instances, local(8)'s forwarding and bounces, as far as the log tells."""

    def __init__(self, lines, qid):
        self.ids, self.deliveries, self.settled = [qid], [], True
        for number in self.ids:  # grows while we walk
            self.follow([line for line in lines if "]: %s: " % number in line])

    def follow(self, lines):
        count, removed, tried = 0, False, []
        for line in lines:
            queued = re.search(r"qmgr\[\d+\]: \w+: from=<.*>, size=\d+, nrcpt=(\d+)", line)
            count = int(queued[1]) if queued else count
            status = STATUS.search(line)
            if status:
                delivery = Delivery(status[1], status[2], *status.groups()[2:])
                self.deliveries.append(delivery)
                tried.append(delivery)
            self.onward(line, bool(status) and "relay=127.0.0.1[" in line)
            removed |= line.endswith(": removed")
        # local(8) says of each address of an alias what became of it, too
        own = [d for d in tried if not any(d.orig == other.rcpt for other in tried)]
        statuses = {d.status for d in own}
        told = "bounced" not in statuses or any(" notification: " in line for line in lines)
        self.settled &= removed or ("deferred" in statuses and 0 < count <= len(own) and told)

    def onward(self, line, to_us):
        """Queue ids of ours that follow from this line; a receiver's own "queued as" is not one."""
        found = ONWARD.search(line)
        if found and (to_us or "queued as" not in line) and found[1] not in self.ids:
            self.ids.append(found[1])

    def of(self, rcpt, instance):
        """The deliveries to RCPT that INSTANCE tried."""
        return [d for d in self.deliveries if d.rcpt == rcpt and d.instance == instance]

    def ends(self, rcpt, instance):
        return [(d.dsn, d.status) for d in self.of(rcpt, instance)]

    def by_service(self):
        return {(d.service, d.status) for d in self.deliveries}


def journey(postfix, qid, seconds=60):
    """The whole journey of QID once every recipient has a status."""
    def look():
        found = Journey(postfix.lines(), qid)
        return found if found.settled else None
    return wait_for("the end of the journey of " + qid, look, seconds, 0.1)
