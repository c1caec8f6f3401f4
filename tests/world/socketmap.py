"""A client of the socketmap protocol as Postfix is one, and the grammar of its policies applied to every reply."""
import socket

from . import grammar


class Socketmap:
    """One connection. WHERE is "unix:/path" or "inet:ADDRESS:PORT"."""

    def __init__(self, where, seconds=30):
        kind, _, rest = where.partition(":")
        if kind == "unix":
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(seconds)
            self.socket.connect(rest)
        else:
            self.socket = socket.create_connection(rest.rsplit(":", 1), seconds)
        self.file = self.socket.makefile("rb")

    def send(self, name, key):
        text = name.encode() + b" " + (key if isinstance(key, bytes) else key.encode())
        self.socket.sendall(b"%d:%s," % (len(text), text))

    def reply(self):
        digits = b""
        while (octet := self.file.read(1)) != b":":
            if not octet:
                raise EOFError("the server closed the connection")
            digits += octet
        text = self.file.read(int(digits))
        if self.file.read(1) != b",":
            raise ValueError("no comma after a netstring")
        return text.decode()

    def ask(self, name, key):
        """The reply; a ValueError when Postfix would not understand it."""
        self.send(name, key)
        reply = self.reply()
        wrong = grammar.reply_fault(name, reply)
        if wrong:
            raise ValueError("%s %s: %s: %r" % (name, key, wrong, reply))
        return reply

    def close(self):
        self.file.close()
        self.socket.close()
