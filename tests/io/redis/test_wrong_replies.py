#!/usr/bin/python3
"""A Redis that answers one command with a reply of the wrong kind, each command and each kind in turn (wrong_redis.py).

Nothing may crash, hang, or answer more weakly than before: a daemon keeps what it knew, says in the log which command it
was, and takes the settings again once the server has come to its senses; the tool ends with 75 and names the command. Each
row shows that the wrong reply was sent.
"""
import concurrent.futures
import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from mapd_room import BUILD, Room, wait_for  # noqa: E402
from milter_room import Milter, session  # noqa: E402
from redis_world import Probe  # noqa: E402
from world.tap import Tap  # noqa: E402
from wrong_redis import WRONG, WrongRedis, array, bulk  # noqa: E402

TLSMODE = os.path.join(BUILD, "tlsmode")
KEYS = {
    "tlsmode:sender:enf.test": {"mode": "enforced", "note": "n"},
    "tlsmode:rcpt:bank.test": {"mode": "verified"},
}
CHANNEL = "__redis__:invalidate"
TOGETHER = 16
FEW = ("status", "odd", "nils", "many", "error")
SOME = FEW + ("one", "minus", "nil", "empty-array", "empty", "long")
NIL = ("nil", "nil-array")
STRING = ("empty", "long")
# What may be said to it and is no wrong kind: an answer that another server state would give.
RIGHT = {
    "AUTH": ("status",), "SELECT": ("status",), "CLIENT TRACKING": ("status",), "SET accept": ("status",), "MULTI": ("status",),
    "CLIENT SETNAME": ("status", "error"),  # may be refused
    "CLIENT ID": ("one",),
    "INFO SERVER": STRING + ("error",), "INFO MEMORY": STRING + ("error",),
    "PTTL accept": ("one", "minus"), "PTTL sender": ("one", "minus"),
    "GET accept": NIL + STRING,
    "HGETALL sender": ("empty-array",), "HGETALL sts": ("empty-array",), "HGETALL dane": ("empty-array",),
    "PING": ("error",),  # to the watchdog
    "message": NIL + ("single", "odd", "many"),
    "message +switch-master": STRING,
    "HGET sts": NIL + STRING,
    "SET lock": NIL + ("status",), "EVAL sts": ("one", "minus"), "EVAL lock": ("one", "minus"),
    "DEL": ("one",), "HDEL": ("one",), "HSET": ("one",), "EXPIRE": ("one",), "EXISTS": ("one",),
}
QUEUED = ("DEL dane", "HSET dane", "EXPIRE dane")  # between MULTI and EXEC of the daemons


def wrong_kinds(point, right=None):
    if right is None:
        right = RIGHT.get(point, RIGHT.get(point.split()[0], ()))
    return [kind for kind in WRONG if kind not in right]


class Cases:
    """Runs a function for each kind of reply, several at once, and reports the row as one test."""

    def __init__(self, tap):
        self.tap = tap
        self.pool = concurrent.futures.ThreadPoolExecutor(TOGETHER)
        self.rows = []

    def add(self, name, kinds, fn):
        self.rows.append((name, [(kind, self.pool.submit(fn, kind)) for kind in kinds]))

    def report(self):
        for name, cases in self.rows:
            faults = []
            for kind, future in cases:
                try:
                    future.result()
                except Exception as fault:
                    faults.append("%s: %s: %s" % (kind, type(fault).__name__, fault))
            self.tap.ok(cases and not faults, "%s: %d wrong replies" % (name, len(cases)), *faults)


def must(ok, *what):
    if not ok:
        raise AssertionError(" ".join(map(str, what))[-1500:])


# ---- the daemons ----
class Mapd:
    def __init__(self, redis):
        self.room = Room({"redis": redis}, redis=False)

    def start(self):
        self.room.start()

    def mode(self):
        return {"OK enforced": "enforced", "NOTFOUND ": "none"}.get(self.room.ask("mode", "enf.test"), "temp")

    def live(self):
        return '"state":"live"' in self.room.ask("status", "all")

    def log(self):
        return self.room.log()

    def end(self):
        try:
            must(self.room.stop() == 0, "the end of mapd:", self.room.mapd.returncode, self.log()[-2000:])
        finally:
            self.room.close()


