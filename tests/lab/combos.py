"""Which combinations of receiver, sender and route are run: every one that is possible, a slice in which each pair of two
occurs, or those that were asked for by name."""
import itertools
import os
import random

from . import receivers, routes, senders

SEED = 8461


class Unknown(Exception):
    pass


def every(receivers_in=receivers.TABLE, senders_in=senders.TABLE, routes_in=routes.TABLE):
    """[(receiver, sender, route)]"""
    return [(r, s, route) for r, s, route in itertools.product(receivers_in, senders_in, routes_in) if route.fits(r, s)]


def pairs(combo):
    return {frozenset(((i, combo[i].name), (j, combo[j].name))) for i, j in ((0, 1), (0, 2), (1, 2))}


def pairwise(combos, seed=SEED):
    """A subset of COMBOS in which every two of receiver, sender and route that occur together in COMBOS occur together. Greedy;
    the same for the same SEED."""
    dice = random.Random(seed)
    rest = [(pairs(combo), combo) for combo in combos]
    dice.shuffle(rest)
    missing = set().union(*(p for p, _ in rest)) if rest else set()
    taken = []
    for least in (3, 2, 1):
        for p, combo in rest:
            if len(p & missing) >= least:
                missing -= p
                taken.append(combo)
    order = {id(combo): i for i, combo in enumerate(combos)}
    return sorted(taken, key=lambda combo: order[id(combo)])


def named(text):
    """Those of "receiver/sender/route[,...]"; "*" stands for all of a kind."""
    chosen = []
    for words in (part.split("/") for part in text.split(",")):
        if len(words) != 3:
            raise Unknown("%r is not receiver/sender/route" % "/".join(words))
        tables = []
        for word, table in zip(words, (receivers.TABLE, senders.TABLE, routes.TABLE)):
            tables.append([row for row in table if word in ("*", row.name)])
            if not tables[-1]:
                raise Unknown("no %r among %s" % (word, " ".join(row.name for row in table)))
        chosen += every(*tables)
    if not chosen:
        raise Unknown("%r: not possible together" % text)
    return chosen


def chosen(note, all_of=None):
    """What the environment asks for: TLSMODE_LAB_ONLY names combinations, TLSMODE_LAB=full is ALL_OF them (every()), else the
    slice. NOTE is told which."""
    if os.environ.get("TLSMODE_LAB_ONLY"):
        return named(os.environ["TLSMODE_LAB_ONLY"])
    all_of = every() if all_of is None else all_of
    if os.environ.get("TLSMODE_LAB") == "full":
        note("all %d combinations" % len(all_of))
        return all_of
    some = pairwise(all_of)
    note("%d of %d combinations, every pair of two among them, seed %d; TLSMODE_LAB=full runs all" % (
        len(some), len(all_of), SEED))
    return some
