"""Postfix's log, read once as it grows: every delivery attempt by recipient, with the TLS line of the same smtp process
before it."""
import collections
import re

from .oracle import Outcome

TLS = re.compile(r"\[(\d+)\]: (\w+) TLS connection (?:established|reused) to (\S+?):\d+: (\S+)")
LOST = re.compile(r"smtp\[(\d+)\]: \w+: (?:lost connection|conversation) with ")
STATUS = re.compile(r"postfix/(\S+)\[(\d+)\]: (\w+): to=<(.*?)>, (?:orig_to=<.*?>, )?relay=(.*?), .*?dsn=([\d.]+), "
                    r"status=(\w+) \((.*)\)$")


class Log:
    """OUTCOMES: local part of the recipient in lower case -> [Outcome]; SERVICES: the same -> [service of the attempt]."""

    def __init__(self, path):
        self.path, self.at, self.rest = path, 0, b""
        self.outcomes, self.services = collections.defaultdict(list), collections.defaultdict(list)
        self.tls = {}  # smtp process -> [trust, version, peer, queue id of the message it carried]

    def refresh(self):
        with open(self.path, "rb") as log:
            log.seek(self.at)
            text = self.rest + log.read()
            self.at = log.tell()
        *lines, self.rest = text.split(b"\n")
        for line in lines:
            self.take(line.decode("utf-8", "replace"))

    def take(self, line):
        connected = TLS.search(line)
        if connected:
            self.tls[connected[1]] = [connected[2], connected[4], connected[3], None]
            return
        status = STATUS.search(line)
        if not status:
            lost = LOST.search(line)
            if lost:  # what follows is another connection, perhaps in the clear
                self.tls.pop(lost[1], None)
            return
        service, process, qid, rcpt, relay, dsn, word, text = status.groups()
        trust, version = self.protection(process, qid, relay)
        if word != "sent":
            trust = version = ""
        key = rcpt.rpartition("@")[0].lower()
        self.outcomes[key].append(Outcome(word, dsn, text, trust, version))
        self.services[key].append(service)

    def protection(self, process, qid, relay):
        """(trust, version) of the connection that carried message QID; a line of an earlier message says nothing."""
        line = self.tls.get(process)
        if not line or not relay.startswith(line[2]) or line[3] not in (None, qid):
            return "", ""
        line[3] = qid
        return line[0], line[1]

    def forget(self):
        """From here on as if nothing had been told."""
        self.refresh()
        self.outcomes.clear()
        self.services.clear()
