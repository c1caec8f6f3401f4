#!/usr/bin/python3
"""The life of tlsmode-mapd: starts that must fail and their one sentence, background, reload and stop under load, metrics."""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from mapd_room import MAPD, Room, free_port, main, netstrings, read_all, request, wait_for  # noqa: E402

HIT = "[192.0.2.1]"
STRICT = "OK encrypt protocols=>=TLSv1.2"


def failing_starts(tap):
    with Room() as room:
        with open(room.path("garbage"), "w") as f:
            f.write("this is no anchor\n")
        with open(room.path("empty"), "w"):
            pass
        with socket.socket(socket.AF_UNIX) as live, socket.create_server(("127.0.0.1", 0)) as port:
            live.bind(room.path("live.sock"))
            live.listen()
            rows = (
                ("port in use", 71, {"mapd": {"listen": ["inet:127.0.0.1:%d" % port.getsockname()[1]]}}, "listens"),
                ("socket in use", 71, {"mapd": {"listen": ["unix:" + room.path("live.sock")]}}, "listens"),
                ("a file where the socket should be", 71, {"mapd": {"listen": ["unix:" + room.path("empty")]}}, "not a socket"),
                ("no such folder", 71, {"mapd": {"listen": ["unix:" + room.path("none/map.sock")]}}, "No such file"),
                ("metrics port in use", 71, {"metrics": {"listen": "inet:127.0.0.1:%d" % port.getsockname()[1]}}, "listens"),
                ("socket path too long", 78, {"mapd": {"listen": ["unix:/" + 120 * "x"]}}, "too long"),
                ("no such group", 78, {"mapd": {"socket_group": "no-such-group"}}, "socket_group"),
                ("missing trust anchor", 78, {"dns": {"trust_anchor": room.path("none")}}, "trust_anchor"),
                ("a trust anchor that is none", 78, {"dns": {"trust_anchor": room.path("garbage")}}, "dns.trust_anchor"),
                ("root hints that are none", 78, {"dns": {"root_hints": room.path("garbage")}}, "dns.root_hints"),
                ("missing CA file", 78, {"sts": {"ca_file": room.path("none")}}, "ca_file"),
                ("a CA file that is none", 78, {"sts": {"ca_file": room.path("garbage")}}, "garbage"),
                ("unknown option", 78, {"mapd": {"lisden": "x"}}, "lisden"),
                ("bad value", 78, {"mapd": {"deadline": "soon"}}, "deadline"),
            )
            good = room.conf
            for name, code, change, word in rows:
                room.conf = good
                status, said, _ = room.try_start("-f", "-c", room.write(**change))
                lines = [li for li in said.splitlines() if li.startswith("tlsmode-mapd: ")]
                tap.ok(status == code and len(lines) == 1 and word in lines[0], "%s: exit %d and one sentence" % (name, code), status, said)
                if code == 78:
                    tap.ok(re.search(r"tlsmode\.conf:\d+: ", lines[0]), "%s: it names file and line" % name, said)
                    status, said, _ = room.try_start("-t", "-c", room.path("tlsmode.conf"))
                    tap.ok(status == 78 and word in said and "tlsmode.conf" in said and len(said.splitlines()) == 1,
                           "%s: -t says so too" % name, status, said)
            room.conf = good
            status, said, _ = room.try_start("-c", room.write())
            tap.ok(status == 78 and "log.target" in said and "needs -f" in said, "a daemon in the background cannot log to stderr", status, said)
            status, said, _ = room.try_start("-c", room.write(mapd={"listen": ["inet:127.0.0.1:%d" % port.getsockname()[1]]},
                                                              log={"target": "syslog"}))
            tap.equal(status, 71, "the starter of a daemon gets its exit status")
            room.conf = good
        tap.ok(not os.path.exists(room.path("map.sock")), "no failed start left a socket behind", os.listdir(room.dir))
        status, said, out = room.try_start("-t", "-c", room.write())
        tap.equal((status, said, out), (0, "", "configuration ok\n"), "-t: configuration ok")
        status, said, _ = room.try_start("-t", "-c", room.path("nothing.conf"))
        tap.ok(status == 78 and "nothing.conf" in said, "no configuration file", said)
        status, _, out = room.try_start("-V")
        tap.ok(status == 0 and "libunbound" in out and len(out.splitlines()) == 1, "-V tells versions", out)
        status, said, out = room.try_start("--help")
        tap.ok(status == 0 and "usage: tlsmode-mapd" in out and not said, "--help, as the other programs have it", status, said)
        tap.equal(room.try_start("--version")[2], room.try_start("-V")[2], "--version is -V")
        tap.equal(room.try_start("-x")[0], 64, "an unknown option is a usage error")
        tap.equal(room.try_start("more")[0], 64, "so is an argument")


