"""The receivers of the laboratory: what each publishes, how its hosts behave, and how well a message can be protected there.

A row is the world's truth, written by hand. HOSTS are in the order of their MX records; LEVEL of a host is the best
connection it can give (a certificate check can succeed at AUTHENTICATED only). REACH is the best that the whole destination
can give while its own demands are kept, DEMAND what it asks of every sender, BY the mechanism that asks or proves ("dane",
"sts", "match"), OTHERWISE the reach for an MTA that does not know that mechanism.
"""
import collections

from world import certs

from .expect import AUTHENTICATED, CLEAR, ENCRYPTED, NOTHING

WRONG_KEY = "3 1 1 " + "ab" * 32
UNUSABLE = "1 1 1 " + "cd" * 32
OLD = ("1.0", "1.1")

Host = collections.namedtuple("Host", "name how level")


class Receiver:
    """PUBLISH: what the domain says of itself (see publish_one())."""

    def __init__(self, name, label, hosts, reach, demand=CLEAR, by="", otherwise=None, **publish):
        self.name, self.label, self.hosts = name, label, hosts
        self.reach, self.demand, self.by = reach, demand, by
        self.otherwise = max(h.level for h in hosts) if otherwise is None else otherwise
        self.domain = publish.pop("domain", name + ".test")
        self.shown = publish.pop("shown", self.domain)  # as it is written in addresses
        self.port = publish.pop("port", 25)
        self.literal = publish.pop("literal", False)
        self.publish = publish
        self.addresses = {}

    @property
    def offers(self):
        """STARTTLS reaches the sender's eyes at the host where the delivery ends."""
        return any(h.how.get("starttls") != "none" and not h.how.get("stripped") for h in self.hosts)

    @property
    def breaks(self):
        """Octets may arrive over TLS of a message that is never taken."""
        return any(h.how.get("data") == "cut" for h in self.hosts)

    @property
    def stripped(self):
        return any(h.how.get("stripped") for h in self.hosts)

    def host_names(self):
        return ["%s.%s" % (h.name, self.domain) for h in self.hosts]

    def levels(self):
        return {name: host.level for name, host in zip(self.host_names(), self.hosts)}

    def recipient(self, local):
        """An address there; behind another port only an explicit route leads (routes.py)."""
        if self.literal:
            return "%s@[%s]" % (local, self.addresses[self.host_names()[0]])
        return "%s@%s" % (local, self.shown if self.port == 25 else self.name + ".hop.test")

    def mx_hop(self):
        """The next hop whose MX is looked up; an explicit one where there is none to look up."""
        return self.domain if self.port == 25 and not self.literal else self.hop()

    def hop(self):
        """The explicit next hop, without an MX lookup where the domain has one host."""
        if self.literal:
            return "[%s]" % self.addresses[self.host_names()[0]]
        if len(self.hosts) > 1:
            return self.domain
        return "[%s]%s" % (self.host_names()[0], "" if self.port == 25 else ":%d" % self.port)


def one(level, **how):
    return [Host("mx", how, level)]


def two(first, second):
    return [Host("mx1", *first), Host("mx2", *second)]


PLAIN = {"starttls": "none"}
SELF = {"cert": "self"}

