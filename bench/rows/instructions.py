"""Instructions per cached answer, by callgrind over a fixed replay

The same count as tests/mapd/test_instructions.py, which fails a tenth above its baseline.
"""
import os
import sys


def measure(bench):
    os.environ["builddir"] = bench.build
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "tests", "io"))
    import test_instructions as counting
    reason = counting.why_not()
    if reason:
        bench.note("not counted: " + reason)
        return
    count, what = counting.instructions_per_answer(), counting.built_with()
    base = counting.baselines().get(what)
    bench.row("instructions of a cached answer (%s)" % what, "<= 1.1 x baseline", count / base if base else None,
              "%.0f, baseline %s" % (count, base or "unknown"), at_most=counting.MORE if base else None)
