#!/usr/bin/python3
"""The delivery laboratory: every receiver, every sender, every route (tests/lab), and the receivers' own log as the oracle.

TLSMODE_LAB=full runs every combination, the default is a slice in which each pair of two occurs.
TLSMODE_LAB_ONLY=RECEIVER/SENDER/ROUTE runs those ("*" for all of a kind, commas between several).
"""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import combos, senders  # noqa: E402
from lab.letters import write  # noqa: E402
from lab.postfix_mta import PostfixMta  # noqa: E402
from lab.runner import Lab  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

MILTER = {"identity": ["envelope", "auth"], "on_mismatch": "reject"}
SECONDS = 60  # Postfix remembers a transport for 30


class Canary:
    """A message that is sent again and again with the same addresses, to a receiver where it is safe in every mode: Postfix
    remembers the transport of two addresses for up to 30 seconds."""

    def __init__(self, lab):
        self.lab, self.sent = lab, 0
        self.letter = write(combos.named("valid/enforced/mx"))[0]
        self.letter.addresses = self.letter.number = 999999

    def send(self):
        self.lab.mta.submit([self.letter])
        self.sent = len(self.lab.mta.outcomes(self.letter.key)) + 1
        self.lab.mta.await_outcomes([self.letter.key], self.sent)

    def await_service(self, service):
        began = time.monotonic()

        def there():
            self.send()
            return self.lab.mta.service(self.letter.key) == service
        wait_for("a message on " + service, there, SECONDS, 0.5)
        self.lab.tap.note("Postfix went the new way %.1f s after the change" % (time.monotonic() - began))


def base(lab, letters):
    lab.modes(senders.HOMES)
    lab.run(letters)


def null(lab, letters):
    """The null sender is enforced, and with it every bounce."""
    lab.modes(senders.HOMES, "enforced")
    lab.run(letters)
    lab.modes(senders.HOMES)


def strict_relay(lab, letters):
    """What tlsmode doctor asks for where there are relay_domains: one transport that keeps every sender's mode."""
    lab.run(letters)


def guarded(lab, letters):
    """The milter refuses recipients whose transport does not keep the mode."""
    lab.milter(on_escape="reject")
    lab.run(letters)
    lab.milter(on_escape="accept")


def cache(lab, letters):
    """Connections are kept open: second messages find those of the first, of their own service only."""
    lab.watch.forget()
    for group in by_round(letters):
        lab.run(group)
    family = {letter.key: (letter.mode, letter.sender.name == "via") for letter in letters}
    shared = [keys for keys in lab.watch.carried.values() if len([key for key in keys if key in family]) > 1]
    mixed = [keys for keys in shared if len({family[key] for key in keys if key in family}) > 1]
    lab.tap.ok(shared, "%d connections carried several messages" % len(shared), "none, although the cache is on")
    lab.tap.equal(mixed, [], "none of them messages of two modes or families")


def flip(lab, letters):
    """The same addresses before and after a change of mode, and what waited through the change."""
    first, second = by_round(letters)
    before = {home: senders.BEFORE[mode] for home, mode in senders.HOMES.items()}
    flip_to(lab, before, None, first)
    lab.deliver(first)
    canary = Canary(lab)
    canary.send()
    waiting = [letter for letter in first if lab.waits(letter)]
    lab.judge([letter for letter in first if letter not in waiting or not lab.may_be_delivered(letter)])
    lab.forget()
    flip_to(lab, senders.HOMES, "enforced", waiting + second)
    canary.await_service("enforced/smtp")
    lab.try_again(waiting)
    lab.judge(waiting, " that waited")
    lab.mta.empty()
    lab.forget()
    lab.run(second)
    lab.modes(senders.HOMES)


def flip_to(lab, modes, strict_null, letters):
    lab.modes(modes, strict_null)
    for letter in letters:
        letter.mode = (strict_null if letter.sender.null else modes[letter.sender.home]) or "opportunistic"


def by_round(letters):
    """The first messages, the second messages."""
    return [[letter for letter in letters if letter.round == number] for number in (1, 2)]


STAGES = (("base", base), ("null", null), ("strict-relay", strict_relay), ("guarded", guarded), ("cache", cache), ("flip", flip))


def self_check(lab):
    """The wiring broken on purpose: the oracle must cry leak, else all of the above says nothing."""
    letters = write(combos.named("plain/enforced/mx,plain/verified/mx,selfsigned/verified/mx,plain/subaddress/mx"))
    for letter in letters:
        letter.addresses = letter.number = letter.number + 1000000
    lab.mta.break_wiring()
    lab.mta.submit(letters)
    lab.mta.await_outcomes([letter.key for letter in letters])
    lab.watch.refresh()
    for letter in letters:
        faults = lab.faults(letter)
        lab.tap.ok(any("LEAK" in fault for fault in faults),
                   "with the guard removed %s leaks, and the oracle says so" % letter.name, *faults)


def test(tap):
    letters = write(combos.chosen(tap.note))
    with World("e2e-lab") as w:
        lab = Lab(tap, w, letters, PostfixMta(w, letters))
        lab.start(milter=MILTER)
        for name, stage in STAGES:
            mine = [letter for letter in letters if letter.stage == name]
            if mine:
                began = time.monotonic()
                lab.mta.enter(name)
                stage(lab, mine)
                lab.mta.empty()
                lab.judge_late(mine)
                tap.note("stage %s: %d messages, %.0f s" % (name, len(mine), time.monotonic() - began))
        lab.mta.enter("base")
        self_check(lab)
        lab.table.show(tap)
        tap.equal((w.daemons.mapd.stop(), w.daemons.milter.stop()), (0, 0), "a clean end of both daemons")


main(test)
