"""The harm that chaos.py does: every way in which what tlsmode-mapd leans on is known to fail, one after the other at random.

Not a test. Each method of ACTIONS leaves the world working (but for DNS and policy hosts) and the oracle knowing what was written.
"""
import json
import os
import random
import re
import signal
import subprocess
import time

from chaos_oracle import GRACE, WAYS
from world.daemons import confuse, merged
from world.redisd import RedisError
from world.waiting import Late, wait_for

SEED = int(os.environ.get("TLSMODE_CHAOS_SEED") or random.randrange(1 << 32))
DEADLINE, SENDERS = 3, 24
SENDER = "tlsmode:sender:"
STS, DANE, PLAIN = ("sts.test", "faultsts.test", "alsosts.test"), ("dane.test",), ("plain.test", "faultplain.test", "excepted.test")
FAULTY = ("faultsts.test", "alsosts.test", "faultplain.test")
HOST_WAYS = ({"status": 500}, {"send": "reset"}, {"send": "garbage"}, {"send": "short"}, {"send": "stall"}, {"type": "text/html"},
             {"body": "version: STSv1\nmode: nonsense\n"}, {"size": 70000}, {"send": "silent"})
CONF = {"mapd": {"deadline": DEADLINE}, "dns": {"timeout": 2}, "sts": {"timeout": 1}}


def sender_name(i):
    return "s%d.test" % i


