#!/usr/bin/python3
"""The table of contrib/demo as a test: each of its rows is a check."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from demo import Demo  # noqa: E402
from world.tap import main  # noqa: E402
from world.world import World  # noqa: E402


def test(tap):
    with World("e2e-demo") as w:
        demo = Demo(w, True)
        demo.build()
        w.start()
        demo.first_round()
        demo.bounce()
        demo.changes()
        for good, row, policy, outcome in demo.results:
            tap.ok(good, row, policy, outcome)
        tap.ok(not demo.wrong_bounce, "the bounce has 5.7.10 and headers only")


if __name__ == "__main__":
    main(test)
