"""Awaiting an event instead of sleeping: ask again at short intervals until a deadline."""
import time


class Late(Exception):
    """What was awaited did not happen in time."""


def wait_for(what, question, seconds=10.0, every=0.02):
    """Asks QUESTION() until it answers something true and returns that; raises Late naming WHAT after SECONDS."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Late("%s: not within %g s" % (what, seconds))
        time.sleep(every)
