#!/usr/bin/env python3
"""The connection pair with Redis Sentinel: real ones, and paper ones that say what real ones seldom do."""
import os
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from redis_world import Tap, check, note, until  # noqa: E402
from world.sentinels import DOWN_MS, PaperSentinel, SentinelSet, free_port  # noqa: E402

tap = Tap()
SENDER = "tlsmode:sender:"
SAMPLE = os.path.join(HERE, "..", "..", "..", "etc", "redis-acl.sample")
PASSWORD, ADMIN = "change-this-password", "change-this-password-too"


def paper(world, master=None, **how):
    s = PaperSentinel(master, **how)
    world.extra.append(s)
    return s


def at(server):
    """(host, port) of a server of redis_world."""
    return ("127.0.0.1", server.port)


def probe(world, *sentinels, **options):
    return world.probe(",".join(s if isinstance(s, str) else s.where for s in sentinels), master="tlsmode", **options)


def blocking(world, *sentinels, **options):
    p = probe(world, *sentinels, blocking=1, **options)
    p.quit(False)
    return " ".join(p.events[0][1:])


def server_with(world, domain, mode="enforced", **how):
    r = world.server(tcp=True, **how)
    r.client().cmd("HSET", SENDER + domain, "mode", mode)
    return r


def sentinel_set(world, **how):
    s = SentinelSet(world.file("set"), **how)
    world.extra.append(s)
    return s.start()


@tap.test("real sentinels: the master is found, a SENTINEL FAILOVER and a killed master are followed")
def real(w):
    s = sentinel_set(w)
    first = s.master()
    first.cli("HSET", SENDER + "a.test", "mode", "enforced")
    p = probe(w, *s.addresses())
    p.wait_state("live")
    c = p.counts()
    check((c["address"], c["teller"]) == (first.where, s.addresses()[0]), "which master, by whom: %s" % c)
    check(p.mode("a.test") == "enforced", "its settings")
    check(blocking(w, *s.addresses()) == "enforced", "the control tool's connection")
    until(lambda: p.log().count("event=sentinel_up") == 3, "all sentinels are listened to")
    for round, word in ((1, "SENTINEL FAILOVER"), (2, "killed")):
        old = s.master()
        check(old.cli("WAIT", 1, 10000) == 1, "the replica has all, so that a failover loses nothing")
        began = time.monotonic()
        if round == 1:
            s.failover()
        else:
            old.stop()
        until(lambda: s.moved(old), "another master", 30)
        until(lambda: p.counts()["address"] != old.where and p.state() == "live", "the next master")
        took = time.monotonic() - began
        s.settle()
        new = s.master()
        check(p.counts()["address"] == new.where and new.info("role") == "master", "it is the master")
        began = time.monotonic()
        new.cli("HSET", SENDER + "n%d.test" % round, "mode", "verified")
        p.wait_mode("n%d.test" % round, "verified")
        note("measured: %s: on the new master, settings re-read, after %.0f ms (down-after %d ms); a setting written there in "
             "force after %.1f ms" % (word, took * 1000, DOWN_MS, (time.monotonic() - began) * 1000))
        check(p.mode("a.test") == "enforced", "nothing is lost")
        check(blocking(w, *s.addresses()) == "enforced", "the control tool's connection, too")
    check("event=sentinel_switch" in p.log(), "a sentinel said so")
    old.start()
    until(lambda: old.info("role") == "slave", "the old master is made a replica")
    check(p.counts()["address"] == new.where, "and leads nobody astray")


@tap.test("sentinels that are down, hung, ignorant or talk nonsense: the next is asked; the one that was right is asked first then")
def order(w):
    r = server_with(w, "a.test")
    mute, ignorant, good = paper(w, mute=True), paper(w), paper(w, at(r))
    nonsense = paper(w)
    nonsense.raw = b":1\r\n"
    began = time.monotonic()
    p = probe(w, "127.0.0.1:1", mute, ignorant, nonsense, good)
    p.wait_state("live")
    took = time.monotonic() - began
    note("a refused, a hung, an ignorant and a babbling sentinel cost %.0f ms" % (took * 1000))
    check(p.counts()["teller"] == good.where, "who told it")
    check("sentinel=%s why=\"knows no master" % ignorant.where in p.log(), "the ignorant one is named")
    until(lambda: "event=sentinel_down sentinel=127.0.0.1:1" in p.log(), "the one that is down is named")
    until(lambda: "sentinel=%s why=\"no answer" % mute.where in p.log(), "the hung one is named")
    asked, reconnects = ignorant.asked("SENTINEL"), p.counts()["reconnects"]
    r.client().cmd("CLIENT", "KILL", "TYPE", "normal")
    until(lambda: p.counts()["reconnects"] != reconnects, "a new pair")
    check(ignorant.asked("SENTINEL") == asked, "the one that was right was asked first")
    r.stop()
    p.wait_state("stale")
    r.start()
    r.client().cmd("HSET", SENDER + "a.test", "mode", "verified")
    p.wait_mode("a.test", "verified")
    p.wait_state("live")
    check(blocking(w, "127.0.0.1:1", ignorant, nonsense, good) == "verified", "the control tool goes the same way")
    check("event=redis_up address=%s master=tlsmode sentinel=%s" % (r.address, good.where) in p.log(), "the log says where")


