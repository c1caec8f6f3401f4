"""The table of outcomes: a row per receiver, a column per sender mode, in each cell what happened and how often."""
import collections

from world.table import Table

from .expect import MODES

OWN = "site's own route"


def outcome_text(letter, outcomes, watch):
    """"TLSv1.3 Verified", "clear", "bounced 5.7.10", "deferred 4.7.5" or "refused 550"."""
    if letter.refusal:
        return "refused %s" % letter.refusal[0]
    if not outcomes:
        return "nothing"
    last = outcomes[-1]
    if last.status != "sent":
        return "%s %s" % (last.status, last.dsn)
    came = watch.messages[letter.key]
    return " ".join(filter(None, (came[0]["tls"], last.trust))) or "clear" if came else "sent, not seen"


class Outcomes:
    def __init__(self, title):
        self.title = title
        self.cells = collections.defaultdict(collections.Counter)
        self.rows = {}

    def add(self, letter, outcomes, watch):
        self.rows[letter.receiver.name] = letter.receiver
        column = OWN if letter.route.own else letter.mode
        self.cells[letter.receiver.name, column][outcome_text(letter, outcomes, watch)] += 1

    def show(self, tap):
        """tests/run-e2e and contrib/check pass these lines on."""
        for line in self.text().splitlines():
            tap.note("table: " + line)

    def text(self):
        columns = [c for c in list(MODES) + [OWN] if any(column == c for _, column in self.cells)]
        table = Table(self.title, *columns)
        for name, receiver in self.rows.items():
            table.add("%s: %s" % (name, receiver.label), *(self.cell(name, c) for c in columns))
        return table.text(colour=False)

    def cell(self, name, column):
        return ", ".join("%s x%d" % item for item in sorted(self.cells[name, column].items()))