TABLE = (
    # Nothing published: the sender's mode alone decides.
    Receiver("plain", "no STARTTLS", one(CLEAR, **PLAIN), CLEAR),
    Receiver("refused", "STARTTLS answered 454", one(CLEAR, starttls="454"), CLEAR),
    Receiver("garbage", "STARTTLS, then garbage", one(CLEAR, starttls="garbage"), CLEAR),
    # Postfix falls back to clear text after a failed handshake, never after a connection that ends before the reply to STARTTLS.
    Receiver("cut", "STARTTLS, then cut", one(CLEAR, starttls="cut"), NOTHING),
    Receiver("breaks", "TLS, then lost within DATA", one(CLEAR, data="cut", **SELF), CLEAR),
    Receiver("tls11", "TLS 1.1 only", one(CLEAR, tls=OLD), CLEAR),
    Receiver("stripped", "STARTTLS stripped on the way", one(CLEAR, stripped=True), CLEAR),
    Receiver("selfsigned", "self-signed", one(ENCRYPTED, **SELF), ENCRYPTED),
    Receiver("expired", "expired", one(ENCRYPTED, cert="expired"), ENCRYPTED),
    Receiver("othername", "wrong name", one(ENCRYPTED, cert="name"), ENCRYPTED),
    Receiver("otherca", "other CA", one(ENCRYPTED, cert="foreign"), ENCRYPTED),
    Receiver("valid", "valid certificate", one(AUTHENTICATED), AUTHENTICATED),
    Receiver("two-plain", "first MX plain, second good", two((PLAIN, CLEAR), ({}, AUTHENTICATED)), AUTHENTICATED),
    Receiver("two-self", "first MX self-signed, second good", two((SELF, ENCRYPTED), ({}, AUTHENTICATED)), AUTHENTICATED),
    Receiver("literal", "address literal", one(ENCRYPTED), ENCRYPTED, literal=True),
    Receiver("literal-match", "address literal, match set", one(AUTHENTICATED), AUTHENTICATED, AUTHENTICATED, "match",
             ENCRYPTED, literal=True),
    # DANE. 3 1 1 records, so that the certificate itself may be self-signed.
    Receiver("dane", "TLSA match", one(AUTHENTICATED, **SELF), AUTHENTICATED, AUTHENTICATED, "dane", ENCRYPTED, tlsa="3 1 1"),
    Receiver("dane-differs", "TLSA mismatch", one(AUTHENTICATED), NOTHING, AUTHENTICATED, "dane", tlsa=WRONG_KEY),
    Receiver("dane-unusable", "TLSA unusable, self-signed", one(ENCRYPTED, **SELF), ENCRYPTED, ENCRYPTED, "dane",
             tlsa=UNUSABLE),
    Receiver("dane-unusable-plain", "TLSA unusable, no STARTTLS", one(CLEAR, **PLAIN), CLEAR, ENCRYPTED, "dane", tlsa=UNUSABLE),
    Receiver("dane-bogus", "TLSA bogus", one(AUTHENTICATED), NOTHING, AUTHENTICATED, "dane", tlsa="bogus"),
    Receiver("dane-stripped", "TLSA match, stripped", one(CLEAR, stripped=True), CLEAR, AUTHENTICATED, "dane", tlsa="3 1 1"),
    Receiver("port2525", "port 2525, TLSA match there", one(AUTHENTICATED, **SELF), AUTHENTICATED, AUTHENTICATED, "dane",
             ENCRYPTED, tlsa="3 1 1", port=2525),
    # MTA-STS.
    Receiver("sts", "MTA-STS enforce", one(AUTHENTICATED), AUTHENTICATED, AUTHENTICATED, "sts", sts="enforce"),
    Receiver("sts-othername", "MTA-STS enforce, wrong name", one(ENCRYPTED, cert="name"), ENCRYPTED, AUTHENTICATED, "sts",
             sts="enforce"),
    Receiver("sts-plain", "MTA-STS enforce, no STARTTLS", one(CLEAR, **PLAIN), CLEAR, AUTHENTICATED, "sts", sts="enforce"),
    Receiver("sts-stripped", "MTA-STS enforce, stripped", one(CLEAR, stripped=True), CLEAR, AUTHENTICATED, "sts", sts="enforce"),
    Receiver("sts-otherhost", "MTA-STS enforce, MX not listed", one(AUTHENTICATED), NOTHING, AUTHENTICATED, "sts",
             sts="otherhost"),
    Receiver("sts-testing", "MTA-STS testing, self-signed", one(ENCRYPTED, **SELF), ENCRYPTED, sts="testing"),
    Receiver("sts-testing-plain", "MTA-STS testing, no STARTTLS", one(CLEAR, **PLAIN), CLEAR, sts="testing"),
    Receiver("idn", "IDN domain, MTA-STS enforce", one(AUTHENTICATED), AUTHENTICATED, AUTHENTICATED, "sts", sts="enforce",
             domain="xn--bcher-kva.test", shown="b\u00fccher.test"),
    Receiver("idn-plain", "IDN domain, no STARTTLS", one(CLEAR, **PLAIN), CLEAR, domain="xn--dne-qla.test",
             shown="d\u00e4ne.test"),
)
BY_NAME = {receiver.name: receiver for receiver in TABLE}


def publish(w, names=None):
    """Zones, policies and hosts of the receivers NAMES (all of them) in world W, before its start; settings() after it."""
    for name in names or BY_NAME:
        publish_one(w, BY_NAME[name])


def publish_one(w, receiver):
    zone = w.zone(receiver.domain, signed=receiver.by == "dane" or "tlsa" in receiver.publish)
    for number, (host, name) in enumerate(zip(receiver.hosts, receiver.host_names()), 1):
        how = dict(host.how)
        stripped = how.pop("stripped", False)
        there = w.receiver(name, how.pop("cert", "ca"), port=receiver.port, **how)
        receiver.addresses[name] = w.stripped(there) if stripped else there.address
        zone.add("@", "MX", "%d0 %s." % (number, name)).set(name + ".", "A", receiver.addresses[name])
        publish_tlsa(w, zone, name, receiver, there.pair)
    if "sts" in receiver.publish:
        publish_sts(w, receiver)


def publish_tlsa(w, zone, name, receiver, pair):
    tlsa, owner = receiver.publish.get("tlsa"), "_%d._tcp.%s." % (receiver.port, name)
    if tlsa == "bogus":
        w.zone("_tcp." + name, ds="wrong").set(owner, "TLSA", WRONG_KEY)
    elif tlsa:
        zone.set(owner, "TLSA", certs.tlsa(tlsa, pair.cert) if len(tlsa) < 6 else tlsa)


def publish_sts(w, receiver):
    """One policy for the domain and one for the host, which is the policy domain of an explicit next hop."""
    mode = receiver.publish["sts"]
    for domain in [receiver.domain] + receiver.host_names():
        if mode == "otherhost":
            w.sts(domain, mx=["elsewhere." + receiver.domain])
        else:
            w.sts(domain, mode, mx=receiver.host_names())


def settings(w, names=None):
    """The site's own settings for them: one destination whose certificate name is given by hand."""
    for name in names or BY_NAME:
        receiver = BY_NAME[name]
        if receiver.by == "match":
            w.redis.cli("HSET", "tlsmode:rcpt:" + receiver.hop(), "match", receiver.host_names()[0])
