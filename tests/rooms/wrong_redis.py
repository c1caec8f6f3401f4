"""A small Redis (and Sentinel) that answers each command rightly, but for those that it is told to answer wrongly.

Standard library only. It keeps hashes and strings in memory and knows the commands that tlsmode sends, no others. What a
command is called here is its point: "GET", "CLIENT ID", and with the kind of our key "HGETALL sender", "DEL dane".
"""
import collections
import fnmatch
import socket
import threading


def bulk(text):
    data = text if isinstance(text, bytes) else str(text).encode()
    return b"$%d\r\n%s\r\n" % (len(data), data)


def array(*parts):
    return b"*%d\r\n" % len(parts) + b"".join(parts)


# One of each kind of reply, whoever asked for what.
WRONG = {
    "status": b"+OK\r\n",
    "one": b":1\r\n",
    "minus": b":-1\r\n",
    "nil": b"$-1\r\n",
    "nil-array": b"*-1\r\n",
    "empty-array": b"*0\r\n",
    "single": array(bulk("mode")),
    "odd": array(bulk("mode"), bulk("opportunistic"), bulk("note")),
    "numbers": array(bulk("mode"), b":1\r\n"),
    "nils": array(bulk("mode"), b"$-1\r\n"),
    "nested": array(bulk("mode"), array(bulk("opportunistic"))),
    "statuses": array(b"+mode\r\n", b"+opportunistic\r\n"),
    "error-inside": array(bulk("mode"), b"-ERR inside\r\n"),
    "error": b"-ERR x\r\n",
    "empty": bulk(""),
    "long": bulk("x" * 1048576),
    "many": array(*[bulk("mode"), bulk("opportunistic")] * 64, bulk("note")),
}
assert WRONG["many"].startswith(b"*129\r\n")


def point_of(words):
    name = words[0].upper()
    key = words[3] if name == "EVAL" else words[1] if len(words) > 1 else ""
    if name in ("CLIENT", "INFO", "SENTINEL"):
        return name + " " + key.upper()
    if name == "SUBSCRIBE":
        return name + " " + key
    if key.startswith("tlsmode:"):
        return name + " " + key.split(":")[1]
    return name


class WrongRedis:
    """At the unix socket PATH, or at a port of 127.0.0.1 without one."""

    def __init__(self, path=None, keys=None, role="master", told=None):
        self.keys = {k: dict(v) if isinstance(v, dict) else v for k, v in (keys or {}).items()}
        self.role = role
        self.told = told  # "HOST PORT" of the master that a sentinel names
        self.wrong = {}  # point -> bytes
        self.endless = False  # SCAN comes to no end, and finds nothing of ours
        self.bit = collections.Counter()  # wrong replies that were sent
        self.seen = collections.Counter()
        self.open = []
        self.lock = threading.RLock()
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.address = "unix:" + path
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        self.listener.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                one = self.listener.accept()[0]
            except OSError:
                return
            with self.lock:
                self.open.append(one)
            threading.Thread(target=_Talk(self, one).run, daemon=True).start()

    def drop(self):
        """Hangs up on everybody."""
        with self.lock:
            gone, self.open = self.open, []
        for one in gone:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()
        self.drop()

    def announce(self, channel, payload, point="message"):
        """A message for all who subscribed; the payload is RESP."""
        with self.lock:
            listeners = [s for s in self.open if getattr(self, "channels", {}).get(s) == channel]
        for one in listeners:
            one.sendall(array(bulk("message"), bulk(channel), payload))
            self.bit[point] += 1
        return len(listeners)

    def listens(self, one, channel):
        with self.lock:
            self.channels = getattr(self, "channels", {})
            self.channels[one] = channel


