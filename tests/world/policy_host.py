#!/usr/bin/env python3
"""An HTTPS server for tests that behaves, for each host name in SNI, as well or as badly as a file says.

    policy_host.py --listen 127.0.0.1:0 --root DIR [--log FILE]     prints "listening ADDRESS PORT"

or in process:  server = PolicyHost(("127.0.0.1", 0), DIR); server.start(); server.port; server.requests; server.stop()

DIR/HOST.json is read anew for every connection (DIR/_default.json for unknown or missing SNI), so behaviour changes by writing a
file (write_host() does it atomically). Its keys, all but cert and key optional:
    cert, key        PEM files                     body      text of the policy (default: a small enforce policy)
    status           default 200                   type      Content-Type, default text/plain; null sends none
    headers          [[name, value], ...]          tls       [lowest, highest] of "1.0" "1.1" "1.2" "1.3"
    send             how the response is sent, see SENDERS; default "length"
    encoding         "gzip" compresses the body and says so
    size             body of that many octets: BODY padded with an extension field
    pause            seconds between two octets of the drip forms, default 0.2
The log has one JSON line per request: host (SNI), line, headers, at.  Python's standard library only.
"""
import argparse
import gzip
import json
import os
import socket
import ssl
import struct
import sys
import threading
import time

POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mx.%s\r\nmax_age: 604800\r\n"
VERSIONS = {"1.0": ssl.TLSVersion.TLSv1, "1.1": ssl.TLSVersion.TLSv1_1,
            "1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def policy_text(domain, mode="enforce", mx=None, max_age=604800):
    lines = ["version: STSv1", "mode: " + mode] + ["mx: " + m for m in (mx or ["mx." + domain])]
    return "\r\n".join(lines + ["max_age: %d" % max_age, ""])


def write_host(root, host, **spec):
    """Sets how HOST behaves from its next connection on."""
    path = os.path.join(root, host + ".json")
    with open(path + ".new", "w") as f:
        json.dump(spec, f)
    os.replace(path + ".new", path)


def remove_host(root, host):
    os.unlink(os.path.join(root, host + ".json"))


def client_hello_name(data):
    """The server name in a TLS ClientHello (RFC 6066 s3): a str, None without one, False when more octets are needed."""
    if len(data) < 5 or len(data) < 5 + struct.unpack(">H", data[3:5])[0]:
        return False
    p = 5 + 4 + 2 + 32
    p += 1 + data[p]
    p += 2 + struct.unpack(">H", data[p:p + 2])[0]
    p += 1 + data[p]
    end = p + 2 + struct.unpack(">H", data[p:p + 2])[0]
    p += 2
    while p + 4 <= end:
        kind, length = struct.unpack(">HH", data[p:p + 4])
        if kind == 0:
            return data[p + 9:p + 4 + length].decode("ascii", "replace")
        p += 4 + length
    return None


class Response:
    """One response being sent; each method named send_* is a way of sending."""

    def __init__(self, server, tls, host, spec):
        self.server, self.tls, self.spec = server, tls, spec
        body = spec.get("body")
        self.body = (POLICY % host.removeprefix("mta-sts.") if body is None else body).encode()
        if "size" in spec:
            self.body += b"x: " + b"y" * (spec["size"] - len(self.body) - 5) + b"\r\n"
        if spec.get("encoding") == "gzip":
            self.body = gzip.compress(self.body)

    def head(self, *more):
        status = self.spec.get("status", 200)
        lines = ["HTTP/1.1 %d Whatever" % status]
        if self.spec.get("type", "text/plain") is not None:
            lines.append("Content-Type: " + self.spec.get("type", "text/plain"))
        if "encoding" in self.spec:
            lines.append("Content-Encoding: " + self.spec["encoding"])
        lines += ["%s: %s" % (n, v) for n, v in self.spec.get("headers", [])]
        return ("\r\n".join(lines + list(more)) + "\r\n\r\n").encode()

    def drip(self, data):
        for i in range(len(data)):
            self.tls.sendall(data[i:i + 1])
            if self.server.stopped.wait(self.spec.get("pause", 0.2)):
                return

    def length(self):
        return "Content-Length: %d" % len(self.body)

    def send_length(self):
        self.tls.sendall(self.head(self.length(), "Connection: close") + self.body)

    def send_chunked(self):
        self.tls.sendall(self.head("Transfer-Encoding: chunked"))
        for i in range(0, len(self.body), 1000):
            part = self.body[i:i + 1000]
            self.tls.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        self.tls.sendall(b"0\r\n\r\n")

    def send_close(self):
        """Delimited by the end of the connection, which is a proper close_notify."""
        self.tls.sendall(self.head("Connection: close") + self.body)
        self.tls.unwrap()

    def send_close_cut(self):
        """The same without close_notify: nobody can know whether that was all."""
        self.tls.sendall(self.head("Connection: close") + self.body)

    def send_short(self):
        self.tls.sendall(self.head(self.length()) + self.body[:len(self.body) // 2])
        self.tls.unwrap()

    def send_chunked_cut(self):
        self.tls.sendall(self.head("Transfer-Encoding: chunked") + b"%x\r\n%s" % (len(self.body), self.body[:-5]))
        self.tls.unwrap()

    def send_chunked_no_end(self):
        self.tls.sendall(self.head("Transfer-Encoding: chunked") + b"%x\r\n%s\r\n" % (len(self.body), self.body))
        self.tls.unwrap()

    def send_head_cut(self):
        self.tls.sendall(self.head(self.length())[:40])
        self.tls.unwrap()

    def send_drip(self):
        self.tls.sendall(self.head(self.length()))
        self.drip(self.body)

    def send_drip_head(self):
        self.drip(self.head(self.length()) + self.body)

    def send_endless(self):
        self.tls.sendall(self.head("Transfer-Encoding: chunked"))
        while not self.server.stopped.is_set():
            self.tls.sendall(b"1000\r\n" + b"y" * 4096 + b"\r\n")

    def send_endless_head(self):
        self.tls.sendall(self.head()[:-2])
        while not self.server.stopped.is_set():
            self.tls.sendall(b"X-More: " + b"y" * 1000 + b"\r\n")

    def send_endless_continue(self):
        while not self.server.stopped.is_set():
            self.tls.sendall(b"HTTP/1.1 100 Continue\r\nX-More: y\r\n\r\n")

    def send_garbage(self):
        self.tls.sendall(b"220 mail.example ESMTP\r\n" * 3)

    def send_bare(self):
        """HTTP/0.9: a body without any head."""
        self.tls.sendall(self.body)
        self.tls.unwrap()

    def send_stall(self):
        self.server.stopped.wait(600)

    def send_reset(self):
        self.tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


SENDERS = sorted(n[len("send_"):] for n in dir(Response) if n.startswith("send_")) + ["silent", "plain"]


class PolicyHost:
    def __init__(self, address, root, log=None):
        self.root, self.log = root, log
        self.requests = []     # dicts as in the log
        self.connections = []  # SNI of each connection, before any handshake
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(address)
        self._socket.listen(512)
        self.address, self.port = self._socket.getsockname()[:2]

    def start(self):
        threading.Thread(target=self.serve, daemon=True).start()

    def stop(self):
        self.stopped.set()
        self._socket.close()

    def serve(self):
        while not self.stopped.is_set():
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_one, args=(client,), daemon=True).start()

    def _spec(self, host):
        for name in (host, "_default"):
            try:
                with open(os.path.join(self.root, "%s.json" % name)) as f:
                    return json.load(f)
            except FileNotFoundError:
                continue
        return None

    @staticmethod
    def _peek_name(client):
        client.settimeout(30)
        while True:
            data = client.recv(16384, socket.MSG_PEEK)
            name = client_hello_name(data)
            if name is not False or not data:
                return name or None
            time.sleep(0.005)

    @staticmethod
    def _context(spec):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        low, high = spec.get("tls", ["1.2", "1.3"])
        if low < "1.2":
            context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version, context.maximum_version = VERSIONS[low], VERSIONS[high]
        context.load_cert_chain(spec["cert"], spec["key"])
        return context

    def _read_request(self, tls, host):
        data = b""
        while b"\r\n\r\n" not in data and len(data) < 65536:
            more = tls.recv(4096)
            if not more:
                return False
            data += more
        lines = data.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")
        request = {"host": host, "line": lines[0], "headers": lines[1:], "at": time.time()}
        with self._lock:
            self.requests.append(request)
            if self.log:
                with open(self.log, "a") as f:
                    f.write(json.dumps(request) + "\n")
        return True

    def _serve_one(self, client):
        try:
            with client:
                host = self._peek_name(client)
                with self._lock:
                    self.connections.append(host)
                spec = self._spec(host or "_default")
                if spec is None:
                    return
                send = spec.get("send", "length")
                if send == "silent":
                    self.stopped.wait(600)
                    return
                if send == "plain":
                    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n")
                    return
                with self._context(spec).wrap_socket(client, server_side=True, suppress_ragged_eofs=False) as tls:
                    if self._read_request(tls, host):
                        getattr(Response(self, tls, host or "", spec), "send_" + send)()
        except (OSError, ValueError, IndexError, struct.error):
            pass  # a client that goes away, or refuses us, is what many tests want


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--listen", required=True, action="append", help="ADDRESS:PORT, IPv6 in brackets; may be repeated")
    parser.add_argument("--root", required=True)
    parser.add_argument("--log")
    args = parser.parse_args()
    for where in args.listen:
        address, port = where.rsplit(":", 1)
        server = PolicyHost((address.strip("[]"), int(port)), args.root, args.log)
        server.start()
        print("listening %s %d" % (server.address, server.port), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    sys.exit(main())
