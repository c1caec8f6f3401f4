"""The senders of the laboratory: who a message comes from, in which spelling, and the mode that its sender domain has.

HOMES are the sender domains; each has a good receiver, so that a bounce can come home over TLS.
"""

HOMES = {
    "open.test": None,
    "closed.test": "enforced",
    "proven.test": "verified",
    "xn--mller-kva.test": "enforced",
    "pool.test": "enforced",
}
# The mode a home has before it is flipped to its own (routes.py).
BEFORE = {None: "enforced", "enforced": None, "verified": "enforced"}
VIA = {"pool.test": "pool2"}  # transport family
POOL_ADDRESS = "127.0.0.9"  # from where the family connects


class Sender:
    """ADDRESS: "%s" is the message's own local part. MODE: of its envelope sender. LOGIN: the SASL login. FROM: the header field
    when it differs. REFUSED: the milter does not take it. STRICT_NULL: needs the setting of `<>`."""

    def __init__(self, name, address, mode, login="", header_from="", refused=False, strict_null=False, label=""):
        self.name, self.address, self.mode, self.label = name, address, mode, label or name
        self.login, self.header_from, self.refused, self.strict_null = login, header_from, refused, strict_null

    @property
    def null(self):
        return not self.address

    @property
    def home(self):
        """The sender domain in its canonical form."""
        domain = self.address.partition("@")[2].lower()
        return "<>" if self.null else domain.encode("idna").decode()

    def envelope(self, local):
        return self.address % local if self.address else ""


TABLE = (
    Sender("opportunistic", "%s@open.test", "opportunistic"),
    Sender("enforced", "%s@closed.test", "enforced"),
    Sender("verified", "%s@proven.test", "verified"),
    Sender("null", "", "opportunistic", label="null sender"),
    Sender("null-enforced", "", "enforced", strict_null=True, label="null sender, <> enforced"),
    Sender("subaddress", "%s+ext@closed.test", "enforced"),
    Sender("uppercase", "%s@PROVEN.TEST", "verified", label="upper case"),
    Sender("smtputf8", "%s.j\u00f6@m\u00fcller.test", "enforced", label="SMTPUTF8"),
    Sender("login", "%s@closed.test", "enforced", login="u@closed.test", header_from="other@open.test",
           label="login, other From"),
    Sender("login-weaker", "%s@proven.test", "verified", login="u@open.test", header_from="other@open.test",
           label="weaker login and From"),
    Sender("login-stricter", "%s@open.test", "opportunistic", login="u@proven.test", header_from="other@open.test", refused=True,
           label="stricter login, on_mismatch = reject"),
    Sender("via", "%s@pool.test", "enforced", label="enforced, via pool2"),
)
BY_NAME = {sender.name: sender for sender in TABLE}


def publish(w):
    for home in HOMES:
        w.destination(home)


def settings(w, modes=HOMES):
    """MODES in force: domain -> mode or None."""
    for domain, mode in modes.items():
        w.mode(domain, mode)
    for domain, family in VIA.items():
        w.redis.cli("HSET", "tlsmode:sender:" + domain, "via", family)