class Milterd:
    def __init__(self, redis):
        self.folder = tempfile.mkdtemp(prefix="wrong-")
        lines = "".join("%s = %s " % (k, "{%s}" % ", ".join('"%s"' % x for x in v) if isinstance(v, list) else
                                      v if isinstance(v, int) else '"%s"' % v) for k, v in redis.items() if k != "address")
        self.milter = Milter(self.folder, "", redis_address=redis.get("address", "unix:/none") + '" ' + lines + ' prefix = "tlsmode:',
                             level="debug")

    def start(self):
        self.milter.start()

    def mode(self):
        with session(self.milter) as s:
            result = s.message("<a@enf.test>")
            if result[0] == b"y":
                return "temp"
            return (s.tags() or ["none"])[0].split(";")[0]

    def live(self):
        return "settings_state state=live" in self.log() and \
            self.log().rindex("settings_state state=live") == self.log().rindex("settings_state ")

    def log(self):
        return self.milter.log()

    def end(self):
        try:
            must(self.milter.stop() == 0, "the end of the milter:", self.milter.process.returncode, self.log()[-2000:])
        finally:
            shutil.rmtree(self.folder)


@contextlib.contextmanager
def servers(sentinel):
    """A master, and a sentinel that names it (or None), with the settings of [redis] that lead to it."""
    folder = tempfile.mkdtemp(prefix="wrong-")
    master = WrongRedis(None if sentinel else folder + "/redis.sock", KEYS)
    teller = WrongRedis(None, told=master.address.replace(":", " ")) if sentinel else None
    with open(folder + "/password", "w", encoding="ascii") as f:
        f.write("secret\n")
    os.chmod(folder, 0o755)
    conf = {"password_file": folder + "/password", "database": 3}
    conf.update({"sentinels": [teller.address], "master": "m"} if sentinel else {"address": master.address})
    try:
        yield master, teller, conf
    finally:
        master.close()
        if teller:
            teller.close()
        shutil.rmtree(folder)


def provoke(master, point, reply):
    """Makes the daemon ask for what is answered wrongly; says the message itself."""
    if point.startswith("message"):
        channel = CHANNEL if point == "message" else point.split()[1]
        must(master.announce(channel, reply, point) > 0, "nobody listens")
    elif point == "PTTL sender" or point == "HGETALL sender":
        master.announce(CHANNEL, array(bulk("tlsmode:sender:enf.test")))
    elif point != "PING":  # that comes by itself
        master.drop()


SAID = {"message": "invalidation message", "message +switch-master": r"\+switch-master",
        "SENTINEL GET-MASTER-ADDR-BY-NAME": "(SENTINEL|knows no master)"}


def one_daemon(make, point, kind, sentinel=False):
    with servers(sentinel) as (master, teller, conf):
        daemon = make(conf)
        try:
            daemon.start()
            wait_for("settings", daemon.live, 30)
            must(daemon.mode() == "enforced", "before:", daemon.mode())
            server = teller if teller and point.split()[0] in ("SENTINEL", "SUBSCRIBE") or "switch" in point else master
            before = len(daemon.log())
            server.wrong = {point: WRONG[kind]}
            provoke(server, point, WRONG[kind])
            if server is teller and point.startswith("SENTINEL"):
                master.drop()
            wait_for("%s answered wrongly" % point, lambda: server.bit[point], 30)
            said = SAID.get(point, re.escape(point.split()[0]))
            wait_for("log of " + point, lambda: re.search(
                r"event=(redis_down|sentinel_down|sentinel_refused) .*%s" % said, daemon.log()[before:]), 30)
            must(daemon.mode() == "enforced", "wrongly answered:", daemon.mode())
            server.wrong = {}
            wait_for("settings again", daemon.live, 30)
            must(daemon.mode() == "enforced", "afterwards:", daemon.mode())
        finally:
            daemon.end()


def unknown_from_the_start(make, point, kind):
    """Nothing is known yet: senders wait (when_unknown = tempfail)."""
    with servers(False) as (master, _, conf):
        master.wrong = {point: WRONG[kind]}
        daemon = make(conf)
        try:
            daemon.start()
            wait_for("%s answered wrongly" % point, lambda: master.bit[point], 30)
            must(daemon.mode() == "temp", "unknown:", daemon.mode())
            wait_for("log", lambda: "event=redis_down" in daemon.log(), 30)
            must(daemon.mode() == "temp", "unknown:", daemon.mode())
            master.wrong = {}
            wait_for("settings", daemon.live, 30)
            must(daemon.mode() == "enforced", "afterwards:", daemon.mode())
        finally:
            daemon.end()


