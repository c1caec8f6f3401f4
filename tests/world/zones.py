"""Zones as data: a name, records, whether it is signed and what its parent says of that (DS right, wrong or missing)."""

SERVERS = {"": "127.0.0.2", "test": "127.0.0.3"}
LEAF_SERVER = "127.0.0.4"


def absolute(owner, zone):
    """OWNER as written in a zone ("@", "mx", "mx.other.test.") to a full name with its final dot."""
    if owner == "@":
        return zone + "."
    if owner.endswith("."):
        return owner
    return owner + "." + zone + "."


class Zone:
    """SIGNED: knot signs it. DS: "right", "wrong" (everything below is bogus) or None (insecure although signed).

    SERVER other than knot's own delegates the zone elsewhere (faultdns.py) and knot does not have it.
    """

    def __init__(self, name, signed=True, ds="right", ttl=60, minimum=5, server=None):
        self.name = name.rstrip(".")
        self.signed = signed
        self.ds = ds if signed else None
        self.ttl = ttl
        self.minimum = minimum
        self.server = server or SERVERS.get(self.name, LEAF_SERVER)
        self.elsewhere = server is not None
        self.sets = {}  # (owner, type) -> (ttl, [rdata])

    def set(self, owner, rtype, *rdata, ttl=None):
        """Replaces the record set; without RDATA it is gone."""
        key = (absolute(owner, self.name), rtype)
        if rdata:
            self.sets[key] = (self.ttl if ttl is None else ttl, list(rdata))
        else:
            self.sets.pop(key, None)
        return self

    def add(self, owner, rtype, *rdata, ttl=None):
        """Adds records to the set."""
        have = self.sets.get((absolute(owner, self.name), rtype), (None, []))[1]
        return self.set(owner, rtype, *have, *rdata, ttl=ttl)

    def get(self, owner, rtype):
        return self.sets.get((absolute(owner, self.name), rtype), (None, []))[1]

    def text(self):
        apex = absolute("@", self.name) if self.name else "."
        server = "ns." + apex if self.name else "ns."
        lines = ["%s %d SOA %s admin.%s 1 3600 600 86400 %d" % (apex, self.minimum, server, apex.lstrip("."), self.minimum),
                 "%s %d NS %s" % (apex, self.ttl, server), "%s %d A %s" % (server, self.ttl, self.server)]
        for (owner, rtype), (ttl, many) in self.sets.items():
            lines += ["%s %d %s %s" % (owner, ttl, rtype, rdata) for rdata in many]
        return "\n".join(lines) + "\n"


def parent_of(name, names):
    """The closest of NAMES above NAME ("" is the root)."""
    rest = name
    while rest:
        rest = rest.partition(".")[2]
        if rest in names:
            return rest
    return None
