#!/usr/bin/python3
"""The wire of tlsmode-mapd (CONFORMANCE L): the vector rows, order, pieces, bounds, one client's faults and the others' peace."""
import json
import os
import socket
import sys
import time

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from mapd_room import SHARED, Room, grammar, main, netstrings, read_all, request, wait_for  # noqa: E402

# Literals need no DNS: an answer in time, OK or NOTFOUND by the map.
HIT = "[192.0.2.1]"
STRICT = "OK encrypt protocols=>=TLSv1.2"


def connect(room):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(room.where[len("unix:"):])
    return s


def replies(sock, count):
    data, found = b"", []
    while len(found) < count:
        more = sock.recv(65536)
        if not more:
            break
        got, data = netstrings(data + more)
        found += got
    return found


def ask_raw(room, wire, shut=True):
    """All that comes for WIRE until the server closes."""
    with connect(room) as s:
        try:
            s.sendall(wire)
            if shut:
                s.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return netstrings(read_all(s))[0]


def vectors(tap, room):
    path = os.path.join(SHARED, "vectors", "i_socketmap_wire.jsonl")
    if not os.path.exists(path):
        tap.skip("the rows of i_socketmap_wire.jsonl", "shared/vectors is not there")
        return
    for line in open(path, encoding="utf-8"):
        row = json.loads(line)
        vector(tap, room, row["id"], row["wire"], row["expect"], row["desc"])


def vector(tap, room, ident, wire, expect, desc):
    """MAP stands for a policy map. Rows that need a zone are about their reply's form here; tests/e2e has the zones."""
    name = "%s %s" % (ident, desc)
    length, _, payload = wire.partition(":")
    if payload.startswith("MAP ") and length.strip("0").isdigit() and payload.endswith(",") and ident not in ("SM-025",):
        parts = wire.split("MAP ")
        wire = "".join(request("opportunistic", part.rstrip("0123456789:").rstrip(",")).decode() for part in parts[1:]) \
            if len(parts) > 2 else request("opportunistic", payload[4:-1]).decode()
    elif ident == "SM-025":
        wire = "0" + request("opportunistic", payload[4:-1]).decode()
    elif payload.startswith("MAP "):
        wire = wire.replace("MAP ", "QUERY ").replace("13:", "15:").replace("17:", "19:")
    got = ask_raw(room, wire.encode())
    if "close" in expect and "or close" not in expect:
        tap.equal(got, [], name)
    elif expect == "NOTFOUND" and not payload.startswith(("MAP valid", "MAP no-record", "MAP [no-record")) or "no DNS query" in expect:
        tap.equal(got, ["NOTFOUND "], name)
    elif expect.startswith("PERM"):
        tap.ok(len(got) == 1 and got[0].startswith("TEMP "), name, got)
    else:
        faults = [grammar.reply_fault("opportunistic", r) for r in got]
        tap.ok(len(got) == wire.count(" ") and not any(faults), name, got, faults)


def test_order(tap, room):
    with connect(room) as s:
        s.sendall(b"".join(request("enforced", "[192.0.2.%d]" % (i % 250)) if i % 3 else request("transport", "u%d@x.test" % i)
                           for i in range(1000)))
        got = replies(s, 1000)
    want = [STRICT if i % 3 else "NOTFOUND " for i in range(1000)]
    tap.equal(got, want, "SM-01 1000 pipelined requests are answered in order")
    with connect(room) as s:
        for octet in request("enforced", HIT):
            s.sendall(bytes([octet]))
            time.sleep(0.001)  # each octet a segment of its own
        tap.equal(replies(s, 1), [STRICT], "SM-05 a request that comes octet by octet")
    with connect(room) as s:
        for part in (b"0", b"0", b"2", b"0:enforced ", b"[192.0.2.1]", b","):
            s.sendall(part)
        tap.equal(replies(s, 1), [STRICT], "SM-05 a request in pieces with leading zeros")


def test_slow_name(tap, room):
    with connect(room) as slow, connect(room) as other:
        slow.sendall(request("enforced", "slow.test") + request("enforced", HIT))
        begun = time.monotonic()
        done = 0
        slow.setblocking(False)
        while time.monotonic() - begun < 0.5:
            other.sendall(request("enforced", HIT))
            assert replies(other, 1) == [STRICT]
            done += 1
            try:
                raise AssertionError("the slow name was answered early: %r" % slow.recv(1000))
            except BlockingIOError:
                pass
        tap.ok(done > 100, "a slow name holds back no other connection", "%d answers meanwhile" % done)
        slow.setblocking(True)
        slow.settimeout(30)
        got = replies(slow, 2)
        tap.ok(len(got) == 2 and got[0].startswith("TEMP ") and got[1] == STRICT, "and its own connection in order only", got)


def test_many_ask_one(tap, room):
    room.dns.questions()
    before = room.metric("tlsmode_mapd_jobs_started_total")
    clients = [connect(room) for _ in range(50)]
    for s in clients:
        s.sendall(request("verified", "many.test"))
    got = [replies(s, 1)[0] for s in clients]
    for s in clients:
        s.close()
    tap.ok(all(r.startswith("TEMP ") for r in got), "fifty ask for one name", got[:2])
    tap.equal(room.metric("tlsmode_mapd_jobs_started_total") - before, 1.0, "one job answers them all")