def early(point, kind):
    """mapd reads the keys of a question while the mirror is not filled."""
    with servers(False) as (master, _, conf):
        master.endless = True
        master.wrong = {point: WRONG[kind]}
        daemon = Mapd(conf)
        try:
            daemon.start()
            wait_for("SCAN", lambda: master.seen["SCAN"], 30)
            mode = daemon.mode()
            must(mode == "temp" and master.bit[point] > 0, "early:", mode, master.bit)
            wait_for("its line", lambda: 'event=redis_error in="reading a setting early"' in daemon.log(), 10)
            master.wrong = {}
            must(daemon.mode() == "enforced" and not daemon.live(), "rightly answered:", daemon.mode())
        finally:
            daemon.end()


def facts_of_mapd(point, kind):
    with servers(False) as (master, _, conf):
        daemon = Mapd(conf)
        try:
            daemon.start()
            wait_for("settings", daemon.live, 30)
            master.wrong = {point: WRONG[kind]}
            answer = daemon.room.ask("enforced", "facts.test")
            must(answer.startswith("TEMP "), "without DNS and facts:", answer)
            must(master.bit[point], "not answered wrongly")
            wait_for("its line", lambda: 'event=redis_error in="reading a fact"' in daemon.log(), 10)
            must(daemon.live() and daemon.mode() == "enforced", "the settings suffer")
        finally:
            daemon.end()


SETUP = ("AUTH", "CLIENT SETNAME", "CLIENT ID", "SUBSCRIBE " + CHANNEL, "SELECT", "INFO SERVER", "INFO MEMORY", "PTTL accept",
         "CLIENT TRACKING")
READING = ("GET accept", "SCAN", "HGETALL sender", "PTTL sender", "PING", "message")
SENTINEL = ("SENTINEL GET-MASTER-ADDR-BY-NAME", "SUBSCRIBE +switch-master", "message +switch-master", "ROLE")


def daemons(cases):
    """Both have the same eyes (src/io): the milter, which starts sooner, is shown most kinds, mapd a few of each."""
    for name, make, shown in (("mapd", Mapd, FEW), ("milter", Milterd, WRONG)):
        def row(point, sentinel=False, name=name, make=make, shown=shown):
            cases.add("%s, known settings: %s" % (name, point), [k for k in wrong_kinds(point) if k in shown],
                      lambda kind: one_daemon(make, point, kind, sentinel))

        for point in SETUP:
            row(point, shown=SOME if shown is WRONG else shown)
        for point in READING:
            row(point)
        for point in SENTINEL:
            row(point, True)
        for point in ("SCAN", "HGETALL sender", "PTTL sender", "CLIENT TRACKING"):
            cases.add("%s, unknown settings: %s" % (name, point), [k for k in ("status", "odd", "nils") if k in wrong_kinds(point)],
                      lambda kind, make=make, point=point: unknown_from_the_start(make, point, kind))
    for point in ("HGETALL sender", "PTTL sender"):
        cases.add("mapd, early keys: " + point, wrong_kinds(point), lambda kind, point=point: early(point, kind))
    for point in ("HGETALL sts", "HGETALL dane"):
        cases.add("mapd, facts: " + point, wrong_kinds(point), lambda kind, point=point: facts_of_mapd(point, kind))


# ---- facts: what mapd does with them, without the DNS that it takes ----
class Folder:
    """What Probe wants of a world."""

    def __init__(self, folder):
        self.folder = folder
        self.probes = []


def one_fact(probe, master, point, kind):
    master.wrong = {point: WRONG[kind]}
    before, since = master.bit[point], len(probe.events)
    if point.startswith("HGETALL"):
        probe.ask("facts facts.test")
        event = probe.wait_event("facts", since=since)
        must("unread" in event and "sts=" in event and "dane=" in event, kind, event)
    elif point.endswith("lock"):
        probe.ask("lock facts.test")
        must("got=1" in probe.wait_event("lock", since=since), kind, "nobody has it")
        probe.ask("release")
    else:
        probe.ask("write %s facts.test 60 v 1" % ("sts" if point.endswith("sts") else "dane"))
    wait_for("the wrong reply", lambda: master.bit[point] > before, 30)


