"""The authoritative server: knot with a private signed root, a signed TLD `test` and the world's zones.

The chain of trust is real: knot makes a key per zone, the parent gets the DS that the child's CDS record names. A wrong or missing DS
makes a zone bogus or insecure. Changes while it runs: edit the Zone, then apply(zone).
"""
from .dnswire import RCODES, ask
from .procs import Program
from .space import run
from .waiting import wait_for
from .zones import SERVERS, Zone, parent_of

CONF = """server:
  rundir: {dir}
{listen}
log:
  - target: stderr
    any: warning
database:
  storage: {dir}
  kasp-db-max-size: 20M
  journal-db-max-size: 100M
  timer-db-max-size: 1M
policy:
  - id: world
    single-type-signing: on
    algorithm: ecdsap256sha256
    ksk-lifetime: 0
    cds-cdnskey-publish: always
template:
  - id: default
    storage: {dir}
    file: zone-%s
    zonefile-load: difference-no-serial
    zonefile-sync: -1
    journal-content: all
    journal-max-usage: 2M
zone:
"""

class Knot:
    def __init__(self, space, zones, port=53):
        self.space = space
        self.port = port
        self.dir = space.path("knot", "x")[:-2]
        self.zones = {"": Zone(""), "test": Zone("test")}
        for zone in zones:
            self.zones[zone.name] = zone
        self.ds_of = {}
        self.delegate()
        for zone in self.own():
            self.write(zone)
        self.program = None

    def own(self):
        return [zone for zone in self.zones.values() if not zone.elsewhere]

    def delegate(self):
        """Writes each zone's NS, address and DS into its parent."""
        for zone in self.zones.values():
            above = self.zones.get(parent_of(zone.name, self.zones))
            if above is not None:
                apex, server = zone.name + ".", "ns." + zone.name + "."
                above.set(apex, "NS", server)
                above.set(server, "A", zone.server)
                above.set(apex, "DS", *self.ds_records(zone))

    def ds_records(self, zone):
        ds = self.ds_of.get(zone.name)
        if zone.elsewhere and zone.ds:
            return ["1 13 2 " + "ab" * 32]  # somebody says it is signed; nobody there can prove it
        if not ds or not zone.ds:
            return []
        return [ds if zone.ds == "right" else " ".join(ds.split()[:3]) + " " + "00" * 32]

    def write(self, zone):
        path = "%s/zone-%s" % (self.dir, zone.name)
        with open(path, "w") as f:
            f.write(zone.text())

    def configuration(self):
        servers = sorted({zone.server for zone in self.own()})
        text = CONF.format(dir=self.dir, listen="\n".join("  listen: %s@%d" % (s, self.port) for s in servers))
        for zone in self.own():
            text += '  - domain: "%s."\n' % zone.name
            if zone.signed:
                text += "    dnssec-signing: on\n    dnssec-policy: world\n"
        return text

    def start(self):
        """Serving, signed, and the chain of trust closed; the root's DS is in the file root_key."""
        conf = self.space.write("knot/knot.conf", self.configuration())
        self.program = Program(self.space, "knotd", ["knotd", "-c", conf])
        for zone in self.own():
            wait_for("zone %s." % zone.name, lambda z=zone: self.program.insist() and self.served(z), 60)
        wait_for("knot's control socket", self.listens, 60)  # it answers questions before it takes orders
        for zone in self.own():
            if zone.signed:
                self.ds_of[zone.name] = self.read_ds(zone)
        self.delegate()
        for name in {parent_of(zone.name, self.zones) for zone in self.zones.values() if zone.name}:
            if not self.zones[name].elsewhere:
                self.apply(self.zones[name])
        self.root_key = self.space.write("root.key", ". 3600 IN DS %s\n" % self.ds_of[""])
        self.root_hints = self.space.write("root.hints", ". 3600 IN NS ns.\nns. 3600 IN A %s\n" % SERVERS[""])

    def served(self, zone):
        try:
            rcode, _, found = ask(zone.server, zone.name, "CDS" if zone.signed else "SOA", self.port)
        except OSError:
            return False
        return rcode == RCODES["noerror"] and found

    def read_ds(self, zone):
        rdata = next(r[3] for r in ask(zone.server, zone.name, "CDS", self.port)[2] if r[1] == "CDS")
        return "%d %d %d %s" % (int.from_bytes(rdata[:2], "big"), rdata[2], rdata[3], rdata[4:].hex())

    def listens(self):
        self.program.insist()
        try:
            return self.control("status")
        except RuntimeError:
            return False

    def control(self, *words):
        return run("knotc", "-b", "-c", self.dir + "/knot.conf", *words)

    def apply(self, zone):
        """Brings an edited zone into force; back when knot serves it (resolvers may remember the old one)."""
        self.write(zone)
        self.control("zone-reload", zone.name + ".")

    def stop(self):
        self.program.stop()
