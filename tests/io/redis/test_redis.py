#!/usr/bin/env python3
"""The connection pair: accounts, refusals and what is said about them; the fact store; the samples in etc/."""
import os
import re
import signal
import socket
import subprocess
import sys
import time

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from redis_world import Client, RedisError, Tap, check, note, until  # noqa: E402

tap = Tap()
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
SAMPLE = os.path.join(ROOT, "etc", "redis-acl.sample")
PASSWORD, ADMIN = "change-this-password", "change-this-password-too"


def live(world, server, **options):
    p = world.probe(server, **options)
    p.wait_state("live")
    return p


def refused(fn, why):
    try:
        fn()
    except RedisError as e:
        check(why in str(e), str(e))
        return
    raise AssertionError("was allowed")


@tap.test("a password without an account")
def password(w):
    r = w.server(args=["--requirepass", "s3cret word"])
    p = live(w, r, password="s3cret word")
    check("s3cret" not in p.log(), "the password is not logged")
    q = w.probe(r)
    q.wait_event("settled")
    q.wait_log("redis.password_file")
    check("NOAUTH" in q.counts()["error"], q.counts()["error"])
    x = w.probe(r, password="wrong")
    x.wait_log("WRONGPASS")
    check("check redis.username" in x.log(), "what to do")


@tap.test("the daemons' account of the sample can do all that they do, and cannot write settings")
def acl(w):
    r = w.server(args=["--include", SAMPLE])
    c = r.client()
    c.cmd("HSET", "tlsmode:sender:a.test", "mode", "enforced")
    p = live(w, r, user="tlsmode", password=PASSWORD)
    check(p.mode("a.test") == "enforced", "reads")
    c.cmd("HSET", "tlsmode:except:b.test", "plaintext", "allow")
    c.cmd("EXPIRE", "tlsmode:except:b.test", 100)
    until(lambda: "plaintext=1" in p.ask("dest b.test")[0], "hears")
    check(p.counts()["policy"] == "noeviction" and re.match(r"\d+\.\d+\.", p.counts()["version"]), "INFO")
    p.ask("write sts s.test 100 mode enforce fetched_at 5")
    p.ask("write dane s.test 100 mx insecure")
    p.ask("facts s.test")
    e = p.wait_event("facts")
    check(e[1:] == ["read", "sts=mode:enforce,fetched_at:5", "dane=mx:insecure"], "facts: %s" % e)
    p.ask("lock s.test")
    check(p.wait_event("lock")[1] == "got=1", "lock")
    check(c.cmd("EXISTS", "tlsmode:lock:s.test") == 1, "lock in Redis")
    p.ask("release")
    until(lambda: c.cmd("EXISTS", "tlsmode:lock:s.test") == 0, "released")
    for i in range(20):
        c.cmd("HSET", "tlsmode:sender:m%d.test" % i, "mode", "enforced")
    until(lambda: p.counts()["settings"] == "22", "there")
    c.cmd("FLUSHALL")
    p.wait_state("held")
    admin = r.client(auth=("tlsmode-admin", ADMIN))
    admin.cmd("SET", "tlsmode:accept:settings", int(time.time() * 1000))
    p.wait_state("live")
    check("NOPERM" not in p.log(), "no right was missing")
    d = r.client(auth=("tlsmode", PASSWORD))
    for command in (("HSET", "tlsmode:sender:x", "mode", "opportunistic"), ("DEL", "tlsmode:sender:a.test"),
                    ("SET", "tlsmode:accept:settings", "1"), ("EXPIRE", "tlsmode:rcpt:x", "1"), ("GET", "other"),
                    ("FLUSHALL",), ("CONFIG", "GET", "*"), ("KEYS", "*"), ("SUBSCRIBE", "other"), ("PUBLISH", "x", "y"),
                    ("EVAL", "return redis.call('DEL', KEYS[1])", "1", "tlsmode:sender:a.test")):
        refused(lambda: d.cmd(*command), "ermission" if command[0] in ("EVAL",) else "NOPERM")
    for command in (("HSET", "tlsmode:sender:x.test", "mode", "enforced"), ("EXPIRE", "tlsmode:sender:x.test", 100),
                    ("PERSIST", "tlsmode:sender:x.test"), ("SCAN", "0"), ("TYPE", "tlsmode:sender:x.test"),
                    ("HDEL", "tlsmode:sender:x.test", "mode"), ("DEL", "tlsmode:dane:s.test"), ("PING",), ("INFO",)):
        admin.cmd(*command)
    for command in (("FLUSHALL",), ("FLUSHDB",), ("KEYS", "*"), ("CONFIG", "GET", "*"), ("GET", "other")):
        refused(lambda: admin.cmd(*command), "NOPERM")