def facts(point):
    """All kinds for one connection, which stays: a fact is not worth the settings. Said once a minute for each kind of error."""
    with servers(False) as (master, _, conf):
        probe = Probe(Folder(os.path.dirname(conf["password_file"])), master.address)
        try:
            probe.wait_state("live")
            kinds = wrong_kinds(point, () if point in QUEUED else None)
            for kind in kinds:
                one_fact(probe, master, point, kind)
                if kind == kinds[0]:
                    probe.wait_log("event=redis_error in=")
            master.wrong = {}
            since = len(probe.events)
            probe.ask("facts facts.test")
            must("read" in probe.wait_event("facts", since=since), "rightly answered")
            must(probe.state() == "live" and probe.counts()["reconnects"] == "1", "state", probe.counts())
            lines = probe.log().count("event=redis_error")
            must(0 < lines < 8, "log lines:", lines)
        finally:
            probe.quit()


def facts_rows(cases):
    for point in ("HGETALL sts", "HGETALL dane", "EVAL sts", "MULTI", *QUEUED, "EXEC", "SET lock", "EVAL lock"):
        cases.add("facts, each kind in turn: " + point, [point], facts)


# ---- the tool ----
class FakeMapd:
    """Answers every question with OK."""

    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(16)
        self.address = "unix:" + path
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                one = self.listener.accept()[0]
            except OSError:
                return
            with one:
                one.recv(4096)
                one.sendall(b"5:OK {},")


GREETING = ("AUTH", "PING", "SELECT")
DOMAIN = ("HGETALL sender", "PTTL sender")
# words; what of Redis they need
TOOL = (
    (["domain", "list"], ("SCAN",) + DOMAIN + GREETING),
    (["--json", "domain", "list"], ("SCAN", "PTTL sender")),
    (["domain", "get", "enf.test"], DOMAIN),
    (["domain", "set", "enf.test", "verified", "--ttl", "1h"], ("MULTI", "HSET sender", "PEXPIRE sender", "EXEC") + DOMAIN),
    (["domain", "set", "enf.test", "verified", "--no-ttl"], ("PERSIST sender",)),
    (["domain", "unset", "enf.test"], ("DEL sender",)),
    (["domain", "unset", "enf.test", "note"], ("HDEL sender",)),
    (["cache", "show", "facts.test"], ("HGETALL sts", "HGETALL dane")),
    (["cache", "forget", "facts.test"], ("DEL dane", "DEL sts", "HSET sts", "EXPIRE sts")),
    (["cache", "refresh", "facts.test"], ("DEL dane", "EXISTS sts", "HSET sts", "HGET sts")),
    (["cache", "refresh", "new.test"], ("EXPIRE sts",)),
    (["settings", "accept"], ("SET accept",)),
)
FACTS = {"tlsmode:sts:facts.test": {"id": "1", "fetched_at": "5"}, "tlsmode:dane:facts.test": {"until": "5"}}
IN_MULTI = ("HSET sender", "PEXPIRE sender", "PERSIST sender")
ASKS_MAPD = (["status"], ["explain", "a@enf.test", "b@bank.test"], ["query", "bank.test"])


def conf_of(folder, redis, mapd):
    path = os.path.join(folder, "tlsmode.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write('user = ""\nredis { %s }\nsettings { snapshot = "" }\nmapd { listen = {"%s"} socket_group = "" }\n' % (
            " ".join("%s = %s" % (k, "{%s}" % ", ".join('"%s"' % x for x in v) if isinstance(v, list) else
                                  v if isinstance(v, int) else '"%s"' % v) for k, v in redis.items()), mapd))
    return path


def run_tool(words, point, kind, sentinel=False):
    """Exit status, output, errors, the servers' count of wrong replies."""
    with servers(sentinel) as (master, teller, redis):
        folder = os.path.dirname(redis["password_file"])
        mapd = FakeMapd(folder + "/map.sock")
        master.keys.update({k: dict(v) for k, v in FACTS.items()})
        server = teller if teller and point and point.startswith("SENTINEL") else master
        if point:
            server.wrong = {point: WRONG[kind]}
        try:
            done = subprocess.run([TLSMODE, "-c", conf_of(folder, redis, mapd.address), *words], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30, check=False)
        finally:
            mapd.listener.close()
        return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"), \
            server.bit[point] if point else sum(master.seen.values())