@tap.test("no sentinel at all: said once with every reason, and it goes on when one comes")
def none(w):
    r = server_with(w, "a.test")
    good = paper(w)
    p = probe(w, "127.0.0.1:1", good)
    p.wait_event("settled")
    check(p.state() == "unknown", "nothing known")
    error = p.counts()["error"]
    check("sentinel 127.0.0.1:1: Connection refused" in error and "sentinel %s: knows no master" % good.where in error, error)
    check("address=unknown master=tlsmode sentinel=unknown" in p.log(), "the log")
    why = blocking(w, "127.0.0.1:1", good)
    check("127.0.0.1:1: Connection refused" in why and "knows no master" in why, why)
    until(lambda: good.asked("SENTINEL") >= 5, "it asks again")
    check(p.log().count("event=redis_down") == 1, "the same reason is said once")
    good.master = at(r)
    p.wait_state("live")


@tap.test("a server that is no master is not used; one that is demoted is left within two seconds")
def roles(w):
    master = server_with(w, "a.test", "verified")
    replica = w.server(tcp=True, args=["--replicaof", "127.0.0.1", str(master.port)])
    until(lambda: replica.client().cmd("HGET", SENDER + "a.test", "mode") == "verified", "the replica's copy")
    stale, good = paper(w, at(replica)), paper(w)
    p = probe(w, stale, good)
    p.wait_event("settled")
    check(p.state() == "unknown" and "ROLE: no master but a slave" in p.counts()["error"], p.counts()["error"])
    check("no master but a slave" in blocking(w, stale, good), "nor by the control tool")
    good.master = at(master)
    p.wait_state("live")
    check(p.counts()["address"] == master.address, "the other sentinel was asked, too")
    check(blocking(w, stale, good) == "verified", "also by the control tool")
    other = server_with(w, "a.test", "enforced")
    master.client().cmd("REPLICAOF", "127.0.0.1", other.port)  # nobody kills our connections, no sentinel says a word
    began = time.monotonic()
    p.wait_state("stale", 3)
    check("no master but a slave" in p.counts()["error"], p.counts()["error"])
    note("a master demoted in silence is left after %.0f ms" % ((time.monotonic() - began) * 1000))
    stale.master = good.master = at(other)
    p.wait_mode("a.test", "enforced")


@tap.test("an announced failover is followed at once, the old connection living; others' are not; nonsense is said")
def announced(w):
    old, new = server_with(w, "a.test", "enforced"), server_with(w, "a.test", "verified")
    first, second = paper(w, at(old)), paper(w, at(old))
    p = probe(w, first, second)
    p.wait_state("live")
    until(lambda: first.ears and second.ears, "both are listened to")
    reconnects = p.counts()["reconnects"]
    second.announce("other 127.0.0.1 1 127.0.0.1 %d" % new.port)
    second.announce("tlsmode 127.0.0.1 1 127.0.0.1 %d" % old.port)
    second.announce("tlsmode 127.0.0.1 1 redis.example 6379")
    second.announce("what?")
    p.wait_log("not five words")
    check("announced=\"tlsmode 127.0.0.1 1 redis.example 6379\"" in p.log() and "host names are not looked up" in p.log(), "a name")
    check(p.counts()["reconnects"] == reconnects and p.mode("a.test") == "enforced", "nothing of that moves us")
    began = time.monotonic()
    second.announce("tlsmode 127.0.0.1 %d 127.0.0.1 %d" % (old.port, new.port))
    p.wait_mode("a.test", "verified")
    note("announced to in force: %.1f ms" % ((time.monotonic() - began) * 1000))
    c = p.counts()
    check((c["address"], c["teller"]) == (new.address, second.where), "who announced it is believed: %s" % c)
    p.wait_state("live")
    check("why=\"the master has moved to " + new.address in p.log(), "the log")
    until(lambda: old.client().cmd("CLIENT", "LIST").count("name=tlsmode") == 0, "the old pair is gone")