@tap.test("an account without the rights: said once, with what to do, and mended without a restart")
def no_rights(w):
    r = w.server()
    c = r.client()
    c.cmd("ACL", "SETUSER", "poor", "on", ">x", "~tlsmode:*", "+@all", "-scan", "&*")
    p = w.probe(r, user="poor", password="x")
    p.wait_event("settled")
    p.wait_log("NOPERM")
    check("redis-acl.sample" in p.log(), "what to do")
    until(lambda: p.log().count("event=redis_up") >= 3, "it tries again")
    c.cmd("ACL", "SETUSER", "poor", "+scan")
    p.wait_state("live")
    c.cmd("ACL", "SETUSER", "poor2", "on", ">x", "~tlsmode:*", "+@all", "-client|tracking", "&*")
    q = w.probe(r, user="poor2", password="x")
    q.wait_log("CLIENT TRACKING: NOPERM")

    def connections():
        return int(re.search(r"total_connections_received:(\d+)", c.cmd("INFO", "stats")).group(1))
    had = connections()
    until(lambda: connections() >= had + 6, "three more attempts")
    check(q.log().count("event=redis_down") == 1, "the same reason is said once")


@tap.test("a replica serves; its refusal of facts is said once; MASTERDOWN is waited out")
def replica(w):
    r = w.server()
    c = r.client()
    c.cmd("HSET", "tlsmode:sender:a.test", "mode", "enforced")
    c.cmd("REPLICAOF", "127.0.0.1", "1")
    p = live(w, r)
    check(p.mode("a.test") == "enforced", "reads")
    for _ in range(3):
        p.ask("write dane x.test 10 a b")
        p.ask("write sts x.test 10 a b")
    p.wait_log("this Redis is a replica")
    check(p.log().count("event=redis_error") == 1, "once")
    c.cmd("CONFIG", "SET", "replica-serve-stale-data", "no")
    q = w.probe(r)
    q.wait_log("MASTERDOWN")
    c.cmd("REPLICAOF", "NO", "ONE")
    q.wait_state("live")


@tap.test("too many clients are told plainly")
def plainly(w):
    r = w.server(args=["--maxclients", "2"])
    c = r.client()
    p = w.probe(r)
    p.wait_event("settled")
    p.wait_log("max number of clients")
    c.cmd("CONFIG", "SET", "maxclients", 20)
    p.wait_state("live")


@tap.test("the sts hash is not replaced by an older one; nonsense in it is not believed")
def compare(w):
    r = w.server()
    c = r.client()
    p = live(w, r)

    def write(fields):
        p.ask("write sts a.test 100 " + fields)
        p.ask("write dane mark.test 100 n %d" % write.n)
        until(lambda: c.cmd("HGET", "tlsmode:dane:mark.test", "n") == str(write.n), "written")
        write.n += 1
        got = c.cmd("HGETALL", "tlsmode:sts:a.test")
        return dict(zip(got[::2], got[1::2]))
    write.n = 1
    now = int(time.time())
    check(write("v 1 fetched_at %d" % (now - 10))["v"] == "1", "first")
    check(write("v 2 fetched_at %d extra x" % (now - 5)) == {"v": "2", "fetched_at": str(now - 5), "extra": "x"}, "later")
    check(write("v 3 fetched_at %d" % (now - 7))["v"] == "2", "earlier")
    check(write("v 4 txt none")["v"] == "2", "no policy at all")
    check(write("v 5 fetched_at %d" % (now - 5)) == {"v": "5", "fetched_at": str(now - 5)}, "the same time replaces, whole")
    check(90 < c.cmd("TTL", "tlsmode:sts:a.test") <= 100, "TTL")
    for nonsense in ("garbage", now + 100000, "1e300", "-1", "nan", "inf"):
        c.cmd("HSET", "tlsmode:sts:a.test", "fetched_at", nonsense)
        check(write("v %s fetched_at %d" % (nonsense, now - 50))["v"] == str(nonsense), "nonsense %s" % nonsense)
    c.cmd("DEL", "tlsmode:sts:a.test")
    c.cmd("SET", "tlsmode:sts:a.test", "x")
    check(write("v 6 fetched_at 1")["v"] == "6", "another type")


