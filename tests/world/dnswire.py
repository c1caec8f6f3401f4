"""DNS messages in the little that the world needs: ask one question, read and write records in presentation form.

Not a resolver and not a validator. Used by knot.py (is the zone there, what is its DS) and faultdns.py (a server that fails as told).
"""
import random
import socket
import struct

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "DS": 43, "DNSKEY": 48, "TLSA": 52,
         "CDS": 59}
TYPE_NAMES = {number: name for name, number in TYPES.items()}
RCODES = {"noerror": 0, "formerr": 1, "servfail": 2, "nxdomain": 3, "refused": 5}


def pack_name(name):
    labels = [label for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def unpack_name(wire, at):
    labels, end = [], None
    while wire[at]:
        if wire[at] >= 0xC0:
            end = end or at + 2
            at = (wire[at] & 0x3F) << 8 | wire[at + 1]
            continue
        labels.append(wire[at + 1:at + 1 + wire[at]].decode("latin-1").lower())
        at += 1 + wire[at]
    return ".".join(labels) + ".", end or at + 1


def strings(text):
    """TXT presentation form: "a" "b" or one bare word."""
    return [part for i, part in enumerate(text.split('"')) if i % 2] if '"' in text else [text]


def pack_rdata(rtype, text):
    words = text.split()
    if rtype == "A":
        return socket.inet_aton(text)
    if rtype == "AAAA":
        return socket.inet_pton(socket.AF_INET6, text)
    if rtype in ("NS", "CNAME"):
        return pack_name(text)
    if rtype == "MX":
        return struct.pack("!H", int(words[0])) + pack_name(words[1])
    if rtype == "TXT":
        return b"".join(bytes([len(s.encode())]) + s.encode() for s in strings(text))
    if rtype == "TLSA":
        return bytes(int(w) for w in words[:3]) + bytes.fromhex("".join(words[3:]))
    if rtype == "SOA":
        return pack_name(words[0]) + pack_name(words[1]) + struct.pack("!5I", *(int(w) for w in words[2:7]))
    raise ValueError("no presentation form for " + rtype)


def question(name, rtype, ident=None, do=False):
    ident = random.randrange(65536) if ident is None else ident
    edns = b"\0" + struct.pack("!HHIH", 41, 4096, 0x8000 if do else 0, 0)
    return struct.pack("!6H", ident, 0x0100, 1, 0, 0, 1) + pack_name(name) + struct.pack("!HH", TYPES[rtype], 1) + edns


def records(wire):
    """(rcode, AD bit, [(owner, type name or number, ttl, rdata octets)] of the answer section)."""
    _, flags, questions, answers, _, _ = struct.unpack("!6H", wire[:12])
    at, found = 12, []
    for _ in range(questions):
        at = unpack_name(wire, at)[1] + 4
    for _ in range(answers):
        owner, at = unpack_name(wire, at)
        rtype, _, ttl, size = struct.unpack("!HHIH", wire[at:at + 10])
        found.append((owner, TYPE_NAMES.get(rtype, rtype), ttl, wire[at + 10:at + 10 + size]))
        at += 10 + size
    return flags & 15, bool(flags & 0x20), found


def ask(server, name, rtype, port=53, seconds=5.0, do=False):
    """One question by TCP (no truncation to think of); OSError when nobody answers."""
    with socket.create_connection((server, port), seconds) as s:
        wire = question(name, rtype, do=do)
        s.sendall(struct.pack("!H", len(wire)) + wire)
        with s.makefile("rb") as f:
            size = f.read(2)
            if len(size) < 2:
                raise OSError("no answer from %s" % server)
            return records(f.read(struct.unpack("!H", size)[0]))