def test_max_jobs(tap):
    with Room({"mapd": {"max_jobs": 3}}) as room:
        room.start()
        room.live()
        slow = connect(room)
        slow.sendall(b"".join(request("enforced", "job%d.test" % i) for i in range(3)))
        wait_for("three jobs", lambda: room.metric("tlsmode_mapd_jobs") == 3)
        tap.equal(room.ask("enforced", "onemore.test"), "TEMP too many domains are being looked up", "beyond max_jobs a name is TEMP at once")
        tap.equal(room.ask("enforced", HIT), STRICT, "and what needs no job is answered")
        slow.sendall(request("verified", "job1.test"))
        got = replies(slow, 4)
        slow.close()
        tap.ok(all("could not be looked up" in g for g in got), "whoever asks for a name under way joins its job", got)


def test_faults(tap, room):
    bad = [("no digits", b":x,"), ("letters", b"GET / HTTP/1.0\r\n\r\n"), ("no comma", b"5:QUERYx"), ("too long", b"10101:"),
           ("huge", b"99999999999999999999:"), ("negative", b"-1:x,"), ("nothing but NULs", b"\0" * 100),
           ("a TLS hello", b"\x16\x03\x01\x02\x00\x01")]
    with room_client(room) as witness:
        for name, wire in bad:
            tap.equal(ask_raw(room, wire, shut=False), [], "SM-05 %s: the connection is closed" % name)
            tap.equal(witness.ask("enforced", HIT), STRICT, "SM-05 %s: another client notices nothing" % name)
        room.logged("event=client_dropped reason=\"no digits|event=client_dropped reason=\"no length")
        got = ask_raw(room, request("enforced", HIT) + b"5:QUERYx", shut=False)
        tap.equal(got, [STRICT], "what came before the malformed request is answered")
        for name, key in (("NUL", "a\0b"), ("a key of 10,000 octets", "x" * 10000), ("blanks", "a b c"), ("controls", "a\tb\x7f"),
                          ("not UTF-8", "\udcff\udcfe")):
            wire = b"enforced " + key.encode("utf-8", "surrogateescape")
            got = ask_raw(room, b"%d:%s," % (len(wire), wire))
            tap.ok(len(got) == 1 and not grammar.reply_fault("enforced", got[0]), "SM-05 %s in a key: %s" % (name, got))
        got = ask_raw(room, request("enforced", HIT) * 3)
        tap.equal(got, [STRICT] * 3, "SM-05 a half-closed client gets its answers")
        got = ask_raw(room, request("enforced", "half.test") + request("enforced", HIT))
        tap.ok(len(got) == 2 and got[1] == STRICT, "SM-05 a half-closed client gets its slow answers too", got)
        for _ in range(50):
            with connect(room) as s:
                s.sendall(request("status", "all") * 100)  # gone in the middle of its answers
        for _ in range(20):
            with connect(room) as s:
                s.sendall(request("enforced", "gone.test"))  # gone before its answer
        tap.equal(witness.ask("enforced", HIT), STRICT, "SM-05 clients that go in mid reply harm nobody")
    wait_for("the end of all clients", lambda: room.metric("tlsmode_mapd_clients") == 0)
    wait_for("no request waiting", lambda: room.metric("tlsmode_mapd_requests_waiting") == 0)
    tap.ok(True, "no connection and no request is left over")


class room_client:
    def __init__(self, room):
        self.client = room.client()

    def __enter__(self):
        return self.client

    def __exit__(self, *_):
        self.client.close()


def test_not_taken(tap, room):
    """A client that asks and never reads costs bounded memory, and others are served."""
    with connect(room) as s:
        s.setblocking(False)
        sent = 0
        wire = request("status", "all") * 100
        deadline = time.monotonic() + 2
        stuck = 0
        while time.monotonic() < deadline and stuck < 20:
            try:
                sent += s.send(wire)
                stuck = 0
            except BlockingIOError:
                stuck += 1
                assert room.ask("enforced", HIT) == STRICT
        tap.ok(stuck >= 20, "a client that never reads is not read either", "%d octets went" % sent)


def test_max_clients(tap):
    with Room({"mapd": {"max_clients": 5}}) as room:
        room.start()
        wait_for("the end of all clients", lambda: room.metric("tlsmode_mapd_clients") == 0)
        held = [room.client() for _ in range(5)]
        for client in held:
            client.ask("enforced", HIT)
        with connect(room) as s:
            tap.equal(read_all(s), b"", "beyond max_clients a connection is closed")
        room.logged("event=client_refused")
        tap.equal(held[0].ask("enforced", HIT), STRICT, "the others go on")
        held.pop().close()
        wait_for("room again", lambda: room.metric("tlsmode_mapd_clients") == 4)
        tap.equal(room.ask("enforced", HIT), STRICT, "and there is room again when one goes")
        for client in held:
            client.close()


def test(tap):
    for first in (test_slow_name, test_many_ask_one):  # a resolver soon knows that its server is silent: each needs a new one
        with Room() as room:
            room.start()
            room.live()
            first(tap, room)
            tap.equal(room.stop(), 0, "a clean end")
    with Room() as room:
        room.start()
        room.live()
        vectors(tap, room)
        test_order(tap, room)
        test_faults(tap, room)
        test_not_taken(tap, room)
        tap.equal(room.stop(), 0, "a clean end")
    test_max_clients(tap)
    test_max_jobs(tap)


main(test)