@tap.test("deaf for a while: what was missed is asked for when a sentinel can be heard again")
def deaf(w):
    old, new = server_with(w, "a.test", "enforced"), server_with(w, "a.test", "verified")
    s = paper(w, at(old))
    p = probe(w, s)
    p.wait_state("live")
    until(lambda: s.ears, "an ear")
    s.master = at(new)
    s.hang_up()  # Redis and its connections live on
    p.wait_mode("a.test", "verified")


@tap.test("a host name from a sentinel is refused, with what to do; an IPv6 address is taken")
def names(w):
    r = server_with(w, "a.test", args=["--bind", "127.0.0.1", "::1"])
    named, good = paper(w, ("localhost", r.port)), paper(w)
    p = probe(w, named, good)
    p.wait_event("settled")
    check(p.state() == "unknown", "not looked up")
    line = next(l for l in p.log().splitlines() if "event=sentinel_refused" in l)
    for part in ("sentinel=" + named.where, "announces localhost port %d" % r.port, "host names are not looked up",
                 "announce-hostnames to no"):
        check(part in line, line)
    check("announce-hostnames" in blocking(w, named), "the control tool says so, too")
    try:
        six = paper(w, ("::1", r.port), address="::1")
    except OSError:
        note("no IPv6 here")
        return
    q = probe(w, six)
    q.wait_state("live")
    check((q.counts()["address"], q.counts()["teller"]) == ("[::1]:%d" % r.port, six.where), "IPv6: %s" % q.counts())
    check(blocking(w, six) == "enforced", "the control tool")


@tap.test("the account is shown to a sentinel that asks for one, and to no other; what it refuses is told")
def account(w):
    r = server_with(w, "a.test", args=["--include", SAMPLE])
    asks, plain = paper(w, at(r), account=("tlsmode", PASSWORD)), paper(w, at(r))
    good = {"user": "tlsmode", "password": PASSWORD}
    p = probe(w, asks, **good)
    p.wait_state("live")
    until(lambda: asks.ears, "it is listened to")
    check("NOPERM" not in p.log(), "the sample's account may ask for ROLE")
    check(blocking(w, asks, **good) == "enforced", "the control tool")
    q = probe(w, plain, **good)
    q.wait_state("live")
    until(lambda: plain.ears, "it is listened to, too")
    check(blocking(w, plain, user="tlsmode-admin", password=ADMIN) == "enforced", "the administrator's")
    check(plain.asked("AUTH") == 0, "nothing was shown")
    for options, text in (({"user": "tlsmode", "password": "wrong"}, "AUTH: WRONGPASS"), ({}, "NOAUTH")):
        x = probe(w, asks, **options)
        x.wait_event("settled")
        check(text in x.counts()["error"] and "redis.password_file" in x.counts()["error"], x.counts()["error"])
        check(text.split()[-1] in blocking(w, asks, **options), "the control tool")
    check(PASSWORD not in p.log() + q.log(), "the password is not logged")


@tap.test("real sentinels with a password")
def password(w):
    s = sentinel_set(w, sentinels=1, quorum=1, password="secret")
    p = probe(w, *s.addresses(), password="secret")
    p.wait_state("live")
    until(lambda: "event=sentinel_up" in p.log(), "it is listened to")
    s.failover()
    p.wait_log("event=sentinel_switch")
    until(lambda: p.counts()["address"] == s.servers[1].where and p.state() == "live", "the next master")


@tap.test("real sentinels with accounts of their own: the sample's line is enough, for NOAUTH and for NOPERM")
def acl(w):
    s = sentinel_set(w, sentinels=1, quorum=1, replicas=0)
    with open(SAMPLE) as f:
        line = next(l for l in f if l.startswith("# user tlsmode ") and "sentinel|" in l).split()[2:]
    s.master().cli("ACL", "SETUSER", "tlsmode", "on", ">" + PASSWORD, "~*", "&*", "+@all")
    admin = s.sentinels[0].connect()
    admin("ACL", "SETUSER", *line)
    for words in (["default", "off"], ["default", "on", "nopass", "-@all", "+ping"]):
        admin("ACL", "SETUSER", *words)
        p = probe(w, *s.addresses(), user="tlsmode", password=PASSWORD)
        p.wait_state("live")
        until(lambda: "event=sentinel_up" in p.log(), "it is listened to")
        check("sentinel_down" not in p.log(), "without a word")
        check(blocking(w, *s.addresses(), user="tlsmode", password=PASSWORD) == "nothing", "the control tool")


