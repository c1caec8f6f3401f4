"""Thousands of domains, each a zone with keys of its own, served and signed by one knotd; resolvers forward to it.

    dNNNNNNN.test   MX mx1 and mx2, each with an A and a TLSA record; no _mta-sts (a signed NXDOMAIN); DS in the parent
    test            signed as well; its DS is the trust anchor

Each zone's DS is the CDS record that knot publishes. Keys and signatures are made in memory (/dev/shm): on a disk every zone costs
several waits for it.
"""
import os
import shutil
import tempfile

from world.dnswire import ask
from world.procs import Program
from world.space import free_port, run
from world.waiting import wait_for

ADDRESS = "127.0.0.1"
CONF = """server:
  rundir: {dir}
  listen: {address}@{port}
  udp-workers: 1
  tcp-workers: 1
log:
  - target: stderr
    any: warning
database:
  storage: {dir}
  kasp-db-max-size: 500M
  journal-db-max-size: 50M
  timer-db-max-size: 50M
policy:
  - id: own
    single-type-signing: on
    algorithm: ecdsap256sha256
    ksk-lifetime: 0
    cds-cdnskey-publish: always
template:
  - id: default
    storage: {dir}
    file: zone
    zonefile-load: whole
    zonefile-sync: -1
    journal-content: none
    dnssec-signing: on
    dnssec-policy: own
zone:
"""
HEAD = "$TTL 3600\n@ SOA ns admin 1 3600 600 86400 600\n@ NS ns\nns A %s\n" % ADDRESS
ZONE = HEAD + "@ MX 10 mx1\n@ MX 20 mx2\n" + "".join(
    "mx%d A 192.0.2.%d\n_25._tcp.mx%d TLSA 3 1 1 %s\n" % (i, i, i, "%02x" % i * 32) for i in (1, 2))


class OwnZones:
    """COUNT domains, served at .where; .anchor is the file of the trust anchor."""

    FORMAT = "d%.test"  # % is seven digits

    def __init__(self, space, count):
        self.program = None
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else space.dir
        self.dir = tempfile.mkdtemp(prefix="tlsmode-zones-", dir=memory)
        self.port = free_port(ADDRESS)
        self.where = "%s@%d" % (ADDRESS, self.port)
        self.names = ["d%07d.test" % i for i in range(count)]
        try:
            self.serve(space)
        except BaseException:
            self.remove()
            raise

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)
        return self.path(name)

    def serve(self, space):
        self.write("zone", ZONE)
        conf = self.write("knot.conf", CONF.format(dir=self.dir, address=ADDRESS, port=self.port) +
                          "".join('  - domain: "%s."\n' % name for name in self.names))
        self.program = Program(space, "knotd", ["knotd", "-c", conf])
        self.write("zone-test", HEAD + "".join(self.delegation(name) for name in self.names))
        with open(conf, "a") as f:
            f.write('  - domain: "test."\n    file: zone-test\n')
        run("knotc", "-b", "-c", conf, "reload")
        self.anchor = self.write("anchor.key", "test. IN DS %s\n" % self.ds("test"))

    def delegation(self, name):
        return "%s. NS ns.%s.\nns.%s. A %s\n%s. DS %s\n" % (name, name, name, ADDRESS, name, self.ds(name))

    def ds(self, name):
        rdata = wait_for("the keys of " + name, lambda: self.program.insist() and self.cds(name), 60)
        return "%d %d %d %s" % (int.from_bytes(rdata[:2], "big"), rdata[2], rdata[3], rdata[4:].hex())

    def cds(self, name):
        try:
            return next((r[3] for r in ask(ADDRESS, name, "CDS", self.port)[2] if r[1] == "CDS"), None)
        except OSError:
            return None

    def remove(self):
        if self.program and self.program.alive():
            self.program.stop(seconds=60)
        shutil.rmtree(self.dir, ignore_errors=True)
