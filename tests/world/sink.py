"""Receivers of mail: one process, many addresses, each with its own behaviour; every event is kept and written as a JSON line.

Events: connect, ehlo, starttls (what was answered), tls (version, cipher, sni, resumed), tls-failed, mail, rcpt, octets, message,
unfinished, quit; each names its receiver (sink) and its connection (a number). octets comes with the first octets after DATA,
whether or not a whole message follows; message when it is complete; unfinished when the connection ended before. All three have
sender, rcpts, peer (the client's address) and tls ("" in the clear); message has the octets seen in the clear and the text.
Sinks.clear has every line that arrived in the clear, as it arrives, whatever it was.
"""
import contextlib
import dataclasses
import itertools
import json
import socket
import ssl
import threading
import time

VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1,
            "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


@dataclasses.dataclass
class Receiver:
    """STARTTLS: "offer", "none" (not announced), "454" (announced, refused), "garbage" (announced, no handshake), "cut"
    (announced, then the connection ends). TLS: lowest and highest version. DATA: "take", or "cut": with TLS the connection ends
    after the first line of a message. REPLY answers the end of a message."""
    name: str
    address: str
    pair: object = None  # certs.Pair; its cert may be a chain
    starttls: str = "offer"
    tls: tuple = ("1.2", "1.3")
    reply: str = "250 2.0.0 taken"
    rcpt: str = "250 2.1.5 ok"
    data: str = "take"
    port: int = 25
    context: object = None  # an ssl.SSLContext in place of one for each connection: clients may resume their TLS sessions


