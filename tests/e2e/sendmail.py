#!/usr/bin/python3
"""A slice of the delivery laboratory (tests/lab) with Sendmail and contrib/sendmail; the receivers' own log is the oracle.

Sendmail comes from Debian's packages, unpacked below the build folder, never installed.
TLSMODE_LAB_ONLY=RECEIVER/SENDER/ROUTE runs those ("*" for all of a kind, commas between several).
"""
import copy
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lab import combos, oracle, outcomes, receivers, routes, senders  # noqa: E402
from lab.expect import ENCRYPTED, NOTHING  # noqa: E402
from lab.letters import write  # noqa: E402
from lab.sendmail_mta import ROUTES, SendmailMta  # noqa: E402
from world import sendmail  # noqa: E402
from world.space import inside  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

# No Sendmail of Debian knows SMTPUTF8, logins are told with XCLIENT, and a mailertable names no port.
# After a TLS connection that broke it never tries in the clear.
WITHOUT = ("idn", "idn-plain", "port2525", "breaks")
SENDERS = ("opportunistic", "enforced", "verified", "null", "null-enforced", "subaddress", "uppercase")


def chosen(tap):
    if os.environ.get("TLSMODE_LAB_ONLY"):
        return combos.named(os.environ["TLSMODE_LAB_ONLY"])
    every = combos.every([r for r in receivers.TABLE if r.name not in WITHOUT], [senders.BY_NAME[name] for name in SENDERS],
                         [routes.BY_NAME[name] for name in ROUTES])
    some = combos.pairwise(every)
    tap.note("%d of %d combinations, every pair of two among them, seed %d" % (len(some), len(every), combos.SEED))
    return some


def without_dane(receiver):
    """The row for a Sendmail that was compiled without DANE, with mapd.dane = false: TLSA records demand TLS, prove nothing, and
    bogus ones are an error all the same."""
    if receiver.by != "dane":
        return receiver
    row = copy.copy(receiver)
    row.by, row.demand = "tlsa", ENCRYPTED
    row.reach = row.otherwise = NOTHING if receiver.publish["tlsa"] == "bogus" else receiver.otherwise
    return row


class Lab:
    def __init__(self, tap, w, letters):
        self.tap, self.w, self.letters = tap, w, letters
        self.mta = SendmailMta(w, letters)
        if not self.mta.mta.has_dane:
            for letter in letters:
                letter.receiver = without_dane(letter.receiver)
        self.watch = oracle.Watch(w.sinks)
        self.table = None

    def start(self):
        receivers.publish(self.w)
        senders.publish(self.w)
        self.w.start(conf=sendmail.conf(self.mta.mta), postfix=False)
        self.mta.start()
        self.table = outcomes.Outcomes(self.mta.title)
        receivers.settings(self.w)

    def modes(self, null):
        modes = {**senders.HOMES, "<>": null}
        senders.settings(self.w, modes)
        for domain, mode in modes.items():
            want = "OK %s" % mode if mode else "NOTFOUND "
            wait_for("the mode of " + domain, lambda d=domain, t=want: self.w.ask("mode", d) == t)

    def run(self, letters):
        """Sends them, tries again what waits, and judges."""
        self.mta.submit(letters)
        late = self.mta.await_outcomes([key for letter in letters if not letter.refusal for key in keys(letter)])
        self.tap.equal(sorted(late), [], "every message was tried")
        self.mta.flush()
        for letter in letters:
            self.judge(letter)

    def judge(self, letter):
        self.watch.refresh()
        told, honours = self.mta.outcomes(letter.key), self.mta.honours
        faults = oracle.judge(letter, told, self.watch, honours)
        if letter.companion and not letter.refusal:
            faults += ["other recipient: " + fault for fault in oracle.judge(
                letter.companion, self.mta.outcomes(letter.companion.key), self.watch, honours)]
        if told and told[0].status == "bounced" and not letter.sender.null:
            wait_for("a bounce", lambda: self.watch.refresh() or letter.number in self.watch.bounces, 30)
            faults += oracle.judge_bounce(letter, self.watch)
        self.table.add(letter, told, self.watch)
        self.tap.ok(not faults, "%s: %s" % (letter.title, letter.expectation(honours).kind), *faults,
                    *(["again: TLSMODE_LAB_ONLY=%s tests/run-e2e sendmail" % letter.name]))


def keys(letter):
    yield letter.key
    if letter.companion:
        yield letter.companion.key


def test(tap):
    letters = write(chosen(tap))
    with World("e2e-sendmail") as w:
        lab = Lab(tap, w, letters)
        lab.start()
        for null in (None, "enforced"):  # the mode of the null sender, and with it of every bounce
            mine = [letter for letter in letters if letter.sender.strict_null == bool(null)]
            lab.modes(null)
            lab.run(mine)
        lab.table.show(tap)
        lab.mta.mta.stop()
        tap.equal((w.daemons.mapd.stop(), w.daemons.milter.stop()), (0, 0), "a clean end of both daemons")


if not inside():
    reason = sendmail.unpack()
    if reason:
        print("1..0 # SKIP " + reason)
        sys.exit(77)
main(test)