def tool_fails(words, point, kind, sentinel=False):
    code, out, err, bit = run_tool(words, point, kind, sentinel)
    must(bit > 0, "it was never answered wrongly:", code, out, err)
    must(code == 75, "exit status", code, out[:500], err[:500])
    must(not out, "output that looks whole:", out[:500])
    if point.startswith("SENTINEL") and kind in NIL:
        must("knows no master" in err, err)  # that is what it means
        return
    must(point.split()[0] in err or "Redis did not take" in err, "names no command:", err)
    must(re.search("wrong kind|ERR x|ERR inside|no master but", err), "says nothing of what came:", err)


def tool_rows(cases):
    for words, points in TOOL:
        for point in points:
            cases.add("tlsmode %s: %s" % (" ".join(words), point), wrong_kinds(point, () if point in IN_MULTI else None),
                      lambda kind, words=words, point=point: tool_fails(words, point, kind))
    for point in ("ROLE", "SENTINEL GET-MASTER-ADDR-BY-NAME"):
        cases.add("tlsmode domain list, sentinels: " + point, wrong_kinds(point),
                  lambda kind, point=point: tool_fails(["domain", "list"], point, kind, True))


def endless(kind):
    """A cursor that never comes to 0: the same again."""
    del kind
    WRONG["endless"] = array(bulk("5"), array(bulk("tlsmode:sender:enf.test")))
    code, out, err, bit = run_tool(["domain", "list"], "SCAN", "endless")
    must(code == 75 and not out and "it never ends" in err and bit == 2, code, out, err, bit)


def needs_no_redis(tap):
    for words in ASKS_MAPD:
        code, out, err, asked = run_tool(words, None, None)
        tap.ok(asked == 0, "tlsmode %s asks Redis nothing" % words[0], code, out, err)


def right_everywhere(tap):
    """Without a wrong reply all goes well: what failed above failed for that."""
    for words, _ in TOOL:
        code, out, err, _ = run_tool(words, None, None)
        tap.ok(code == 0, "rightly answered: tlsmode " + " ".join(words), code, out, err)


# ---- doctor ----
def doctor(point, kind):
    with servers(False) as (master, _, redis):
        folder = os.path.dirname(redis["password_file"])
        os.mkdir(folder + "/postfix")
        for name in ("main.cf", "master.cf"):
            with open(folder + "/postfix/" + name, "w", encoding="ascii") as f:
                f.write("compatibility_level = 3.6\nqueue_directory = %s\n" % folder if name == "main.cf" else "")
        master.wrong = {point: WRONG[kind]}
        done = subprocess.run([TLSMODE, "-c", conf_of(folder, redis, "unix:" + folder + "/none.sock"), "--json", "doctor", "-c",
                               folder + "/postfix"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=30, check=False)
        must(master.bit[point] > 0, "it was never answered wrongly:", done)
        must(done.returncode in (1, 75), "exit status", done)
        must(b"could not be read: " + point.split()[0].encode() in done.stdout, "not found:", done.stdout[:3000])


def doctor_rows(cases):
    if not shutil.which("postconf"):
        cases.tap.skip("doctor", "no postconf")
        return
    for point in ("SCAN", "HGETALL sender", "PTTL sender", "INFO MEMORY", "PING"):
        right = RIGHT.get(point, ()) if point != "PING" else ()
        cases.add("tlsmode doctor: " + point, [k for k in wrong_kinds(point, right) if k in FEW],
                  lambda kind, point=point: doctor(point, kind))


def test(tap):
    needs_no_redis(tap)
    right_everywhere(tap)
    cases = Cases(tap)
    tool_rows(cases)
    cases.add("tlsmode domain list: a cursor without an end", ["endless"], endless)
    doctor_rows(cases)
    facts_rows(cases)
    daemons(cases)
    cases.report()


if __name__ == "__main__":
    import sys
    result = Tap()
    with result:
        test(result)
    sys.exit(result.exit_status())
