"""A proxy in front of a receiver that takes STARTTLS away, as some firewalls and all attackers do: the offer is removed from the
reply to EHLO, the command is refused. Everything else passes in both directions as it came."""
import socket
import threading


class Stripper:
    """Listens on ADDRESS:PORT, connects to BEHIND (address, port)."""

    def __init__(self, address, behind, port=25):
        self.address, self.behind, self.port = address, behind, port

    def start(self):
        listener = socket.create_server((self.address, self.port), backlog=50)
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            client, _ = listener.accept()
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with client, socket.create_connection(self.behind, 30) as server:
            client.settimeout(300)
            back = threading.Thread(target=quietly, args=(self.replies, server, client), daemon=True)
            back.start()
            quietly(self.commands, client, server)
            back.join(30)

    @staticmethod
    def commands(client, server):
        for line in client.makefile("rb"):
            if line.strip().upper() == b"STARTTLS":
                client.sendall(b"502 5.5.1 unknown\r\n")
            else:
                server.sendall(line)
        server.shutdown(socket.SHUT_WR)

    @staticmethod
    def replies(server, client):
        """A reply is lines of three digits and '-', the last one with ' '; the last one left must be marked as the last."""
        reply = []
        for line in server.makefile("rb"):
            reply.append(line)
            if line[3:4] != b"-":
                kept = [part for part in reply if part[4:].strip().upper() != b"STARTTLS"]
                kept[-1] = kept[-1][:3] + b" " + kept[-1][4:]
                client.sendall(b"".join(kept))
                reply = []
        client.shutdown(socket.SHUT_RDWR)


def quietly(pass_on, source, target):
    """One direction until its end; a side that goes away ends it, too."""
    try:
        pass_on(source, target)
    except OSError:
        pass