@tap.test("reading facts: both hashes, absent ones, wrong types, names without facts, Redis away or hung")
def reading(w):
    r = w.server()
    c = r.client()
    c.cmd("HSET", "tlsmode:sts:a.test", "mode", "enforce")
    c.cmd("HSET", "tlsmode:dane:a.test", "mx", "secure")
    c.cmd("HSET", "tlsmode:dane:[a.test]:587", "mx", "secure", "kind", "none")
    c.cmd("SET", "tlsmode:dane:w.test", "x")
    c.pipeline([("HSET", "tlsmode:dane:big.test", "f%d" % i, "v" * 10000) for i in range(64)])
    p = live(w, r)

    def facts(name):
        n = len(p.events)
        p.ask("facts " + name)
        return p.wait_event("facts", since=n)[1:]
    check(facts("a.test") == ["read", "sts=mode:enforce", "dane=mx:secure"], "both")
    check(facts("[a.test]:587") == ["read", "sts=mode:enforce", "dane=mx:secure,kind:none"], "a host's policy domain")
    check(facts("none.test") == ["read", "sts=", "dane="], "none")
    check(facts("w.test") == ["unread", "sts=", "dane="], "a wrong type is an error, and no answer")
    check(facts("big.test") == ["unread", "sts=", "dane="], "too large to be ours: no sign that there is none")
    check(facts("[192.0.2.1]") == ["read", "sts=", "dane="], "a literal has none")
    r.signal(signal.SIGSTOP)
    start = time.monotonic()
    check(facts("a.test") == ["unread", "sts=", "dane="], "too slow")
    note("a hung Redis costs a reader %.0f ms" % ((time.monotonic() - start) * 1000))
    r.signal(signal.SIGCONT)
    p.wait_state("live")
    r.stop()
    p.wait_state("stale")
    check(facts("a.test") == ["away", "sts=", "dane="], "away")
    p.ask("write dane a.test 10 a b")
    n = len(p.events)
    p.ask("lock a.test")
    check(p.wait_event("lock", since=n)[1] == "got=1", "a lock is granted without Redis")


@tap.test("a Redis that does not keep up is asked no more than it can have waiting")
def busy(w):
    r = w.server()
    c = r.client()
    c.cmd("HSET", "tlsmode:sts:a.test", "mode", "enforce")
    p = live(w, r)

    def event(command, word):
        n = len(p.events)
        start = time.monotonic()
        p.ask(command)
        return p.wait_event(word, since=n)[1], (time.monotonic() - start) * 1000
    check(event("facts a.test", "facts")[0] == "read", "no bound")
    p.ask("busy 40")
    r.signal(signal.SIGSTOP)
    for i in range(100):
        p.ask("write dane w%d.test 100 mx insecure until 1" % i)
    got, ms = event("facts a.test", "facts")
    check(got == "unread" and ms < 300, "a read says at once that there is no answer: %s after %.0f ms" % (got, ms))
    got, ms = event("lock a.test", "lock")
    check(got == "got=1" and ms < 300, "and a fetch is not kept waiting: %s after %.0f ms" % (got, ms))
    p.ask("release")
    r.signal(signal.SIGCONT)
    until(lambda: event("facts a.test", "facts")[0] == "read", "answered again")
    check(c.cmd("EXISTS", "tlsmode:dane:w0.test") == 1 and c.cmd("EXISTS", "tlsmode:dane:w99.test") == 0, "left out")
    check(len(c.cmd("KEYS", "tlsmode:dane:w*")) <= 9, "no more than had room")
    check(c.cmd("EXISTS", "tlsmode:lock:a.test") == 0, "nor a lock that nobody would leave")
    check(p.log().count("event=redis_slow") == 1, "said once")
    check(p.counts()["reconnects"] == "1", "the connection stays")
    p.ask("write dane later.test 100 mx insecure until 1")
    until(lambda: c.cmd("EXISTS", "tlsmode:dane:later.test"), "and shared again")


@tap.test("the lock is taken once, and released by its owner only, also before it was answered")
def lock(w):
    r = w.server()
    c = r.client()
    p, q = live(w, r), live(w, r)

    def take(x):
        n = len(x.events)
        x.ask("lock a.test")
        return x.wait_event("lock", since=n)[1]
    check(take(p) == "got=1", "first")
    check(take(q) == "got=0", "second")
    q.ask("release")
    q.ask("ping")
    q.wait_event("reply", "some")
    check(c.cmd("EXISTS", "tlsmode:lock:a.test") == 1, "not his to release")
    check(25000 < c.cmd("PTTL", "tlsmode:lock:a.test") <= 30000, "it ends by itself")
    for end in ((), ("PX", "31000")):
        c.cmd("SET", "tlsmode:lock:a.test", "x", *end)
        check(take(q) == "got=1", "a lock without an end, or with too late a one, is nobody's")
        check(25000 < c.cmd("PTTL", "tlsmode:lock:a.test") <= 30000, "it ends by itself")
        q.ask("release")
        until(lambda: c.cmd("EXISTS", "tlsmode:lock:a.test") == 0, "released")
    c.cmd("SET", "tlsmode:lock:a.test", "x", "PX", "29000")
    check(take(q) == "got=0", "one like ours is another's")
    c.cmd("DEL", "tlsmode:lock:a.test")
    q.ask("release")
    p.ask("release")
    check(take(p) == "got=1", "first again")
    p.ask("release")
    until(lambda: c.cmd("EXISTS", "tlsmode:lock:a.test") == 0, "released")
    check(take(q) == "got=1", "free again")
    q.ask("release")
    n = len(p.events)
    p.process.stdin.write("lock b.test\nrelease\nping\n")
    p.wait_event("reply", "some", since=n)
    check(c.cmd("EXISTS", "tlsmode:lock:b.test") == 0, "nothing stays")
    check(not [e for e in p.events[n:] if e[0] == "lock"], "silence after release")


