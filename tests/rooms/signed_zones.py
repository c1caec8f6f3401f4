"""Zones signed once with kzonesign and served as they are by knotd, so that signatures can be old, young, broken or missing.

(tests/world/knot.py signs as it serves, for zones that change; it cannot serve a wrong signature.)
"""
import os
import re
import subprocess
import time

from world.dnswire import ask
from world.waiting import wait_for

SIGNER = """database:
  storage: {dir}
  kasp-db-max-size: 20M
policy:
  - id: nsec
    single-type-signing: on
    algorithm: ecdsap256sha256
    rrsig-lifetime: 14d
  - id: nsec3
    single-type-signing: on
    algorithm: ecdsap256sha256
    rrsig-lifetime: 14d
    nsec3: on
    nsec3-iterations: 0
    nsec3-opt-out: on
zone:
"""
SERVER = """server:
  rundir: {dir}
  listen: {address}@{port}
  tcp-workers: 1
  udp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: warning
database:
  storage: {dir}
  journal-db-max-size: 50M
  kasp-db-max-size: 20M
  timer-db-max-size: 1M
zone:
"""


class Zone:
    """RECORDS: lines "owner [ttl] type rdata". DS: right, wrong, strange (an algorithm nobody knows) or None. AT: days from now
    at which it is signed. SPOIL: (pattern, replacement) in the signed text."""

    def __init__(self, name, records, signed=True, ds="right", nsec3=False, at=0, spoil=None, minimum=77, address="127.0.0.1"):
        self.name, self.records, self.signed, self.ds, self.nsec3 = name, records, signed, ds, nsec3
        self.at, self.spoil, self.minimum, self.address = at, spoil, minimum, address
        self.ds_rdata = None

    def text(self, children):
        apex = self.name + "."
        lines = ["$ORIGIN " + apex, "$TTL 300", "@ 3600 SOA ns admin 1 3600 600 86400 %d" % self.minimum,
                 "@ NS ns.%s" % apex.lstrip("."), "ns.%s A %s" % (apex.lstrip("."), self.address)]
        for child in children:
            lines += ["%s. NS ns.%s." % (child.name, child.name), "ns.%s. A %s" % (child.name, child.address)]
            lines += ["%s. DS %s" % (child.name, child.ds_rdata)] if child.ds_rdata else []
        return "\n".join(lines + self.records) + "\n"


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError("%s: %s" % (" ".join(words), done.stdout + done.stderr))
    return done.stdout


class SignedZones:
    def __init__(self, folder, zones):
        """ZONES from the leaves to the root, which makes each DS known to its parent in time."""
        self.dir = folder + "/zones"
        os.makedirs(self.dir + "/signed")
        self.zones = zones
        self.servers = []
        self.conf = self.dir + "/signer.conf"
        with open(self.conf, "w") as f:
            f.write(SIGNER.format(dir=self.dir))
            for zone in zones:
                f.write('  - domain: "%s."\n    file: %s\n    dnssec-policy: %s\n' % (
                    zone.name, self.path(zone), "nsec3" if zone.nsec3 else "nsec"))
        for zone in zones:
            self.make(zone)
        self.anchor = folder + "/anchor.key"
        with open(self.anchor, "w") as f:
            f.write(". IN DS %s\n" % zones[-1].ds_rdata)

    def path(self, zone, kind=""):
        return "%s/%szone%s" % (self.dir, kind, "-" + zone.name)

    def children(self, zone):
        def parent(name):
            above = [z.name for z in self.zones if z.name != name and (z.name == "" or name.endswith("." + z.name))]
            return max(above, key=len, default=None)
        return [z for z in self.zones if z.name and parent(z.name) == zone.name]

    def make(self, zone):
        text = zone.text(self.children(zone))
        with open(self.path(zone), "w") as f:
            f.write(text)
        if zone.signed:
            run("kzonesign", "-c", self.conf, "-t", str(int(time.time()) + zone.at * 86400), "-o", self.dir + "/signed",
                zone.name + ".")
            written = "%s/signed/zone-%s" % (self.dir, zone.name)
            with open(written) as f:
                text = f.read()
            if zone.spoil:
                text, count = re.subn(*zone.spoil, text)
                assert count, zone.name
        with open(self.path(zone, "served-"), "w") as f:
            f.write(text)
        self.find_ds(zone)

    def find_ds(self, zone):
        right = None
        if zone.signed:
            lines = run("keymgr", "-c", self.conf, zone.name + ".", "ds").splitlines()
            right = next(line.split(None, 2)[2] for line in lines if line.split()[4] == "2")
        zone.ds_rdata = {None: None, "right": right, "strange": "12345 200 2 " + "ab" * 32,
                         "wrong": "12345 13 2 " + "ab" * 32}[zone.ds]

    def serve(self, address, port, zones=None):
        """A knotd for these zones; several may run."""
        folder = "%s/server-%s-%d" % (self.dir, address, port)
        os.mkdir(folder)
        with open(folder + "/knot.conf", "w") as f:
            f.write(SERVER.format(dir=folder, address=address, port=port))
            for zone in zones or self.zones:
                f.write('  - domain: "%s."\n    file: %s\n    zonefile-load: whole\n    journal-content: none\n' % (
                    zone.name, self.path(zone, "served-")))
        with open(folder + "/log", "w") as log:
            server = subprocess.Popen(["knotd", "-c", folder + "/knot.conf"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.servers.append(server)

        def up(zone):
            if server.poll() is not None:
                raise RuntimeError("knotd: " + open(folder + "/log").read())
            try:
                return ask(address, zone.name, "SOA", port)[0] == 0
            except OSError:
                return False
        for zone in zones or self.zones:
            wait_for("zone %s. at %s" % (zone.name, address), lambda z=zone: up(z), 30)

    def stop(self):
        for server in self.servers:
            server.terminate()
        for server in self.servers:
            server.wait()
