"""A DNS server that fails as told: silent, SERVFAIL, REFUSED, or answers per name and type. For zones delegated away from knot.

Its answers are unsigned. It notes every question. Listens on UDP and TCP at ADDRESS and wherever a zone of it says.
"""
import socket
import struct
import threading

from .dnswire import RCODES, TYPE_NAMES, TYPES, pack_name, pack_rdata, unpack_name

ADDRESS = "127.0.0.5"


class FaultDns:
    """ZONES: zones.Zone objects with server=ADDRESS. FAULTS: {(name with dot, type or "*"): fault}; fault is a word of RCODES or "silent"."""

    def __init__(self, zones=(), faults=None, port=53):
        self.zones = {zone.name: zone for zone in zones}
        self.faults = dict(faults or {})
        self.asked = []
        self.sockets = []
        for address in {ADDRESS} | {zone.server for zone in self.zones.values()}:
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.bind((address, port))
            tcp = socket.create_server((address, port))
            self.sockets += [udp, tcp]
            for serve, listener in ((self.serve_udp, udp), (self.serve_tcp, tcp)):
                threading.Thread(target=serve, args=(listener,), daemon=True).start()

    def serve_udp(self, udp):
        while True:
            try:
                wire, peer = udp.recvfrom(4096)
            except OSError:
                return
            answer = self.answer(wire)
            if answer:
                udp.sendto(answer, peer)

    def serve_tcp(self, tcp):
        while True:
            try:
                peer, _ = tcp.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_stream, args=(peer,), daemon=True).start()

    def serve_stream(self, peer):
        with peer, peer.makefile("rb") as f:
            while size := f.read(2):
                answer = self.answer(f.read(struct.unpack("!H", size)[0]))
                if answer:
                    peer.sendall(struct.pack("!H", len(answer)) + answer)

    def fault(self, name, rtype):
        """The closest fault: this name and type, this name, any name above."""
        rest = name
        while True:
            for key in ((rest, rtype), (rest, "*")):
                if key in self.faults and (rest == name or key[1] == "*"):
                    return self.faults[key]
            if rest in (".", ""):
                return None
            rest = rest.partition(".")[2] or "."

    def answer(self, wire):
        ident, flags = struct.unpack("!HH", wire[:4])
        name, at = unpack_name(wire, 12)
        rtype = TYPE_NAMES.get(struct.unpack("!H", wire[at:at + 2])[0], "?")
        self.asked.append((name.rstrip("."), rtype))
        fault = self.fault(name, rtype)
        if fault == "silent":
            return None
        found = [] if fault else self.look_up(name, rtype)
        rcode = RCODES[fault] if fault else 0 if found or self.exists(name) else RCODES["nxdomain"]
        soa = [] if found or fault else self.soa(name)
        head = struct.pack("!6H", ident, 0x8400 | flags & 0x0100 | rcode, 1, len(found), len(soa), 0)
        return head + wire[12:at + 4] + b"".join(self.pack(*record) for record in found + soa)

    def zone_of(self, name):
        fits = [z for z in self.zones.values() if name == z.name + "." or name.endswith("." + z.name + ".")]
        return max(fits, key=lambda z: len(z.name), default=None)

    def look_up(self, name, rtype):
        zone, found = self.zone_of(name), []
        if zone and name == zone.name + "." and rtype == "NS":
            return [(name, "NS", zone.ttl, "ns." + name)]
        if zone and name == "ns." + zone.name + "." and rtype == "A":
            return [(name, "A", zone.ttl, zone.server)]
        for _ in range(10):
            for kind in (rtype, "CNAME"):
                ttl, many = zone.sets.get((name, kind), (0, [])) if zone else (0, [])
                found += [(name, kind, ttl, rdata) for rdata in many]
                if many:
                    break
            if not many or kind != "CNAME" or rtype == "CNAME":
                break
            name = many[0]
        return found

    def exists(self, name):
        zone = self.zone_of(name)
        return zone and (name == zone.name + "." or name == "ns." + zone.name + "." or any(
            owner == name or owner.endswith("." + name) for owner, _ in zone.sets))

    def soa(self, name):
        zone = self.zone_of(name)
        if not zone:
            return []
        return [(zone.name + ".", "SOA", zone.minimum, "ns.%s. admin.%s. 1 3600 600 86400 %d" % (
            zone.name, zone.name, zone.minimum))]

    @staticmethod
    def pack(owner, rtype, ttl, rdata):
        data = pack_rdata(rtype, rdata)
        return pack_name(owner) + struct.pack("!HHIH", TYPES[rtype], 1, ttl, len(data)) + data

    def stop(self):
        for s in self.sockets:
            s.close()
