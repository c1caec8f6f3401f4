"""TAP for the end to end tests: one line per check, the plan at the end, an exception is a failed check with its trace."""
import sys
import traceback

from .space import NoRoom, enter
from .waiting import Late, wait_for


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def ok(self, good, name, *diagnosis):
        self.count += 1
        self.failed += not good
        print("%sok %d - %s" % ("" if good else "not ", self.count, name), flush=True)
        if not good:
            for text in diagnosis:
                self.note(text)
        return bool(good)

    def equal(self, got, want, name, *diagnosis):
        return self.ok(got == want, name, "got  %r" % (got,), "want %r" % (want,), *diagnosis)

    def becomes(self, question, want, name, seconds=15):
        """Awaits that QUESTION() answers WANT; fails with the last answer it gave."""
        last = []

        def fits():
            last[:] = [question()]
            return last[0] == want
        try:
            wait_for(name, fits, seconds, 0.05)
        except Late:
            pass
        return self.equal(last[0], want, name)

    def matches(self, text, pattern, name, *diagnosis):
        """PATTERN: a compiled regular expression that must fit somewhere."""
        return self.ok(text is not None and pattern.search(text), name, "got  %r" % (text,), "want %s" % pattern.pattern,
                       *diagnosis)

    def skip(self, name, reason):
        self.count += 1
        print("ok %d - %s # SKIP %s" % (self.count, name, reason), flush=True)

    @staticmethod
    def note(text):
        for line in str(text).splitlines():
            print("# " + line, flush=True)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind and not issubclass(kind, SystemExit):
            self.ok(False, "runs to its end", "".join(traceback.format_exception(kind, value, trace)))
        print("1..%d" % self.count, flush=True)
        return kind is not None and issubclass(kind, Exception)

    def exit_status(self):
        return 1 if self.failed else 0


def main(test):
    """Runs TEST(tap) in a room of its own; the whole body of a tests/e2e file's last line."""



    tap = Tap()
    try:
        enter()
    except NoRoom as reason:
        print("1..0 # SKIP %s" % reason)
        sys.exit(77)
    with tap:
        test(tap)
    sys.exit(tap.exit_status())