class _Talk:
    def __init__(self, server, sock):
        self.server = server
        self.sock = sock
        self.file = sock.makefile("rb")
        self.queued = None

    def run(self):
        try:
            while True:
                words = self.read()
                if not words:
                    return
                reply = self.reply(words)
                if reply:
                    self.sock.sendall(reply)
        except OSError:
            pass
        finally:
            self.file.close()
            self.sock.close()

    def read(self):
        line = self.file.readline()
        if not line:
            return None
        words = []
        for _ in range(int(line[1:])):
            size = int(self.file.readline()[1:])
            words.append(self.file.read(size + 2)[:-2].decode("latin-1"))
        return words

    def reply(self, words):
        server, point = self.server, point_of(words)
        with server.lock:
            server.seen[point] += 1
            right = self.right(words)
            if point not in server.wrong:
                return right
            server.bit[point] += 1
            return server.wrong[point]

    def right(self, words):
        name, rest = words[0].upper(), words[1:]
        if name == "EXEC":
            queued, self.queued = self.queued, None
            return array(*[self.do(n, r) for n, r in queued or []])
        if self.queued is not None:
            self.queued.append((name, rest))
            return b"+QUEUED\r\n"
        if name == "MULTI":
            self.queued = []
            return b"+OK\r\n"
        return self.do(name, rest)

    def do(self, name, rest):
        fn = getattr(self, "do_" + name.lower(), None)
        return fn(*rest) if fn else b"-ERR unknown command '%s'\r\n" % name.encode()

    # ---- the commands ----
    def do_ping(self):
        if getattr(self.server, "channels", {}).get(self.sock):
            return array(bulk("pong"), bulk(""))
        return b"+PONG\r\n"

    def do_auth(self, *unused):
        return b"+OK\r\n"

    def do_select(self, *unused):
        return b"+OK\r\n"

    def do_client(self, what, *unused):
        return b":7\r\n" if what.upper() == "ID" else b"+OK\r\n"

    def do_subscribe(self, channel):
        self.server.listens(self.sock, channel)
        return array(bulk("subscribe"), bulk(channel), b":1\r\n")

    def do_info(self, what):
        return bulk({"server": "# Server\r\nredis_version:7.0.0\r\n"}.get(
            what, "# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n"))

    def do_role(self):
        return array(bulk(self.server.role), b":0\r\n", array())

    def do_sentinel(self, *unused):
        return array(*map(bulk, self.server.told.split())) if self.server.told else b"*-1\r\n"

    def do_get(self, key):
        value = self.server.keys.get(key)
        return bulk(value) if isinstance(value, str) else b"$-1\r\n"

    def do_set(self, key, value, *unused):
        self.server.keys[key] = value
        return b"+OK\r\n"

    def do_scan(self, cursor, match, glob, *unused):
        if self.server.endless:
            return array(bulk(int(cursor) + 1), array(bulk("foreign")))
        return array(bulk("0"), array(*[bulk(k) for k in self.server.keys if fnmatch.fnmatchcase(k, glob)]))

    def do_hgetall(self, key):
        fields = self.server.keys.get(key) or {}
        return array(*[bulk(word) for pair in fields.items() for word in pair])

    def do_hget(self, key, field):
        value = (self.server.keys.get(key) or {}).get(field)
        return b"$-1\r\n" if value is None else bulk(value)

    def do_hset(self, key, *pairs):
        self.server.keys.setdefault(key, {}).update(zip(pairs[::2], pairs[1::2]))
        return b":1\r\n"

    def do_hdel(self, key, *fields):
        found = self.server.keys.get(key) or {}
        return b":%d\r\n" % sum(found.pop(f, None) is not None for f in fields)

    def do_del(self, key):
        return b":%d\r\n" % (self.server.keys.pop(key, None) is not None)

    def do_exists(self, key):
        return b":%d\r\n" % (key in self.server.keys)

    def do_pttl(self, key):
        return b":-1\r\n" if key in self.server.keys else b":-2\r\n"

    def do_expire(self, key, *unused):
        return b":%d\r\n" % (key in self.server.keys)

    do_pexpire = do_persist = do_expire

    def do_eval(self, *unused):
        return b":1\r\n"
