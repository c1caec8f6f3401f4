"""The messages of the laboratory. Each has a number that its addresses, its subject and its body carry, so that it is known again
wherever it turns up, also in pieces.

    r17, s17    local parts of recipient and sender          lab-17-   in the subject          secret-17-   in the body
"""
import re

from . import receivers
from .expect import expected
from .routes import HOUSE, KEEPER

MARK = re.compile(rb"(?:lab|secret)-(\d+)-")


class Letter:
    """One message of a combination to its receiver. MODE: of its sender when it is tried."""

    def __init__(self, number, combo, round=1, addresses=None):
        self.number, self.round = number, round
        self.addresses = addresses or number  # of the letter with the same addresses
        self.receiver, self.sender, self.route = combo
        self.mode = self.route.keeps if self.route.own else self.sender.mode
        self.refusal = None  # (code, text) when the MTA did not take it
        self.companion = Companion(self) if self.route.multi else None

    @property
    def name(self):
        return "%s/%s/%s" % (self.receiver.name, self.sender.name, self.route.name)

    @property
    def title(self):
        return self.name + (" message %d" % self.round if self.route.rounds > 1 else "")

    @property
    def stage(self):
        """Strict null senders have a stage of their own: the setting of `<>` is everybody's."""
        return "null" if self.sender.strict_null and self.route.stage == "base" else self.route.stage

    @property
    def key(self):
        return "r%d" % self.addresses

    @property
    def envelope_from(self):
        local = "s%d" % self.addresses
        return self.sender.envelope(local + ".via." + self.receiver.name if self.route.by_sender else local)

    @property
    def target(self):
        """The address in the end, after aliases."""
        if self.route.name in ("alias", "virtual"):
            return self.receiver.recipient(self.key).replace(self.receiver.shown, self.receiver.domain)
        return self.route.rcpt(self.receiver, self.key)

    @property
    def local_copy(self):
        """The local recipient of a message to several, or None."""
        return "%s+%d@%s" % (KEEPER, self.addresses, HOUSE) if self.route.multi else None

    @property
    def rcpts(self):
        to = [self.route.rcpt(self.receiver, self.key)]
        return to + [self.local_copy, self.companion.target] if self.companion else to

    def keys(self):
        """Local parts of everybody whose outcome is awaited."""
        return [self.key] + ([self.companion.key, self.local_copy.partition("@")[0]] if self.companion else [])

    def text(self):
        header_from = self.sender.header_from or self.envelope_from or "mailer-daemon@%s" % HOUSE
        return ("From: <%s>\r\nTo: <%s>\r\nSubject: lab-%d- %s\r\n\r\nsecret-%d- of %s\r\n" % (
            header_from, self.rcpts[0], self.number, self.name, self.number, self.name)).encode()

    @property
    def refused(self):
        """The milter does not take it."""
        return self.sender.refused or (self.route.guarded and self.sender.mode != "opportunistic")

    def expectation(self, honours):
        return expected(self.receiver, self.mode, honours, self.refused)


class Companion:
    """The other remote recipient of a message to several: always the receiver with a valid certificate."""

    def __init__(self, letter):
        self.letter, self.sender = letter, letter.sender
        self.receiver = receivers.BY_NAME["valid"]
        self.key = "g%d" % letter.addresses
        self.target = self.receiver.recipient(self.key)
        self.number, self.title, self.refusal = None, letter.title + ", other recipient", None

    @property
    def mode(self):
        return self.letter.mode

    def expectation(self, honours):
        return expected(self.receiver, self.mode, honours, self.letter.refused)


def write(combos):
    """The letters of COMBOS in order; the second of a route with the same addresses follows its first."""
    letters = []
    for combo in combos:
        first = None
        for round in range(1, combo[2].rounds + 1):
            letters.append(Letter(len(letters) + 1, combo, round, first if combo[2].same_addresses else None))
            first = first or letters[-1].number
    return letters
