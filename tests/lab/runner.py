"""What every MTA's laboratory does: starts the world, hands in letters, awaits what becomes of them and has the oracle judge.
A test (tests/e2e/lab.py) says in which stages and with which MTA."""
import contextlib
import time

from world.waiting import Late, wait_for

from . import oracle, outcomes, receivers, senders

TRYING = 20  # seconds until an MTA must have fallen back to clear text where that is allowed
LONGEST = 120  # seconds for the second tries of all


class Lab:
    """World W, the LETTERS that will be sent in it, and an MTA: start(), submit(letters), outcomes(key), await_outcomes(keys,
    nth), flush(), and in words title, honours, refusal (the code where the sender's mode alone demanded what is not offered),
    tells_local (its log names local deliveries), test (the name of the file in tests/e2e)."""

    def __init__(self, tap, w, letters, mta):
        self.tap, self.w, self.letters, self.mta = tap, w, letters, mta
        self.watch = oracle.Watch(w.sinks)
        self.table = None

    def start(self, **conf):
        """Everything runs, with CONF laid over tlsmode.conf, and the senders have their modes."""
        needed = {letter.receiver.name for letter in self.letters} | {"valid", "plain", "selfsigned"}
        receivers.publish(self.w, [name for name in receivers.BY_NAME if name in needed])
        senders.publish(self.w)
        self.w.start(conf=conf, postfix=False)
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
        self.try_again([letter for letter in letters if self.waits(letter)])
        self.judge(letters)

    def deliver(self, letters):
        self.mta.submit(letters)
        self.mta.await_outcomes([key for letter in letters if not letter.refusal for key in letter.keys()])

    def try_again(self, letters):
        """Every letter that waits is tried once more; one that may be delivered until it is (Postfix's own fall back to clear
        text comes a second after the first try)."""
        began = time.monotonic()
        wanted = {letter: len(self.mta.outcomes(letter.key)) + 1 for letter in letters}

        def done():
            patient = time.monotonic() < began + TRYING
            return all(len(self.mta.outcomes(letter.key)) >= nth and not (
                patient and self.waits(letter) and self.may_be_delivered(letter)) for letter, nth in wanted.items())
        while not done() and time.monotonic() < began + LONGEST:
            self.mta.flush()  # again and again: the MTA may not yet have put away what it told of
            with contextlib.suppress(Late):
                wait_for("another try", done, 2, 0.1)

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
            faults = self.faults(letter) + self.beside(letter, told)
            self.table.add(letter, told, self.watch)
            self.tap.ok(not faults, "%s%s: %s" % (letter.title, how, letter.expectation(self.mta.honours).kind), *faults,
                        "again: TLSMODE_LAB_ONLY=%s tests/run-e2e %s" % (letter.name, self.mta.test))

    def faults(self, letter):
        """What is wrong with a letter, or with a companion of one."""
        return oracle.judge(letter, self.mta.outcomes(letter.key), self.watch, self.mta.honours, self.mta.refusal)

    def beside(self, letter, told):
        """What else is promised of this message: its other recipients, its transport family, its bounce."""
        faults = []
        if letter.companion and not letter.refusal:
            faults += ["other recipient: " + fault for fault in self.faults(letter.companion)]
            local = [o.status for o in self.mta.outcomes(letter.local_copy.partition("@")[0])]
            faults += ["local recipient: %s" % local] if self.mta.tells_local and local != ["sent"] else []
        if letter.sender.name == "via" and not letter.route.own and not letter.receiver.stripped:
            came = {event["peer"] for event in self.watch.octets[letter.key]} - {senders.POOL_ADDRESS}
            faults += ["it came from %s, not from its family's address" % came] if came else []
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
