"""The MTA's side of the milter protocol (version 6), for tests: packets, negotiation, and what an MTA does with the edits."""
import socket
import struct

ACTIONS = {"addhdrs": 0x01, "chghdrs": 0x10, "chgfrom": 0x40, "setsymlist": 0x100}
ALL_ACTIONS = 0x1FF
ALL_STEPS = 0x1FFFFF
STEPS = {"noconnect": 0x1, "nohelo": 0x2, "nomail": 0x4, "norcpt": 0x8, "nobody": 0x10, "nohdrs": 0x20, "noeoh": 0x40, "nr_hdr": 0x80,
         "nounknown": 0x100, "nodata": 0x200, "nr_mail": 0x4000, "nr_rcpt": 0x8000}


class Closed(Exception):
    """The milter has closed the connection."""


def connect(address, timeout=10):
    if isinstance(address, tuple):
        s = socket.create_connection(address, timeout)
    else:
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        s.connect(address)
    return s


class Session:
    """One connection. Message steps keep a list of header fields and apply the milter's edits to it as Postfix does."""

    def __init__(self, address, actions=ALL_ACTIONS, steps=ALL_STEPS, negotiate=True):
        self.sock = connect(address)
        self.headers = []
        self.sender = None
        self.args = []
        self.macros_wanted = {}
        self.rcpts = 0
        if negotiate:
            self.negotiate(actions, steps)

    # ---- packets ----
    def send(self, command, data=b""):
        try:
            self.sock.sendall(struct.pack("!Ic", len(data) + 1, command) + data)
        except (BrokenPipeError, ConnectionResetError) as e:
            raise Closed from e

    def read(self, n):
        data = b""
        while len(data) < n:
            try:
                part = self.sock.recv(n - len(data))
            except ConnectionResetError as e:
                raise Closed from e
            if not part:
                raise Closed
            data += part
        return data

    def receive(self):
        (n,) = struct.unpack("!I", self.read(4))
        data = self.read(n)
        return data[:1], data[1:]

    def silent(self, seconds=0.05):
        """Nothing comes within SECONDS (only used where silence is what is claimed)."""
        self.sock.settimeout(seconds)
        try:
            return self.sock.recv(1) == b"never"
        except socket.timeout:
            return True
        finally:
            self.sock.settimeout(10)

    def negotiate(self, actions, steps):
        self.send(b"O", struct.pack("!III", 6, actions, steps))
        kind, data = self.receive()
        if kind != b"O":
            raise Closed("negotiation answered %r" % kind)
        self.version, self.actions, self.steps = struct.unpack("!III", data[:12])
        rest = data[12:]
        while rest:
            (stage,) = struct.unpack("!I", rest[:4])
            names, rest = rest[4:].split(b"\0", 1)
            self.macros_wanted[stage] = names.decode()

    def replies_to(self, step):
        return not self.steps & STEPS["nr_" + step]

    # ---- steps of a message ----
    def macros(self, command, pairs):
        self.send(b"D", command + b"".join(k.encode() + b"\0" + v.encode("utf-8", "surrogateescape") + b"\0" for k, v in pairs))

    def expect_continue(self):
        kind, data = self.receive()
        if kind != b"c":
            raise AssertionError("expected continue, got %r %r" % (kind, data))

    def mail(self, sender, args=(), login=None):
        self.headers, self.args, self.rcpts = [], list(args), 0
        self.sender = sender if isinstance(sender, bytes) else sender.encode()
        wanted = self.macros_wanted.get(2, "{mail_addr}").split()
        known = {"{mail_addr}": self.sender.strip(b"<>").decode("latin1")}
        if login is not None:
            known["{auth_authen}"] = login
        self.macros(b"M", [(name, known[name]) for name in wanted if name in known])
        self.send(b"M", self.sender + b"\0" + b"".join(a.encode() + b"\0" for a in args))
        if self.replies_to("mail"):
            self.expect_continue()

    def rcpt(self, rcpt, mailer=None, queue_id=None):
        """The reply, None where none is due. MAILER: the transport that the MTA would take, if it says so."""
        self.rcpts += 1
        if self.steps & STEPS["norcpt"]:
            return None
        known = {"i": queue_id, "{rcpt_addr}": rcpt.strip("<>"), "{rcpt_mailer}": mailer}
        wanted = self.macros_wanted.get(3, "i {rcpt_addr} {rcpt_mailer}").split()
        self.macros(b"R", [(name, known[name]) for name in wanted if known.get(name) is not None])
        self.send(b"R", rcpt.encode() + b"\0")
        if not self.replies_to("rcpt"):
            return None
        kind, data = self.receive()
        return kind, data.rstrip(b"\0")

    def need_rcpt(self):
        """No MTA sends a message without a recipient, and libmilter waits for one where it has asked for them."""
        if not self.rcpts:
            self.rcpt("<somebody@local.test>", "local")

    def header(self, name, value):
        self.need_rcpt()
        name = name if isinstance(name, bytes) else name.encode()
        value = value if isinstance(value, bytes) else value.encode()
        self.headers.append([name, value])
        self.send(b"L", name + b"\0" + value + b"\0")
        if self.replies_to("hdr"):
            self.expect_continue()

    def abort(self):
        self.send(b"A")

    def end(self, queue_id="QID"):
        """The end of the message: applies the edits and returns the last reply, e.g. (b"c", b"") or (b"y", b"451 4.7.0 text")."""
        self.need_rcpt()
        self.macros(b"E", [("i", queue_id)] if queue_id is not None else [])
        self.send(b"E")
        while True:
            kind, data = self.receive()
            if kind == b"i":
                self.insert(data)
            elif kind == b"m":
                self.change(data)
            elif kind == b"e":
                parts = data.rstrip(b"\0").split(b"\0")
                self.sender = parts[0]
                self.args = [a for a in self.args if not a.upper().startswith("RET=")] + [p.decode() for p in parts[1:]]
            elif kind in (b"h", b"p"):
                raise AssertionError("unexpected %r" % kind)
            else:
                return kind, data.rstrip(b"\0")

    def insert(self, data):
        (index,) = struct.unpack("!I", data[:4])
        name, value = data[4:].split(b"\0")[:2]
        if b"\n" in value or b"\r" in value or len(name) + len(value) > 990:
            raise AssertionError("unfit header %r" % data)
        self.headers.insert(max(index - 1, 0), [name, value])

    def change(self, data):
        (index,) = struct.unpack("!I", data[:4])
        name, value = data[4:].split(b"\0")[:2]
        if value:
            raise AssertionError("only removals are expected, got %r" % data)
        seen = 0
        for i, (n, _) in enumerate(self.headers):
            seen += n.rstrip().lower() == name.lower()
            if seen == index:
                del self.headers[i]
                return
        raise AssertionError("no header %d of %r to remove" % (index, name))

    def message(self, sender, headers=(), args=(), login=None, queue_id="QID"):
        self.mail(sender, args, login)
        for name, value in headers:
            self.header(name, value)
        return self.end(queue_id)

    def tags(self, name=b"X-TLS-Mode"):
        return [v.decode() for n, v in self.headers if n.rstrip().lower() == name.lower()]

    def quit(self):
        self.send(b"Q")
        self.sock.close()

    def close(self):
        self.sock.close()