class Session:
    """One connection with a receiver."""

    def __init__(self, sinks, receiver, connection, number=0):
        self.sinks, self.receiver, self.connection = sinks, receiver, connection
        self.number, self.file, self.peer = number, connection.makefile("rb"), connection.getpeername()[0]
        self.tls = self.sni = self.cipher = ""
        self.clear = 0
        self.sender, self.rcpts = None, []

    def note(self, event, **more):
        self.sinks.note(self.receiver.name, event, connection=self.number, **more)

    def say(self, text):
        self.connection.sendall(text.encode() + b"\r\n")

    def line(self):
        line = self.file.readline(4096)
        if not self.tls and line:
            self.clear += len(line)
            self.sinks.clear.append((self.receiver.name, line))
        return line.decode("latin-1").rstrip("\r\n") if line else None

    def serve(self):
        self.note("connect")
        self.say("220 %s ESMTP sink" % self.receiver.name)
        while (line := self.line()) is not None:
            word = line.split(":")[0].split(" ")[0].upper()
            if word == "QUIT":
                self.note("quit")
                self.say("221 2.0.0 bye")
                return
            answer = getattr(self, "on_" + word.lower(), None)
            if answer is None:
                self.say("502 5.5.2 unknown")
            elif answer(line) is False:
                return

    def on_ehlo(self, line):
        self.note("ehlo", name=line[5:])
        words = [self.receiver.name, "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"]
        if self.receiver.starttls != "none" and not self.tls:
            words.append("STARTTLS")
        self.say("\r\n".join("250%s%s" % ("-" if i + 1 < len(words) else " ", w) for i, w in enumerate(words)))

    def on_helo(self, line):
        self.say("250 " + self.receiver.name)

    def on_starttls(self, line):
        kind = self.receiver.starttls
        self.note("starttls", answer=kind)
        if kind == "454":
            self.say("454 4.7.0 TLS not available")
            return True
        if kind == "none":
            self.say("502 5.5.1 no")
            return True
        if kind == "cut":
            return False
        self.say("220 2.0.0 go")
        if kind == "garbage":
            self.connection.sendall(b"this is no handshake\r\n" * 3)
            return False
        return self.handshake()

    def fresh_context(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        low, high = self.receiver.tls
        if low < "1.2":
            context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = VERSIONS[low], VERSIONS[high]
        context.load_cert_chain(self.receiver.pair.cert, self.receiver.pair.key)
        context.sni_callback = lambda sock, name, ctx: setattr(self, "sni", name or "")
        return context

    def handshake(self):
        context = self.receiver.context or self.fresh_context()
        try:
            self.connection = context.wrap_socket(self.connection, server_side=True)
        except (OSError, ssl.SSLError) as error:
            self.note("tls-failed", why=str(error))
            return False
        self.file = self.connection.makefile("rb")
        self.tls, self.cipher = self.connection.version(), self.connection.cipher()[0]
        self.note("tls", version=self.tls, cipher=self.cipher, sni=self.sni, resumed=self.connection.session_reused)
        return True

    def on_mail(self, line):
        self.sender, self.rcpts = line[line.find("<") + 1:line.find(">")], []
        self.note("mail", line=line)
        self.say("250 2.1.0 ok")

    def on_rcpt(self, line):
        self.rcpts.append(line[line.find("<") + 1:line.find(">")])
        self.note("rcpt", line=line)
        self.say(self.receiver.rcpt)

    def on_data(self, line):
        self.say("354 go on")
        envelope = {"sender": self.sender, "rcpts": self.rcpts, "peer": self.peer, "tls": self.tls}
        text = []
        while (line := self.line()) not in (".", None):
            if not text:
                self.note("octets", **envelope)
            text.append(line[1:] if line.startswith("..") else line)
            if self.tls and self.receiver.data == "cut":
                line = None
                break
        if line is None:
            self.note("unfinished", lines=len(text), **envelope)
            return False
        self.note("message", **envelope, cipher=self.cipher, sni=self.sni, clear=self.clear, text="\n".join(text))
        self.say(self.receiver.reply)
        return True

    def on_rset(self, line):
        self.say("250 2.0.0 ok")

    on_noop = on_rset


def hang_up(connection):
    """Now, whoever still holds a file of it: the other side waits for the end."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


class Sinks:
    """All receivers. events grows; await_event() waits for the first that fits."""

    def __init__(self, log=None):
        self.events = []
        self.clear = []  # (receiver's name, octets of one line)
        self.connections = itertools.count(1)
        self.changed = threading.Condition()
        self.log = open(log, "a", buffering=1) if log else None
        self.sockets = {}
        self.receivers = {}

    def add(self, receiver):
        """Opens it, or changes the behaviour of one that is open from its next connection on."""
        key = (receiver.address, receiver.port)
        self.receivers[key] = receiver
        if key not in self.sockets:
            self.sockets[key] = socket.create_server(key, backlog=50)
            threading.Thread(target=self.accept, args=(key,), daemon=True).start()

    def close(self, receiver):
        """Nobody listens there any more."""
        key = (receiver.address, receiver.port)
        listener = self.sockets.pop(key, None)
        if listener:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def accept(self, key):
        while True:
            try:
                connection, _ = self.sockets[key].accept()
            except (OSError, KeyError):
                return
            threading.Thread(target=self.serve, args=(key, connection), daemon=True).start()

    def serve(self, key, connection):
        connection.settimeout(300)
        session = None
        try:
            session = Session(self, self.receivers[key], connection, next(self.connections))
            session.serve()
        except OSError:
            pass  # a client that goes away
        finally:
            hang_up(session.connection if session else connection)

    def note(self, sink, event, **more):
        entry = {"at": round(time.time(), 3), "sink": sink, "event": event, **more}
        with self.changed:
            self.events.append(entry)
            if self.log:
                self.log.write(json.dumps(entry) + "\n")
            self.changed.notify_all()

    def find(self, fits, since=0):
        return next((e for e in self.events[since:] if fits(e)), None)

    def await_event(self, fits, seconds=15, since=0):
        """The first event for which FITS is true; None when none came in time."""
        with self.changed:
            self.changed.wait_for(lambda: self.find(fits, since), seconds)
            return self.find(fits, since)

    def messages(self, fits=lambda e: True):
        with self.changed:
            return [e for e in self.events if e["event"] == "message" and fits(e)]