class Storm:
    """The one who does harm. WHOLE: Redis is up and has all settings; then a written one is in force at once."""

    def __init__(self, w, oracle):
        self.w, self.oracle, self.random = w, oracle, random.Random(SEED)
        self.senders = oracle.settings
        self.policy_id = 1

    # --- looking ---

    def status(self):
        return json.loads(self.w.ask("status", "all")[3:])

    def state(self):
        try:
            return self.status()["settings"]["state"]
        except (OSError, EOFError):
            return "away"

    def in_step(self, seconds=20):
        """The daemon follows Redis again: what is written from here on is in force at once, and so is all that was before."""
        self.probe = getattr(self, "probe", 0) + 1
        name = "probe%d.test" % self.probe
        self.w.redis.cli("HSET", SENDER + name, "mode", "enforced")
        wait_for("a written setting in force", lambda: self.w.daemons.mapd.insist() and self.way(name) == WAYS["enforced"], seconds)
        wait_for("settings live or held", lambda: self.state() in ("live", "held"), seconds)
        self.w.redis.cli("DEL", SENDER + name)
        self.oracle.unknown = False
        self.senders.all_sure(time.monotonic() + GRACE)

    def way(self, domain):
        try:
            return self.w.ask("transport", "a@" + domain)
        except (OSError, EOFError):
            return None

    # --- settings ---

    def put(self, client, i, mode):
        name = sender_name(i)
        deleted = mode == "opportunistic" and self.random.random() < 0.5
        change = self.senders.write(name, mode, deleted=deleted)
        if deleted:
            client("DEL", SENDER + name)
        else:
            client("HSET", SENDER + name, "mode", mode if self.random.random() < 0.8 else mode.upper())
        return change

    def flip(self):
        client = self.w.redis.connect()
        changes = [self.put(client, self.random.randrange(SENDERS), self.random.choice(tuple(WAYS)))
                   for _ in range(self.random.randrange(1, 8))]
        for change in changes:
            change.sure = time.monotonic() + GRACE
        client.close()
        time.sleep(self.random.random() * 0.1)

    def flip_together(self):
        client = self.w.redis.connect()
        client("MULTI")
        changes = [self.put(client, i, self.random.choice(tuple(WAYS))) for i in self.random.sample(range(SENDERS), 5)]
        client("EXEC")
        for change in changes:
            change.sure = time.monotonic() + GRACE
        client.close()

    def ending(self):
        """A mode that ends by itself; its sender has no other."""
        name, ms = sender_name(self.random.randrange(SENDERS)), self.random.randrange(50, 400)
        client = self.w.redis.connect()
        now = time.monotonic()
        self.senders.write(name, "verified", now).sure = now + GRACE
        self.senders.write(name, "opportunistic", now + ms / 1000 - 0.02)
        client("MULTI")
        client("DEL", SENDER + name)
        client("HSET", SENDER + name, "mode", "verified")
        client("PEXPIRE", SENDER + name, ms)
        client("EXEC")
        client.close()
        time.sleep(ms / 1000 + 0.02)
        self.senders.all_sure(time.monotonic() + GRACE)

    def nonsense(self):
        """Values and keys of no use to anybody beside those we judge."""
        client = self.w.redis.connect()
        for words in (("HSET", SENDER + "junk.test", "mode", "\x00\xff" * 40), ("SET", SENDER + "string.test", "x" * 5000),
                      ("HSET", SENDER + "Not..Canonical", "mode", "enforced"), ("HSET", "tlsmode:rcpt:junk.test", "match", "*:hostname"),
                      ("HSET", "tlsmode:except:junk.test", "plaintext", "all"), ("RPUSH", "tlsmode:except:list.test", "a", "b"),
                      ("PEXPIREAT", SENDER + "junk.test", str((1 << 63) - 1)), ("HSET", "tlsmode:sts:[junk", "mode", "enforce"),
                      ("DEL", "tlsmode:dane:%s" % self.random.choice(PLAIN + DANE))):
            try:
                client(*words)
            except RedisError:
                pass
        client.close()

    def broken_facts(self):
        """A shared fact becomes something that is none; nobody asked for it to be forgotten."""
        domain = self.random.choice(STS)
        client = self.w.redis.connect()
        client("DEL", "tlsmode:dane:" + domain)
        client("MULTI")
        client("DEL", "tlsmode:sts:" + domain)
        if self.random.random() < 0.5:
            client("SET", "tlsmode:sts:" + domain, "a string")
        else:
            client("HSET", "tlsmode:sts:" + domain, "mode", "enforce", "max_age", "-1", "txt", "maybe", *["x"] * (
                200 if self.random.random() < 0.5 else 2))
        client("EXEC")
        client.close()

    def exception(self):
        key = "tlsmode:except:excepted.test"
        self.w.redis.cli("HSET", key, "plaintext", "allow", "for", self.random.choice(("all", "opportunistic")))
        self.w.redis.cli("PEXPIRE", key, self.random.randrange(100, 3000))

    # --- Redis ---

    def kill_connections(self):
        kind = self.random.choice(("pubsub", "normal"))
        self.w.redis.cli("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        client = self.w.redis.connect()
        for _ in range(3):
            self.put(client, self.random.randrange(SENDERS), self.random.choice(tuple(WAYS)))
        client.close()
        self.in_step()

    def hang_redis(self):
        self.w.redis.program.send(signal.SIGSTOP)
        time.sleep(self.random.random() * 4)
        self.w.redis.program.send(signal.SIGCONT)
        self.in_step()

    def busy_redis(self):
        """A script that does not end: every command is refused with an error for a while."""
        client = self.w.redis.connect()
        words = ("EVAL", "while true do end", "0")
        client.socket.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(x), x.encode()) for x in words))
        time.sleep(0.2 + self.random.random() * 2)
        self.w.redis.cli("SCRIPT", "KILL")
        try:
            client.reply()
        except RedisError:
            pass
        client.close()
        self.in_step()

    def full_redis(self):
        """No fact can be written for a while, and connections are lost meanwhile."""
        self.w.redis.cli("CONFIG", "SET", "maxmemory", "1")
        self.w.redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
        time.sleep(self.random.random() * 2)
        self.w.redis.cli("CONFIG", "SET", "maxmemory", "0")
        self.in_step()

    def other_prefix(self):
        """A reload leads to where nothing is, and back."""
        for prefix in ("elsewhere:", "tlsmode:"):
            self.w.space.write("tlsmode.conf", confuse(merged(self.w.daemons.conf, {"redis": {"prefix": prefix}})))
            self.w.daemons.mapd.send(signal.SIGHUP)
            time.sleep(self.random.random())
        self.in_step()

    def restart_redis_whole(self):
        self.w.redis.cli("SAVE")
        self.w.redis.stop(number=signal.SIGKILL)
        time.sleep(self.random.random() * 2)
        if self.random.random() < 0.3:
            self.restart_mapd(whole=False)
        self.w.redis.start()
        self.in_step()

    def lose_settings(self):
        """Redis is emptied, or comes back empty; sometimes the daemon starts anew meanwhile. Then all is written again."""
        if self.random.random() < 0.5:
            self.w.redis.cli("FLUSHALL")
        else:
            self.w.redis.stop(number=signal.SIGKILL)
            self.forget_dump()
            time.sleep(self.random.random())
            self.w.redis.start()
        if self.random.random() < 0.3:
            time.sleep(self.random.random())
        if self.random.random() < 0.3:
            self.restart_mapd(whole=False)
        self.restore()

    def forget_dump(self):
        dump = os.path.join(os.path.dirname(self.w.redis.path), "dump.rdb")
        if os.path.exists(dump):
            os.unlink(dump)

    def restore(self):
        client = self.w.redis.connect()
        for i in self.random.sample(range(SENDERS), SENDERS):
            mode = self.senders.now(sender_name(i))
            self.senders.write(sender_name(i), mode)
            client("HSET", SENDER + sender_name(i), "mode", mode)
        client.close()
        try:
            wait_for("settings live", lambda: self.state() == "live", 3)
        except Late:  # what nobody has written again is held: a person says that it may go
            subprocess.run([self.w.daemons.program("tlsmode"), "-c", self.w.space.path("tlsmode.conf"), "settings", "accept"],
                           check=True, stdout=subprocess.DEVNULL)
            wait_for("settings live", lambda: self.state() == "live", 20)
        self.in_step()

    # --- the daemon ---

    def snapshot_modes(self):
        try:
            with open(self.w.daemons.conf["settings"]["snapshot"] + ".mapd") as f:
                return dict(re.findall(r"^sender (\S+) .* mode=(\S+)", f.read(), re.M))
        except FileNotFoundError:
            return None

    def restart_mapd(self, whole=True):
        """WHOLE: Redis has everything the daemon knows."""
        span = [time.monotonic(), None]
        self.oracle.restarts.append(span)
        kept = [d for d in STS if whole and self.w.redis.cli("EXISTS", "tlsmode:sts:" + d) and self.policy_shared(d)]
        self.w.daemons.mapd.stop(number=signal.SIGKILL if self.random.random() < 0.6 else signal.SIGTERM, seconds=30)
        self.oracle.forget_policies(kept)
        if not whole:
            self.start_from(self.snapshot_modes())
        self.w.daemons.conf = merged(self.w.daemons.conf, CONF)
        self.w.daemons.start_mapd()
        span[1] = time.monotonic()

    def start_from(self, modes):
        """Of the settings the daemon will know MODES, the snapshot's, or nothing."""
        self.oracle.unknown = modes is None
        self.senders.reset(modes or {})

    def policy_shared(self, domain):
        try:
            return self.w.redis.cli("HGET", "tlsmode:sts:" + domain, "mode") == "enforce"
        except RedisError:
            return False

    def kill_mapd(self):
        self.restart_mapd()
        self.in_step()

    def reload(self):
        conf = merged(self.w.daemons.conf, merged(CONF, {
            "mapd": {"min_tls": self.random.choice(("1.2", "1.3", "")), "cache_entries": self.random.choice((10, 1000000)),
                     "max_jobs": self.random.choice((2000, 100))},
            "metrics": {"listen": self.random.choice(("inet:127.0.0.1:9461", "inet:127.0.0.1:9462", ""))},
            "dns": {"timeout": self.random.choice((2, 1))},
        }))
        for _ in range(self.random.choice((0, 1, 1, 5))):
            text = confuse(merged(conf, {"settings": {"snapshot": ""}}) if self.random.random() < 0.3 else conf)
            if self.random.random() < 0.3:
                text += self.random.choice(("nonsense = 1\n", "mapd { deadline = 0 }\n", "{", "redis { address = \"no\" }\n"))
            self.w.space.write("tlsmode.conf", text)
            self.w.daemons.mapd.send(signal.SIGHUP)
            time.sleep(self.random.random() * 0.05)
        self.w.space.write("tlsmode.conf", confuse(conf))
        self.w.daemons.mapd.send(signal.SIGHUP)

    def reload_while_redis_comes(self):
        """The configuration changes while the connection to Redis is being made."""
        self.w.redis.cli("CLIENT", "KILL", "TYPE", "pubsub")
        self.w.redis.program.send(signal.SIGSTOP)
        for _ in range(6):
            self.w.daemons.mapd.send(signal.SIGHUP)
            time.sleep(0.1)
        self.w.redis.program.send(signal.SIGCONT)
        self.w.daemons.mapd.send(signal.SIGHUP)
        self.in_step()

    # --- what destinations publish ---

    def dns_faults(self):
        self.w.faults.clear()
        for domain in FAULTY:
            if self.random.random() < 0.7:
                kind = self.random.choice(("*", "MX", "A", "TXT"))
                self.w.faults[(self.random.choice(("", "_mta-sts.", "mta-sts.", "mx.")) + domain + ".", kind)] = self.random.choice(
                    ("servfail", "refused", "silent", "nxdomain"))

    def no_dns_faults(self):
        self.w.faults.clear()

    def hang_resolver(self):
        self.w.unbound.program.send(signal.SIGSTOP)
        time.sleep(self.random.random() * 4)
        self.w.unbound.program.send(signal.SIGCONT)

    def policy_host(self):
        """The policy host misbehaves, and the record says that there is something new."""
        self.policy_id += 1
        how = dict(self.random.choice(HOST_WAYS + ({},) * 4))
        domain = self.random.choice(STS[1:])
        self.w.sts(domain, id=str(self.policy_id), ttl=1, **how)

    def policy_record_gone(self):
        self.w.zone_of("faultsts.test").set("_mta-sts", "TXT")

    # --- all of it ---

    ACTIONS = ((flip, 30), (flip_together, 6), (ending, 4), (nonsense, 3), (broken_facts, 3), (exception, 2), (kill_connections, 5),
               (hang_redis, 2), (busy_redis, 2), (full_redis, 1), (other_prefix, 2), (restart_redis_whole, 2), (lose_settings, 4),
               (kill_mapd, 3), (reload, 5), (reload_while_redis_comes, 2), (dns_faults, 4), (no_dns_faults, 3), (hang_resolver, 2), (policy_host, 5),
               (policy_record_gone, 1))

    def run(self, seconds):
        end = time.monotonic() + seconds
        actions, weights = zip(*self.ACTIONS)
        while time.monotonic() < end and len(self.oracle.violations) < 20:
            action = self.random.choices(actions, weights)[0]
            self.oracle.did(action.__name__)
            action(self)
            time.sleep(self.random.random() * 0.1)

    def renew_policies(self):
        """A new id may be fetched at once, whatever the hold-off of the last one says."""
        self.policy_id += 1
        for domain in STS[1:]:
            self.w.sts(domain, id=str(self.policy_id), ttl=1)

    def calm(self):
        """Everything is well again."""
        self.w.faults.clear()
        self.renew_policies()
        self.w.redis.cli("DEL", "tlsmode:except:excepted.test")
        self.w.daemons.write(**CONF)
        self.w.daemons.mapd.send(signal.SIGHUP)
        self.w.unbound.forget(*FAULTY)
        self.restore()