@tap.test("TLS to the sentinels, too: the certificate must fit")
def tls(w):
    cert, key = w.file("cert.pem"), w.file("key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=redis.test", "-addext",
                    "subjectAltName=DNS:redis.test,IP:127.0.0.1", "-keyout", key, "-out", cert], check=True, capture_output=True)
    port = free_port()
    r = w.server(args=["--tls-port", str(port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert,
                       "--tls-auth-clients", "no"])
    r.client().cmd("HSET", SENDER + "a.test", "mode", "enforced")
    s = paper(w, ("127.0.0.1", port), tls=(cert, key))
    p = probe(w, s, tls=1, tls_ca=cert)
    p.wait_event("settled")
    if "hiredis_ssl" in p.log():
        note("this build has no hiredis_ssl: only its refusal was tested")
        return
    p.wait_state("live")
    until(lambda: s.ears, "it is listened to")
    check(blocking(w, s, tls=1, tls_ca=cert, tls_name="redis.test") == "enforced", "the control tool's, by name")
    x = probe(w, s, tls=1, tls_ca=cert, tls_name="else.test")
    x.wait_event("settled")
    check("mismatch" in x.counts()["error"] and "sentinel " + s.where in x.counts()["error"], x.counts()["error"])
    y = probe(w, paper(w, ("127.0.0.1", port)), tls=1, tls_ca=cert)
    y.wait_event("settled")
    check(y.state() == "unknown", "no TLS, no answer: %s" % y.counts()["error"])


@tap.test("an empty master after a failover trips the guard; the operator's word is asked for as ever")
def guard(w):
    old, new = w.server(tcp=True), w.server(tcp=True)
    old.client().pipeline([("HSET", SENDER + "d%d.test" % i, "mode", "enforced") for i in range(40)])
    new.client().pipeline([("HSET", SENDER + "d%d.test" % i, "mode", "enforced") for i in range(10)])
    s = paper(w, at(old))
    p = probe(w, s)
    p.wait_state("live")
    until(lambda: s.ears, "an ear")
    s.announce("tlsmode 127.0.0.1 %d 127.0.0.1 %d" % (old.port, new.port))
    p.wait_state("held")
    check(p.counts()["settings"] == "40" and p.mode("d39.test") == "enforced", "a partial replica: the last known stay in force")
    new.client().cmd("FLUSHALL")
    until(lambda: p.counts()["held"] == "40", "an empty one, too")
    check(p.mode("d0.test") == "enforced", "all of them")
    new.client().cmd("HSET", SENDER + "d0.test", "mode", "verified")
    p.wait_mode("d0.test", "verified")
    new.client().cmd("SET", "tlsmode:accept:settings", int(time.time() * 1000))
    p.wait_state("live")
    check(p.counts()["settings"] == "1", "accepted")


@tap.test("a reload: the same sentinels change nothing, others are asked anew")
def reload(w):
    one, two = server_with(w, "a.test", "enforced"), server_with(w, "a.test", "verified")
    first, second = paper(w, at(one)), paper(w, at(two))
    p = probe(w, first)
    p.wait_state("live")
    reconnects, ears = p.counts()["reconnects"], first.asked("SUBSCRIBE")
    p.ask("reconf " + first.where)
    until(lambda: first.asked("SUBSCRIBE") > ears and first.ears, "listened to anew")
    until(lambda: p.counts()["teller"] == first.where, "and asked")
    check(p.counts()["reconnects"] == reconnects, "the pair stays")
    p.ask("reconf " + second.where)
    p.wait_mode("a.test", "verified")
    p.ask("reconf 127.0.0.1:1,%s" % first.where)
    p.ask("reconf %s" % first.where)  # in the midst of asking
    p.wait_mode("a.test", "enforced")


@tap.test("a hung master: left when the watchdog barks, and at once when a failover is announced meanwhile")
def hung(w):
    old, new = server_with(w, "a.test", "enforced"), server_with(w, "a.test", "verified")
    s = paper(w, at(old))
    p = probe(w, s)
    p.wait_state("live")
    until(lambda: s.ears, "an ear")
    old.signal(signal.SIGSTOP)
    p.wait_state("stale")
    check("no answer for 2 s" in p.log(), "the watchdog")
    began = time.monotonic()
    s.master = at(new)
    s.announce("tlsmode 127.0.0.1 %d 127.0.0.1 %d" % (old.port, new.port))
    p.wait_mode("a.test", "verified")
    check(time.monotonic() - began < 1, "at once, in whatever state: %.1f s" % (time.monotonic() - began))


tap.run()
