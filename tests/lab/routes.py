"""The routes of the laboratory: how a message comes in and what leads it to its receiver.

A route names its addresses; an MTA's adapter makes them true (postfix_mta.py writes Postfix's maps from the same table):

    R@DOMAIN               the receiver itself, by MX
    S.via.NAME@SENDER      relayhost by sender address, to the receiver's domain
    R@NAME.hop.test        an explicit next hop without a transport (`:[host]:port`)
    R@NAME.relay.test      a relay domain
    N@house.test           an alias (aliases(5)) to R@DOMAIN; keeper@house.test is a local mailbox
    N@virtual.test         a virtual alias to R@DOMAIN
"""
HOUSE, KEEPER = "house.test", "keeper"


class Route:
    """STAGE: the configuration it needs, see tests/e2e/lab.py. SUBMIT: "smtp" or "sendmail". ROUNDS: how many messages, one
    after the other, with the SAME_ADDRESSES or not. OWN: a transport that the contract leaves to the site, so that the sender's
    mode has no say, but the mode that it KEEPS; GUARDED: strict senders are refused there (on_escape = reject). MULTI: a local
    and another recipient, too."""

    def __init__(self, name, label, rcpt=None, stage="base", submit="smtp", rounds=1, same_addresses=False,
                 own=False, keeps="opportunistic", guarded=False, multi=False, fits=None):
        self.name, self.label, self.stage, self.submit = name, label, stage, submit
        self.rounds, self.same_addresses, self.multi = rounds, same_addresses, multi
        self.own, self.keeps, self.guarded = own or guarded, keeps, guarded
        self.rcpt = rcpt or (lambda receiver, local: receiver.recipient(local))
        self.fits = fits or (lambda receiver, sender: True)

    @property
    def by_sender(self):
        return self.name == "relayhost"


def direct(receiver, sender):
    return receiver.port == 25


def shell(receiver, sender):
    """sendmail(1) has no login."""
    return not sender.login


def named(receiver, sender):
    """A relayhost is chosen by sender address; the null sender has none to be known by."""
    return not sender.null


def everyday(receiver, sender):
    """Where the setting of `<>` is not in force."""
    return not sender.strict_null


def relayed(receiver, local):
    return "%s@%s.relay.test" % (local, receiver.name)


def flips(receiver, sender):
    """A mode that can change: the message must be taken in both; the null sender changes from opportunistic to enforced."""
    return not sender.refused and sender.name != "null"


TABLE = (
    Route("mx", "MX", fits=direct),
    Route("relayhost", "relayhost", lambda receiver, local: local + "@elsewhere.test", fits=named),
    Route("transport", "transport_maps :[x]", lambda receiver, local: "%s@%s.hop.test" % (local, receiver.name)),
    Route("relay", "relay_domains", relayed, own=True),
    Route("strict-relay", "relay_domains, relay_transport = smtp-verified", relayed, stage="strict-relay", own=True,
          keeps="verified", fits=everyday),
    Route("guarded", "relay_domains, on_escape = reject", relayed, stage="guarded", guarded=True, fits=everyday),
    Route("multi", "with a local and another recipient", multi=True),
    Route("sendmail", "sendmail(1)", submit="sendmail", fits=shell),
    Route("alias", "alias", lambda receiver, local: "%s@%s" % (local.replace("r", "list"), HOUSE)),
    Route("virtual", "virtual alias", lambda receiver, local: "%s@virtual.test" % local.replace("r", "list")),
    Route("cache", "connection cache", stage="cache", rounds=2, fits=everyday),
    Route("flip", "mode flipped", stage="flip", rounds=2, same_addresses=True, fits=flips),
)
BY_NAME = {route.name: route for route in TABLE}