def daemon_of(room):
    """The process that was given the room's configuration."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid) as f:
                if room.path("tlsmode.conf") in f.read().split("\0"):
                    return int(pid)
        except OSError:
            pass  # gone meanwhile
    raise RuntimeError("no daemon")


def counters(room):
    return json.loads(room.ask("status", "all")[3:])["counters"]


def background(tap):
    with Room() as room:
        done = subprocess.run([MAPD, "-c", room.write(log={"target": "syslog"})], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)
        tap.equal(done.returncode, 0, "without -f the starter ends with 0")
        pid = daemon_of(room)
        try:
            tap.equal(room.ask("enforced", HIT), STRICT, "and the daemon serves then")
            mode = os.stat(room.where[5:]).st_mode & 0o777
            tap.equal(oct(mode), "0o660", "its socket has the configured mode")
            room.write(log={"target": "stderr"}, mapd={"min_tls": ""})
            os.kill(pid, signal.SIGHUP)
            wait_for("the failure", lambda: counters(room)["conf_reloads_failed"] == 1, 10)
            tap.equal(room.ask("enforced", HIT), STRICT, "a reload that would silence it is refused whole")
        finally:
            os.kill(pid, signal.SIGTERM)
        wait_for("the daemon's end", lambda: not os.path.exists("/proc/%d" % pid), 10)
        tap.ok(not os.path.exists(room.where[5:]), "it takes its socket along")


def stale_socket(tap):
    with Room() as room:
        room.start()
        room.mapd.kill()
        room.mapd.wait()
        tap.ok(os.path.exists(room.where[5:]), "a killed daemon leaves its socket")
        room.start()
        tap.equal(room.ask("enforced", HIT), STRICT, "the next one replaces it")
        tap.equal(room.stop(), 0, "a clean end")


class Load(threading.Thread):
    """Asks without a pause on one connection. WHERE as in the configuration."""

    def __init__(self, room):
        super().__init__(daemon=True)
        self.client = room.client()
        self.asked = self.answered = 0
        self.wrong = None
        self.ended = False
        self.enough = threading.Event()

    def run(self):
        try:
            while not self.enough.is_set():
                self.asked += 1
                reply = self.client.ask("enforced", HIT)
                self.answered += 1
                if reply != STRICT:
                    self.wrong = reply
        except (EOFError, OSError):
            self.ended = True
        except Exception as error:
            self.wrong = repr(error)


def reload_under_load(tap):
    with Room() as room:
        room.start()
        room.live()
        load = [Load(room) for _ in range(4)]
        with socket.socket(socket.AF_UNIX) as slow:
            slow.connect(room.where[5:])
            slow.settimeout(30)
            for one in load:
                one.start()
            second, port = "unix:" + room.path("second.sock"), free_port()
            for i in range(5):
                slow.sendall(request("enforced", "slow%d.test" % i))
                room.reload(mapd={"listen": [room.where, second if i % 2 else "inet:127.0.0.1:%d" % port]},
                            dns={"timeout": 1 + i % 2, "threads": 1 + i % 3}, sts={"timeout": 1 + i % 3},  # another timeout: another resolver
                            log={"level": "info"})
                tap.ok(os.path.exists(second[5:]) == bool(i % 2), "reload %d: listeners come and go" % i)
            got, data = [], b""
            while len(got) < 5:
                more, data = netstrings(data + slow.recv(65536))
                got += more
            tap.ok(len(got) == 5 and all(g.startswith("TEMP ") for g in got), "jobs under way at a reload end with their answers", got)
        with socket.create_connection(("127.0.0.1", port)) as s:
            s.sendall(request("enforced", HIT))
            s.shutdown(socket.SHUT_WR)
            tap.equal(netstrings(read_all(s))[0], [STRICT], "the new listener serves")
        for one in load:
            one.enough.set()
        for one in load:
            one.join(10)
        tap.ok(all(o.asked == o.answered and not o.wrong and not o.ended for o in load),
               "not one answer was lost over five reloads (%d answers)" % sum(o.answered for o in load),
               [(o.asked, o.answered, o.wrong, o.ended) for o in load])
        bad_reloads(tap, room)
        tap.equal(room.stop(), 0, "a clean end")
        tap.ok(not os.path.exists(room.where[5:]), "the sockets are gone")


def another_redis(tap):
    with Room() as room:
        room.redis("HSET", "tlsmode:sender:one.test", "mode", "enforced")
        room.start()
        room.live()
        tap.equal(room.ask("transport", "u@one.test"), "OK smtp-enforced:", "the settings of the first Redis")
        room.start_redis(room.path("redis2.sock"))
        room.redis("HSET", "tlsmode:sender:two.test", "mode", "verified")
        room.reload(redis={"address": "unix:" + room.redis_path})
        wait_for("the settings of the second Redis", lambda: room.ask("transport", "u@two.test") == "OK smtp-verified:", 10)
        tap.ok(True, "a reload takes another Redis")
        room.redis("HSET", "tlsmode:sender:two.test", "mode", "enforced")
        wait_for("a change", lambda: room.ask("transport", "u@two.test") == "OK smtp-enforced:", 10)
        tap.ok(True, "and follows it")
        tap.equal(room.stop(), 0, "a clean end")


def hanging_redis(tap):
    """A Redis that takes connections and says nothing must not keep us from serving."""
    with Room(redis=False) as room, socket.socket(socket.AF_UNIX) as silent:
        silent.bind(room.redis_path)
        silent.listen()
        begun = time.monotonic()
        room.start()
        tap.ok(time.monotonic() - begun < 10, "a silent Redis: serving after %.1f s" % (time.monotonic() - begun))
        tap.equal(room.ask("enforced", HIT), "TEMP settings not yet loaded", "without settings, which it says")
        tap.equal(room.http("/readyz")[0], 503, "and is not ready")
        tap.equal(room.stop(), 0, "a clean end")


def few_descriptors(tap):
    with Room() as room:
        room.start("prlimit", "--nofile=100:100")
        room.live()
        clients = []
        for _ in range(150):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(10)
            s.connect(room.where[5:])
            s.sendall(request("enforced", HIT))
            clients.append(s)
        room.logged("event=accept_failed")
        scraper = socket.create_connection(("127.0.0.1", room.metrics_port), 10)
        room.logged("event=accept_failed listener=inet:127.0.0.1:%d" % room.metrics_port)
        got = netstrings(clients[0].recv(1000))[0]
        tap.equal(got, [STRICT], "without a free descriptor the open connections are served")
        for s in clients[:100]:
            s.close()
        got = [netstrings(s.recv(1000))[0] for s in clients[100:]]
        tap.equal(got, [[STRICT]] * 50, "and the others as soon as there are some")
        scraper.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        tap.ok(b" 200 " in scraper.recv(1000), "so are the metrics")
        scraper.close()
        tap.equal(room.log().count("Error from accept"), 0, "and nothing turned without end meanwhile")
        for s in clients[100:]:
            s.close()
        tap.equal(room.stop(), 0, "a clean end")


def more_clients(tap):
    with Room() as room:
        room.start("prlimit", "--nofile=256:8192", mapd={"max_clients": 10})
        room.live()
        room.reload(mapd={"max_clients": 3000})
        with open("/proc/%d/limits" % room.mapd.pid) as f:
            files = next(int(line.split()[3]) for line in f if line.startswith("Max open files"))
        tap.ok(files > 3000, "a reload with more max_clients may have as many open files", files)
        tap.equal(room.stop(), 0, "a clean end")


def bad_reloads(tap, room):
    good = room.conf
    with open(room.path("garbage"), "w") as f:
        f.write("this is no certificate\n")
    with socket.create_server(("127.0.0.1", 0)) as port:
        for name, change, pattern in (
                ("unknown option", {"mapd": {"lisden": "x"}}, r"event=reload_failed reason=.*tlsmode\.conf:\d+: .*lisden"),
                ("bad value", {"mapd": {"deadline": 0}}, r"event=reload_failed reason=.*tlsmode\.conf:\d+: .*deadline"),
                ("a CA file that is none", {"sts": {"ca_file": room.path("garbage")}},
                 r"event=reload_failed reason=.*tlsmode\.conf:\d+: sts\.ca_file"),
                ("port in use", {"mapd": {"listen": ["unix:" + room.path("third.sock"), "inet:127.0.0.1:%d" % port.getsockname()[1]]}},
                 r"event=reload_failed reason=.*another process"),
                ("metrics port in use", {"metrics": {"listen": "inet:127.0.0.1:%d" % port.getsockname()[1]}, "mapd": {"min_tls": ""}},
                 r"event=reload_failed reason=.*another process")):
            room.conf = good
            lines = room.log().count("reload_failed")
            room.write(**change)
            room.mapd.send_signal(signal.SIGHUP)
            wait_for("the failure", lambda: room.log().count("reload_failed") > lines, 10)
            tap.ok(room.logged(pattern), "%s: logged with its place" % name)
            tap.equal(room.ask("enforced", HIT), STRICT, "%s: the old configuration stays" % name)
            tap.ok(not os.path.exists(room.path("third.sock")), "%s: and nothing of the new one" % name)
    room.conf = good
    room.write(mapd={"min_tls": "1.3"}, metrics={"listen": ""})
    room.mapd.send_signal(signal.SIGHUP)
    wait_for("the change", lambda: room.ask("enforced", HIT) == "OK encrypt protocols=>=TLSv1.3", 10)
    tap.ok(True, "a good reload changes what is answered, cached or not")
    with socket.socket() as s:
        tap.ok(s.connect_ex(("127.0.0.1", room.metrics_port)) != 0, "and metrics can be switched off")


def stop_under_load(tap):
    with Room() as room:
        room.start()
        room.live()
        load = [Load(room) for _ in range(4)]
        for one in load:
            one.start()
        with socket.socket(socket.AF_UNIX) as slow, socket.socket(socket.AF_UNIX) as partial:
            for s in (slow, partial):
                s.settimeout(30)
                s.connect(room.where[5:])
            partial.sendall(b"20:enfor")
            slow.sendall(request("enforced", "slow.test") * 64 + request("status", "all") + request("enforced", HIT))  # held back at 64
            wait_for("some load", lambda: all(o.answered > 100 for o in load))
            wait_for("the slow request", lambda: room.metric("tlsmode_mapd_requests_waiting") >= 64)
            begun = time.monotonic()
            room.mapd.send_signal(signal.SIGTERM)
            got, rest = netstrings(read_all(slow))
            tap.ok(len(got) == 66 and got[0].startswith("TEMP ") and got[64].startswith("OK {") and got[65] == STRICT and not rest,
                   "SIGTERM: what has been asked is answered first", got, rest)
            tap.equal(read_all(partial), b"", "half a request is not waited for")
            status = room.mapd.wait(20)
            tap.ok(status == 0, "exit 0 after %.1f s" % (time.monotonic() - begun), status)
        for one in load:
            one.join(10)
        tap.ok(all(not o.wrong and o.ended and o.asked - o.answered <= 1 for o in load), "every answer that was begun came whole",
               [(o.asked, o.answered, o.wrong, o.ended) for o in load])
        tap.ok("event=stopped" in room.log() and "stop_forced" not in room.log(), "and it says that it stopped")
        tap.ok(not os.path.exists(room.where[5:]), "the socket is gone")


def metrics(tap):
    with Room() as room:
        room.start()
        room.live()
        for _ in range(3):
            room.ask("enforced", HIT)
        room.ask("enforced", "waited.test")
        code, text = room.http("/metrics")
        tap.equal(code, 200, "/metrics")
        seen, typed = set(), {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split()
                tap_ok = name not in typed
                typed[name] = kind
                if not tap_ok:
                    tap.ok(False, "%s is typed once" % name)
            elif not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                float(value)
                if name in seen:
                    tap.ok(False, "%s is told once" % name)
                seen.add(name)
                base = name.split("{")[0]
                for tail in ("_bucket", "_sum", "_count"):
                    if typed.get(base.removesuffix(tail)) == "histogram":
                        base = base.removesuffix(tail)
                if base not in typed:
                    tap.ok(False, "%s has a type" % base)
        tap.ok(len(seen) > 60, "%d values in Prometheus' form" % len(seen))
        tap.equal(room.metric('tlsmode_mapd_requests_total{map="enforced",result="ok"}'), 3.0, "requests by map and result")
        tap.equal(room.metric("tlsmode_mapd_cache_hits_total"), 2.0, "cache hits")
        tap.equal(room.metric("tlsmode_mapd_wait_seconds_count"), 1.0, "the histogram of waits")
        tap.equal(room.metric('tlsmode_mapd_settings_state{state="live"}'), 1.0, "the state of the settings")
        tap.equal(room.http("/healthz"), (200, "ok\n"), "/healthz")
        tap.equal(room.http("/readyz"), (200, "ready\n"), "/readyz")
        tap.equal(room.http("/else")[0], 404, "nothing else")
        for i in range(20):
            room.redis("HSET", "tlsmode:sender:d%d.test" % i, "mode", "enforced")
        wait_for("the settings", lambda: room.metric("tlsmode_mapd_settings") == 20)
        room.redis("FLUSHALL")
        wait_for("/readyz to say no", lambda: room.http("/readyz")[0] == 503)
        tap.ok("vanished" in room.http("/readyz")[1], "/readyz tells of settings that vanished all at once")
        tap.equal(room.ask("transport", "u@d1.test"), "OK smtp-enforced:", "which stay in force")
        tap.equal(room.stop(), 0, "a clean end")


def metrics_wire(tap):
    rows = ((b"GET /healthz HTTP/1.0\r\n\r\n", b" 200 OK", b"ok\n"),
            (b"GET /healthz?x=1 HTTP/1.1\nHost: a\n\n", b" 200 OK", b"ok\n"),
            (b"HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\n", b" 200 OK", b""),
            (b"POST /healthz HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b" 405 ", b"Method Not Allowed\n"),
            (b"GET /metrics HTTP/2.0\r\n\r\n", b" 400 ", b"Bad Request\n"),
            (b"GET\r\n\r\n", b" 400 ", b"Bad Request\n"),
            (b"\r\n\r\n", b" 400 ", b"Bad Request\n"),
            (b"GET /\0 HTTP/1.1\r\n\r\n", b" 400 ", b"Bad Request\n"),
            (b"GET / HTTP/1.1\r\nX: " + 8200 * b"x", b" 431 ", b"Request Header Fields Too Large\n"))
    with Room() as room:
        room.start()
        room.live()

        def connect():
            return socket.create_connection(("127.0.0.1", room.metrics_port), 20)

        def answer(s):
            got = b""
            try:
                while piece := s.recv(65536):
                    got += piece
            except ConnectionResetError:
                pass
            return got
        for sent, status, body in rows:
            with connect() as s:
                s.sendall(sent[:9])
                time.sleep(0.01)
                s.sendall(sent[9:8192])
                head, _, rest = answer(s).partition(b"\r\n\r\n")
                tap.ok(head.startswith(b"HTTP/1.1" + status) and rest == body, "%r is answered %s" % (sent[:40], status.decode()), (head, rest))
        begun = time.monotonic()
        silent = [connect() for _ in range(300)]
        silent[-1].sendall(b"GET /")
        tap.equal(room.http("/healthz"), (200, "ok\n"), "300 connections that say nothing keep nobody from it")
        files = len(os.listdir("/proc/%d/fd" % room.mapd.pid))
        tap.ok(files < 150, "nor are their descriptors kept", files)
        tap.equal(answer(silent[-1]), b"", "a request that is not finished is cut")
        tap.ok(8 < time.monotonic() - begun < 15, "after ten seconds", time.monotonic() - begun)
        for s in silent:
            s.close()
        tap.equal(room.stop(), 0, "a clean end")


def test(tap):
    failing_starts(tap)
    background(tap)
    stale_socket(tap)
    reload_under_load(tap)
    another_redis(tap)
    hanging_redis(tap)
    few_descriptors(tap)
    more_clients(tap)
    stop_under_load(tap)
    metrics_wire(tap)
    metrics(tap)


main(test)