@tap.test("the control tool's blocking connection: account, database, and what is wrong in one sentence")
def blocking(w):
    r = w.server(args=["--include", SAMPLE, "--requirepass", "other"])
    a = r.client(auth=("tlsmode-admin", ADMIN))
    a.cmd("SELECT", 2)
    a.cmd("HSET", "tlsmode:sender:a.test", "mode", "enforced")

    def attempt(address=None, **options):
        p = w.probe(address or r, blocking=1, **options)
        p.quit(False)
        return " ".join(p.events[0][1:])
    good = {"user": "tlsmode-admin", "password": ADMIN}
    check(attempt(database=2, **good) == "enforced", "reads")
    check(attempt(**good) == "nothing", "database 0")
    check("redis.password_file" in attempt(), "no password")
    check("WRONGPASS" in attempt(user="tlsmode-admin", password="x"), "wrong password")
    check("check redis.database" in attempt(database=1000, **good), "no such database: %s" % attempt(database=1000, **good))
    check("No such file" in attempt("unix:/nonexistent/x.sock"), "no socket")
    check("not an address" in attempt("redis.example:6379"), "no host names")


@tap.test("TLS: the certificate must fit; a build without it says so")
def tls(w):
    pem = {n: w.file(n + ".pem") for n in ("key", "cert", "other", "otherkey")}
    for key, cert in (("key", "cert"), ("otherkey", "other")):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=redis.test", "-addext",
                        "subjectAltName=DNS:redis.test,IP:127.0.0.1", "-keyout", pem[key], "-out", pem[cert]], check=True, capture_output=True)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    r = w.server(args=["--tls-port", str(port), "--tls-cert-file", pem["cert"], "--tls-key-file", pem["key"], "--tls-ca-cert-file",
                       pem["cert"], "--tls-auth-clients", "no"])
    c = r.client()
    c.pipeline([("HSET", "tlsmode:sender:d%d.test" % i, "mode", "enforced", "note", "x" * 50) for i in range(20000)])
    c.cmd("HSET", "tlsmode:sender:a.test", "mode", "enforced")
    address = "127.0.0.1:%d" % port
    p = w.probe(address, tls=1, tls_ca=pem["cert"])
    p.wait_event("settled")
    if "hiredis_ssl" in p.log():
        check("set tls = false" in p.counts()["error"], "says what to do")
        note("this build has no hiredis_ssl: only its refusal was tested")
        return
    p.wait_state("live")
    check(p.counts()["settings"] == "20001", "all of it")
    c.cmd("HSET", "tlsmode:sender:b.test", "mode", "verified")
    p.wait_mode("b.test", "verified")
    q = w.probe(address, tls=1, tls_ca=pem["cert"], tls_name="redis.test", blocking=1)
    q.quit()
    check(q.events[0][1] == "enforced", "the control tool's too")
    for options in ({"tls_ca": pem["other"]}, {"tls_ca": pem["cert"], "tls_name": "else.test"}, {"tls_ca": pem["key"]}):
        x = w.probe(address, tls=1, **options)
        x.wait_event("settled")
        check(x.state() == "unknown", "refused: %s" % options)
        check(re.search("ertificate|mismatch", x.log()), "says why: %s" % x.counts()["error"])
    r.signal(signal.SIGSTOP)
    p.wait_state("stale")
    r.signal(signal.SIGCONT)
    p.wait_state("live")


@tap.test("the sample redis.conf is one that Redis takes")
def sample(w):
    with open(os.path.join(ROOT, "etc", "redis.conf.sample")) as f:
        text = re.sub(r"(?m)^(unixsocket|port|appendonly) .*$", "", f.read())
    with open(w.file("sample.conf"), "w") as f:
        f.write(text)
    r = w.server(args=["--include", w.file("sample.conf")])
    p = live(w, r)
    check(p.counts()["policy"] == "volatile-ttl" and "redis_maxmemory_policy" not in p.log(), "policy")


tap.run()
