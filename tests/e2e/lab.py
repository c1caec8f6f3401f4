#!/usr/bin/python3
"""The delivery laboratory: every receiver, every sender, every route (tests/lab), and the receivers' own log as the oracle.

TLSMODE_LAB=full runs every combination, the default is a slice in which each pair of two occurs.
TLSMODE_LAB_ONLY=RECEIVER/SENDER/ROUTE runs those ("*" for all of a kind, commas between several).
"""
import contextlib
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import combos, oracle, outcomes, receivers, senders  # noqa: E402
from lab.letters import write  # noqa: E402
from lab.postfix_mta import POOL_ADDRESS, PostfixMta  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import Late, wait_for  # noqa: E402
from world.world import World  # noqa: E402

MILTER = {"identity": ["envelope", "auth"], "on_mismatch": "reject"}
SECONDS = 60  # Postfix remembers a transport for 30
TRYING = 20  # until Postfix must have fallen back to clear text where that is allowed


def chosen(tap):
    if os.environ.get("TLSMODE_LAB_ONLY"):
        return combos.named(os.environ["TLSMODE_LAB_ONLY"])
    every = combos.every()
    if os.environ.get("TLSMODE_LAB") == "full":
        tap.note("all %d combinations" % len(every))
        return every
    some = combos.pairwise(every)
    tap.note("%d of %d combinations, every pair of two among them, seed %d; TLSMODE_LAB=full runs all" % (
        len(some), len(every), combos.SEED))
    return some


class Lab:
    def __init__(self, tap, w, letters):
        self.tap, self.w, self.letters = tap, w, letters
        self.mta = PostfixMta(w, letters)
        self.watch = oracle.Watch(w.sinks)
        self.table = None

    def start(self):
        needed = {letter.receiver.name for letter in self.letters} | {"valid", "plain", "selfsigned"}
        receivers.publish(self.w, [name for name in receivers.BY_NAME if name in needed])
        senders.publish(self.w)
        self.w.start(conf={"milter": MILTER}, postfix=False)
        self.mta.start()
        self.table = outcomes.Outcomes(self.mta.title)
        receivers.settings(self.w, needed)
        self.modes(senders.HOMES)

    def modes(self, modes, null=None):
        """These modes, and that of the null sender, in force."""
        senders.settings(self.w, {**modes, "<>": null})
        for domain, mode in {**modes, "<>": null}.items():
            want = "OK %s" % mode if mode else "NOTFOUND "
            wait_for("the mode of " + domain, lambda d=domain, t=want: self.w.ask("mode", d) == t)

    def milter(self, **options):
        """The milter started again with other options."""
        self.w.daemons.milter.stop()
        self.w.daemons.write(milter=options)
        self.w.daemons.start_milter()

    def run(self, letters):
        """Sends them, tries again what waits, and judges."""
        self.deliver(letters)
        self.try_again(letters)
        self.judge(letters)

    def deliver(self, letters):
        self.mta.submit(letters)
        self.mta.await_outcomes([key for letter in letters if not letter.refusal for key in keys(letter)])

    def try_again(self, letters):
        """Everything that waits is tried a second time; what may be delivered until it is (Postfix's own fall back to clear text
        comes a second after the first try)."""
        began = time.monotonic()
        waiting = [letter for letter in letters if self.waits(letter)]
        while waiting:
            tries = {letter: len(self.mta.outcomes(letter.key)) + 1 for letter in waiting}
            self.mta.flush()
            for letter, nth in tries.items():
                self.mta.await_outcomes([letter.key], nth)
            waiting = [letter for letter in waiting if self.waits(letter) and self.may_be_delivered(letter)
                       and time.monotonic() < began + TRYING]

    def may_be_delivered(self, letter):
        return letter.expectation(self.mta.honours).kind == "delivered"

    def forget(self):
        self.watch.forget()
        self.mta.log.forget()

    def waits(self, letter):
        return self.mta.outcomes(letter.key) and self.mta.outcomes(letter.key)[-1].status == "deferred"

    def judge(self, letters, how=""):
        for letter in letters:
            self.watch.refresh()
            told = self.mta.outcomes(letter.key)
            faults = oracle.judge(letter, told, self.watch, self.mta.honours) + self.beside(letter, told)
            self.table.add(letter, told, self.watch)
            self.tap.ok(not faults, "%s%s: %s" % (letter.title, how, letter.expectation(self.mta.honours).kind), *faults,
                        *(["again: TLSMODE_LAB_ONLY=%s tests/run-e2e lab" % letter.name]))

    def beside(self, letter, told):
        """What else is promised of this message: its other recipients, its transport family, its bounce."""
        faults = []
        if letter.companion and not letter.refusal:
            faults += ["other recipient: " + fault for fault in oracle.judge(
                letter.companion, self.mta.outcomes(letter.companion.key), self.watch, self.mta.honours)]
            local = self.mta.outcomes(letter.local_copy.partition("@")[0])
            faults += [] if [o.status for o in local] == ["sent"] else ["local recipient: %s" % local]
        if letter.sender.name == "via" and not letter.route.own and not letter.receiver.stripped:
            came = {e["peer"] for e in self.watch.octets[letter.key]}
            faults += ["it came from %s, not from its family's address" % came] if came - {POOL_ADDRESS} else []
        if told and told[0].status == "bounced" and not letter.sender.null:
            self.await_bounce(letter)
            faults += oracle.judge_bounce(letter, self.watch)
        return faults


    def await_bounce(self, letter):
        def came():
            self.watch.refresh()
            return letter.number in self.watch.bounces
        with contextlib.suppress(Late):  # the oracle will say so
            wait_for("a bounce", came, 30)

    def judge_late(self, letters):
        """Once more, when the queue is empty: nothing came after the judgement. Of those with the same addresses the last."""
        self.watch.refresh()
        letters = [letter for letter in letters if letter.round == letter.route.rounds or not letter.route.same_addresses]
        late = {letter.title: oracle.leaks(letter, self.watch, letter.expectation(self.mta.honours).need)
                for letter in letters}
        self.tap.equal({title: found for title, found in late.items() if found}, {}, "nothing leaked afterwards")


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


def keys(letter):
    yield letter.key
    if letter.companion:
        yield letter.companion.key
        yield letter.local_copy.partition("@")[0]


def base(lab, letters):
    lab.modes(senders.HOMES)
    lab.run(letters)


def null(lab, letters):
    """The null sender is enforced, and with it every bounce."""
    lab.modes(senders.HOMES, "enforced")
    lab.run(letters)
    lab.modes(senders.HOMES)


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
    lab.mta.flush()
    lab.mta.await_outcomes([letter.key for letter in waiting])
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


STAGES = (("base", base), ("null", null), ("guarded", guarded), ("cache", cache), ("flip", flip))


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
        faults = oracle.judge(letter, lab.mta.outcomes(letter.key), lab.watch, lab.mta.honours)
        lab.tap.ok(any("LEAK" in fault for fault in faults),
                   "with the guard removed %s leaks, and the oracle says so" % letter.name, *faults)


def test(tap):
    letters = write(chosen(tap))
    with World("e2e-lab") as w:
        lab = Lab(tap, w, letters)
        lab.start()
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
        tap.note(lab.table.text())
        tap.equal((w.daemons.mapd.stop(), w.daemons.milter.stop()), (0, 0), "a clean end of both daemons")


main(test)
