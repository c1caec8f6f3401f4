"""What must become of a message, from the receiver's row and the sender's mode alone. Written from the contract (doc/decision.md: modes,
destination's own demands, 5.7.10); it knows nothing of tlsmode's decisions, maps or words."""
import collections

# How well a connection protects a message.
CLEAR, ENCRYPTED, AUTHENTICATED = range(3)
NOTHING = -1  # of a receiver that no message may reach
LEVELS = ("clear", "encrypted", "authenticated")

# What a mode demands of the connection.
MODES = {"opportunistic": CLEAR, "enforced": ENCRYPTED, "verified": AUTHENTICATED}

# KIND: delivered, bounced, deferred or refused (at submission). NEED: the least level at which an octet may arrive.
Expectation = collections.namedtuple("Expectation", "kind need")


def demand(receiver, honours):
    """The level that the destination itself asks for, by a mechanism that the MTA honours."""
    return receiver.demand if receiver.by in honours else CLEAR


def reach(receiver, honours):
    """The best connection that the receiver makes possible. A certificate that only DANE proves is just TLS without DANE."""
    if receiver.by in honours or receiver.by == "":
        return receiver.reach
    return receiver.otherwise


def expected(receiver, mode, honours=("dane", "sts"), refused=False):
    """HONOURS: what of "dane", "sts" and "match" (the site's own setting) the MTA's wiring knows."""
    wanted = demand(receiver, honours)
    need = max(MODES[mode], wanted)
    if refused:
        return Expectation("refused", need)
    if reach(receiver, honours) >= need:
        return Expectation("delivered", need)
    if not receiver.offers and wanted == CLEAR:
        return Expectation("bounced", need)  # the sender's mode alone demanded TLS, and it was not offered
    return Expectation("deferred", need)
