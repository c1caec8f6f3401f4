"""The oracle: what the receivers themselves saw, held against the tables. It reads no decision, no log and no setting of tlsmode.

Watch collects per message what arrived and how; judge() says what is wrong with one message. The MTA's own log comes in only
as the outcome that the MTA tells (Outcome), to be compared.
"""
import collections

from .expect import AUTHENTICATED, CLEAR, ENCRYPTED, LEVELS
from .letters import MARK

# What an MTA tells of one delivery attempt. STATUS: sent, deferred, bounced. DSN: enhanced code. TRUST: "Verified" when the
# receiver's certificate was authenticated, "" in the clear. TLS: the version, "" in the clear.
Outcome = collections.namedtuple("Outcome", "status dsn text trust tls")

REFUSAL = "5.7.10"


class Watch:
    """The receivers' events by message. refresh() reads what is new; CLEAR_MARKS are the messages of which any line, inside DATA
    or not, was seen in the clear."""

    def __init__(self, sinks):
        self.sinks = sinks
        self.at = self.clear_at = 0
        self.octets, self.messages = collections.defaultdict(list), collections.defaultdict(list)
        self.bounces = {}  # message number -> event
        self.clear_marks = collections.defaultdict(set)  # message number -> receivers
        self.carried = collections.defaultdict(list)  # connection -> recipients' local parts, message by message

    def forget(self):
        """From here on as if nothing had arrived (for messages with the same addresses)."""
        self.refresh()
        self.octets.clear()
        self.messages.clear()

    def refresh(self):
        events = self.sinks.events[self.at:]
        self.at += len(events)
        for event in events:
            self.take(event)
        lines = self.sinks.clear[self.clear_at:]
        self.clear_at += len(lines)
        for sink, line in lines:
            for number in MARK.findall(line):
                self.clear_marks[int(number)].add(sink)

    def take(self, event):
        if event["event"] not in ("octets", "message"):
            return
        for rcpt in event["rcpts"]:
            (self.octets if event["event"] == "octets" else self.messages)[rcpt.partition("@")[0]].append(event)
        if event["event"] == "message":
            self.carried[event["connection"]].append(event["rcpts"][0].partition("@")[0])
            mark = MARK.search(event["text"].encode("latin-1")) if event["sender"] == "" else None
            if mark and not any(rcpt.startswith("r") for rcpt in event["rcpts"]):
                self.bounces[int(mark[1])] = event


def level_of(event, receiver):
    """How well the connection of EVENT protected what it carried, at best: a receiver cannot see whether it was authenticated,
    but a host whose certificate proves nothing never is."""
    if not event["tls"]:
        return CLEAR
    return max(ENCRYPTED, receiver.levels().get(event["sink"], ENCRYPTED))


def leaks(letter, watch, need):
    """What reached a receiver less protected than NEED: a list of sentences."""
    found = ["LEAK: octets of DATA at %s, %s, must be %s" % (e["sink"], LEVELS[level_of(e, letter.receiver)], LEVELS[need])
             for e in watch.octets[letter.key] if level_of(e, letter.receiver) < need]
    if need > CLEAR and not found and watch.clear_marks.get(letter.number):
        found.append("LEAK: words of it in the clear at " + " ".join(watch.clear_marks[letter.number]))
    return found


def judge(letter, outcomes, watch, honours=("dane", "sts", "match"), refusal=REFUSAL):
    """What is wrong with LETTER, [] when nothing. OUTCOMES: what the MTA told of its attempts, in order; REFUSAL: the code where
    the sender's mode alone demanded what the receiver does not offer."""
    want = letter.expectation(honours)
    faults = leaks(letter, watch, want.need)
    if want.kind == "refused":
        return faults + judge_refused(letter, outcomes, watch)
    if letter.refusal:
        return faults + ["not taken: %s %s" % letter.refusal]
    if not outcomes:
        return faults + ["no outcome in the log"]
    return faults + {"delivered": judge_delivered, "bounced": judge_bounced, "deferred": judge_deferred}[want.kind](
        letter, outcomes, watch, want, refusal)


def judge_refused(letter, outcomes, watch):
    faults = [] if letter.refusal and str(letter.refusal[0]).startswith("5") else ["taken, must be refused for good"]
    return faults + ["a refused message went out"] * bool(outcomes or watch.octets[letter.key])


def judge_delivered(letter, outcomes, watch, want, _):
    last, came = outcomes[-1], watch.messages[letter.key]
    if last.status != "sent" or len(came) != 1:
        return ["must be delivered: %s, seen %d times" % (told(last), len(came))]
    faults, host = [], letter.receiver.levels().get(came[0]["sink"], ENCRYPTED)
    if came[0]["tls"] != last.tls:
        faults.append("log and receiver disagree: %r and %r" % (last.tls, came[0]["tls"]))
    if want.need == AUTHENTICATED and last.trust != "Verified":
        faults.append("must be authenticated, the log says %r" % last.trust)
    if host > CLEAR and not came[0]["tls"]:
        faults.append("in the clear to a host that could TLS")
    return faults


def judge_bounced(letter, outcomes, watch, want, refusal):
    first = outcomes[0]
    faults = [] if (first.status, first.dsn) == ("bounced", refusal) else ["must be bounced %s: %s" % (refusal, told(first))]
    return faults + ["seen by a receiver"] * bool(watch.octets[letter.key])


def judge_deferred(letter, outcomes, watch, want, _):
    faults = ["must wait: " + told(o) for o in outcomes if o.status != "deferred" or not o.dsn.startswith("4.")]
    seen = (watch.messages if letter.receiver.breaks else watch.octets)[letter.key]
    return faults + ["seen by a receiver"] * bool(seen)


def judge_bounce(letter, watch):
    """The non-delivery message of LETTER, at its sender's home: why, the header, never the body of a strict sender's mail."""
    unguarded = letter.route.own and letter.sender.mode == "opportunistic"
    event = watch.bounces.get(letter.number)
    if event is None:
        return ["no bounce came home"]
    text = event["text"]
    return [fault for fault, wrong in (
        ("the bounce does not say " + REFUSAL, REFUSAL not in text),
        ("the bounce lacks the header", "lab-%d-" % letter.number not in text),
        ("LEAK: the bounce carries the body", not unguarded and "secret-%d-" % letter.number in text)) if wrong]


def told(outcome):
    return "%s %s (%s)" % (outcome.status, outcome.dsn, outcome.text)
