"""Which combinations of receiver, sender and route are run: every one that is possible, a slice in which each pair of two
occurs, or those that were asked for by name."""
import itertools
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
