"""A forwarder for tests: hands questions on to a real server, except where it is told to fail."""
import selectors
import socket
import struct
import threading

from world.dnswire import RCODES, unpack_name
from world.space import free_port


class Front:
    """FAULTS: {suffix of the name: "servfail", "refused" or "silent"}. STRIPS: takes EDNS out of each question, as an old forwarder
    that knows nothing of DNSSEC does, so no signature ever comes back."""

    def __init__(self, server, faults=None, strips=False, port=0):
        self.server, self.faults, self.strips = server, dict(faults or {}), strips
        self.dead = False   # answers nothing at all
        self.asked = []     # (name, type number) of every question, in order
        self.tcp_asked = 0
        self.waiting = {}   # our id -> (client, its id)
        self.next_id = 0
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", port or free_port("127.0.0.1")))  # one that the system gives for UDP may be taken for TCP
        self.port = self.udp.getsockname()[1]
        self.tcp = socket.create_server(("127.0.0.1", self.port))
        self.up = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.up.connect(server)
        for s in (self.udp, self.up):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.stopping = False
        self.threads = [threading.Thread(target=t, daemon=True) for t in (self.serve_udp, self.serve_tcp)]
        for thread in self.threads:
            thread.start()

    def fault(self, wire):
        name, at = unpack_name(wire, 12)
        self.asked.append((name.rstrip("."), struct.unpack("!H", wire[at:at + 2])[0]))
        if self.dead:
            return "silent"
        return next((f for suffix, f in self.faults.items() if name.rstrip(".").endswith(suffix)), None)

    def question(self, wire):
        if not self.strips:
            return wire
        _, end = unpack_name(wire, 12)
        return wire[:10] + b"\0\0" + wire[12:end + 4]  # no additional section

    @staticmethod
    def failure(wire, fault):
        _, end = unpack_name(wire, 12)
        return wire[:2] + struct.pack("!5H", 0x8180 | RCODES[fault], 1, 0, 0, 0) + wire[12:end + 4]

    def from_client(self):
        wire, client = self.udp.recvfrom(4096)
        fault = self.fault(wire)
        if fault == "silent":
            return
        if fault:
            self.udp.sendto(self.failure(wire, fault), client)
            return
        self.next_id = (self.next_id + 1) % 65536
        self.waiting[self.next_id] = (client, wire[:2])
        self.up.send(struct.pack("!H", self.next_id) + self.question(wire)[2:])

    def from_server(self):
        wire = self.up.recv(65536)
        client, ident = self.waiting.pop(struct.unpack("!H", wire[:2])[0], (None, None))
        if client:
            flags = struct.unpack("!H", wire[2:4])[0] & ~0x0400 | 0x0080  # a recursive server's answer: RA, not AA
            self.udp.sendto(ident + struct.pack("!H", flags) + wire[4:], client)

    def serve_udp(self):
        ready = selectors.DefaultSelector()
        ready.register(self.udp, selectors.EVENT_READ, self.from_client)
        ready.register(self.up, selectors.EVENT_READ, self.from_server)
        while not self.stopping:
            for key, _ in ready.select(0.2):
                try:
                    key.data()
                except OSError:
                    pass  # the real server is away: nothing to hand on

    def serve_tcp(self):
        self.tcp.settimeout(0.2)
        while not self.stopping:
            try:
                client, _ = self.tcp.accept()
            except OSError:
                continue
            threading.Thread(target=self.serve_stream, args=(client,), daemon=True).start()

    def serve_stream(self, client):
        with client, client.makefile("rb") as f, socket.create_connection(self.server, 5) as up, up.makefile("rb") as answers:
            while size := f.read(2):
                wire = f.read(struct.unpack("!H", size)[0])
                self.tcp_asked += 1
                if self.fault(wire) == "silent":
                    continue
                wire = self.question(wire)
                up.sendall(struct.pack("!H", len(wire)) + wire)
                size = answers.read(2)
                client.sendall(size + answers.read(struct.unpack("!H", size)[0]))

    def stop(self):
        """Its port is closed afterwards: what is asked there is refused by the kernel."""
        self.stopping = True
        for thread in self.threads:
            thread.join()
        for s in (self.udp, self.tcp, self.up):
            s.close()
