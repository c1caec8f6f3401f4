"""Sendmail in the laboratory: its tables made from the table of routes, its outcomes from its log."""
import collections
import os
import re

from world import sendmail
from world.waiting import Late, wait_for

from . import receivers
from .oracle import Outcome
from .routes import HOUSE, KEEPER
from .submit import submit

ROUTES = ("mx", "transport", "multi", "sendmail", "alias")  # relayhost by sender and virtual aliases are Postfix's own
CONNECTED = re.compile(r"\[(\d+)\]: STARTTLS=client, relay=(\S+), version=(\S+), verify=(\w+),")
STATUS = re.compile(r"\[(\d+)\]: (\w+): to=(\S+?), (.*?)(?:relay=(\S+).*?, )?dsn=([\d.]+), (?:reply=.*?, )?stat=(.*)$")


class Log:
    """OUTCOMES: local part of the recipient in lower case -> [Outcome]. Sendmail tells no name of an authenticated certificate,
    only that its chain is good: "Verified" is as much as its log can say."""

    def __init__(self, lines):
        self.lines, self.at = lines, 0
        self.outcomes = collections.defaultdict(list)
        self.tls = {}  # process -> (relay, version, trust)

    def refresh(self):
        lines = self.lines()
        for line in lines[self.at:]:
            self.take(line)
        self.at = len(lines)

    def take(self, line):
        connected = CONNECTED.search(line)
        if connected:
            trust = "Verified" if connected[4] in ("OK", "TRUSTED") else "Untrusted"
            self.tls[connected[1]] = (connected[2].rstrip("."), connected[3], trust)
            return
        status = STATUS.search(line)
        if not status or status[6][0] not in "245":
            return
        process, _, rcpts, _, relay, dsn, text = status.groups()
        last, version, trust = self.tls.get(process, ("", "", ""))
        if dsn[0] != "2" or not relay or last != relay.rstrip("."):
            version = trust = ""
        for rcpt in rcpts.split(","):
            key = rcpt.strip("<>").rpartition("@")[0].lower()
            self.outcomes[key].append(Outcome(sendmail.status_of(dsn, text), dsn, text, trust, version))


class SendmailMta:
    """LETTERS: all that will ever be sent (aliases are made for them)."""

    def __init__(self, w, letters, **defines):
        self.w, self.letters = w, letters
        table = w.space.path("sendmail", "mailertable")
        features = ["FEATURE(`use_cw_file')dnl", "FEATURE(`mailertable', `text -k0 -v1 %s')dnl" % table]
        self.mta = sendmail.Sendmail(w.space, w.ca.cert, lines=features, **defines)
        self.mta.configure()
        self.log = None

    def start(self):
        used = [receivers.BY_NAME[name] for name in sorted({letter.receiver.name for letter in self.letters})]
        self.table("mailertable", ["%s.hop.test esmtp:%s" % (r.name, r.hop()) for r in used])
        box = self.w.space.path("box", "x")[:-2]
        os.chmod(box, 0o777)
        expand = [letter for letter in self.letters if letter.route.name == "alias"]
        self.table("aliases", ["%s: %s/mbox" % (KEEPER, box)] + [
            "%s: %s" % (letter.rcpts[0].partition("@")[0], letter.target) for letter in expand])
        self.table("local-host-names", [HOUSE])
        self.mta.rebuild_aliases()
        self.log = Log(self.mta.lines)
        self.mta.start()

    def table(self, name, lines):
        self.w.space.write("sendmail/" + name, "\n".join(lines) + "\n")

    @property
    def title(self):
        return "Sendmail " + self.mta.version

    @property
    def honours(self):
        """"tlsa": that there are TLSA records, without what they say."""
        return ("sts", "match", "dane" if self.mta.has_dane else "tlsa")

    def submit(self, letters):
        submit(letters, sendmail=["env", "LD_LIBRARY_PATH=" + sendmail.environment()["LD_LIBRARY_PATH"], *self.mta.words()])

    def outcomes(self, key):
        self.log.refresh()
        return self.log.outcomes[key]

    def await_outcomes(self, keys, nth=1, seconds=120):
        """Until every one of KEYS has NTH outcomes; those that have not in time."""
        late = set(keys)

        def all_told():
            self.log.refresh()
            late.difference_update([key for key in late if len(self.log.outcomes[key]) >= nth])
            return not late
        try:
            wait_for("the outcomes", all_told, seconds, 0.1)
        except Late:
            pass
        return late

    def flush(self):
        self.mta.run_queue()
