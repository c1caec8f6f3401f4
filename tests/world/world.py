"""The world put together: what each destination publishes, and everything started in the right order.

    with World() as w:                              # after space.enter()
        w.destination("dane.test", signed=True, tlsa="3 1 1")
        w.start()
        qid = w.postfix.send("a@open.test", "x@dane.test")
        print(w.postfix.outcome(qid, "x@dane.test"))

Addresses: 127.0.0.1 resolver and Postfix, .2-.4 knot, .5 the failing DNS server, 127.0.1.1 policy host, 127.0.2.x receivers.
"""
import contextlib
import os
import signal
import subprocess

from . import certs
from .daemons import Daemons, merged
from .faultdns import ADDRESS as FAULT_ADDRESS
from .faultdns import FaultDns
from .knot import Knot
from .policy_host import PolicyHost, policy_text, write_host
from .postfix import Postfix
from .redisd import Redis
from .sink import Receiver, Sinks
from .space import Space, free_port, inside
from .strip import Stripper
from .unbound import Unbound
from .zones import Zone

POLICY_ADDRESS = "127.0.1.1"


class World:
    """Outside a room (space.inside() is false) every port is a high one, there are no receivers and no Postfix; should port 443 be
    forbidden, too, policy_host is None."""

    def __init__(self, name="world"):
        self.space = Space(name)
        self.dns_port = 53 if inside() else free_port("127.0.0.2", "127.0.0.3", "127.0.0.4", FAULT_ADDRESS)
        self.resolver_port, self.redis_port, self.map_port = (53, 0, 0) if inside() else (
            free_port("127.0.0.1"), free_port("127.0.0.1"), free_port("127.0.0.1"))
        self.ca = certs.CA(self.folder("ca"), name="World CA")
        self.policies = self.folder("policies")
        self.policy_host = self.open_policy_host()
        self.sinks = Sinks(self.space.path("sinks.jsonl"))
        self.zones, self.faults, self.receivers = {}, {}, {}
        self.addresses = 0
        self.knot = self.unbound = self.faultdns = self.redis = self.daemons = self.postfix = None

    def open_policy_host(self):
        try:
            host = PolicyHost((POLICY_ADDRESS, 443), self.policies, self.space.path("policy.jsonl"))
        except OSError:
            if inside():
                raise
            return None
        host.start()
        return host

    def folder(self, name):
        return self.space.path(name, "x")[:-2]

    # What the world publishes; before start(), or after it with publish().

    def zone(self, name, **how):
        """A new zone (zones.Zone); FAULTY=True delegates it, unsigned, to the server that fails as self.faults says."""
        if how.pop("faulty", False):
            how.setdefault("server", FAULT_ADDRESS)
            how.setdefault("signed", False)
        zone = self.zones[name] = Zone(name, **how)
        if self.knot:
            raise RuntimeError("zones must be there before start()")
        return zone

    def pair(self, kind, *names):
        """A certificate: "ca" (good), "self" (self-signed), "expired", "name" (for another name), "foreign" (of a CA that nobody
        here trusts), of names NAMES."""
        stem = "%s-%s" % (kind, names[0])
        if kind == "self":
            return certs.self_signed(self.ca.root, stem, dns=names)
        if kind == "foreign":
            return certs.CA(self.folder("foreign"), name="Unknown CA").issue(stem, dns=names)
        if kind == "expired":
            return self.ca.issue(stem, dns=names, days=(-60, -30))
        return self.ca.issue(stem, dns=["other.test"] if kind == "name" else names)

    def receiver(self, name, cert="ca", **how):
        """A receiver (sink.Receiver) named NAME on the next free address, listening now."""
        address = how.pop("address", None) or self.next_address()
        pair = self.pair(cert, name) if isinstance(cert, str) else cert
        receiver = self.receivers[name] = Receiver(name, address, pair, **how)
        if inside():
            self.sinks.add(receiver)
        return receiver

    def next_address(self):
        self.addresses += 1
        return "127.0.2.%d" % self.addresses

    def stripped(self, receiver):
        """The address of a proxy in front of RECEIVER that takes the offer of STARTTLS away."""
        stripper = Stripper(self.next_address(), (receiver.address, receiver.port), receiver.port)
        if inside():
            stripper.start()
        return stripper.address

    def sts(self, domain, mode="enforce", id="1", mx=None, max_age=604800, ttl=None, **host):
        """Publishes an MTA-STS policy: TXT, address of the policy host, and what it serves (policy_host.py's keys in HOST)."""
        zone = self.zone_of(domain)
        zone.set("_mta-sts." + domain + ".", "TXT", '"v=STSv1; id=%s;"' % id, ttl=ttl)
        zone.set("mta-sts." + domain + ".", "A", POLICY_ADDRESS)
        if "cert" not in host:
            pair = self.pair("ca", "mta-sts." + domain)
            host.update(cert=pair.cert, key=pair.key)
        host.setdefault("body", policy_text(domain, mode, mx, max_age))
        write_host(self.policies, "mta-sts." + domain, **host)

    def fetches(self, domain):
        """How often the policy host was asked for DOMAIN's policy."""
        return sum(r["host"] == "mta-sts." + domain for r in self.policy_host.requests)

    def zone_of(self, domain):
        while domain not in self.zones:
            domain = domain.partition(".")[2]
        return self.zones[domain]

    def destination(self, domain, signed=False, cert="ca", tlsa=None, sts=None, **receiver):
        """A whole destination with one MX host mx.DOMAIN. TLSA: "3 1 1" of its certificate, or whole RDATA. STS: a mode."""
        zone = self.zone(domain, signed=signed)
        host = self.receiver("mx." + domain, cert, **receiver)
        zone.set("@", "MX", "10 mx." + domain + ".").set("mx", "A", host.address)
        if tlsa:
            zone.set("_25._tcp.mx", "TLSA", tlsa if len(tlsa.split()) > 3 else certs.tlsa(tlsa, host.pair.cert))
        if sts:
            self.sts(domain, sts)
        return zone

    def publish(self, *zones):
        """Edited zones come into force, and the machine's resolver forgets them. tlsmode-mapd has its own memory, by TTL."""
        for zone in zones:
            if not zone.elsewhere:
                self.knot.apply(zone)
        self.unbound.forget(*(zone.name for zone in zones))

    # Starting and ending.

    def start(self, conf=None, postfix=True, milter=True, own_root=False, **main_cf):
        """Everything. CONF is laid over tlsmode.conf; OWN_ROOT: mapd resolves from the private root by itself instead of
        forwarding to unbound; MAIN_CF is laid over main.cf."""
        self.start_dns()
        self.start_redis()
        self.start_mapd(conf, own_root)
        if milter:
            self.daemons.start_milter()
        if postfix:
            self.start_postfix(**(main_cf if milter else {"smtpd_milters": "", **main_cf}))

    def start_dns(self):
        away = [zone for zone in self.zones.values() if zone.elsewhere]
        self.faultdns = FaultDns(away, self.faults, port=self.dns_port) if away else None
        self.knot = Knot(self.space, self.zones.values(), self.dns_port)
        self.knot.start()
        self.unbound = Unbound(self.space, self.knot, self.resolver_port, "unbound" if inside() else "")
        self.unbound.start()

    def start_redis(self, conf=""):
        self.redis = Redis(self.space, self.redis_port, conf)
        self.redis.start()

    def start_mapd(self, conf=None, own_root=False):
        dns = {"trust_anchor": self.knot.root_key}
        if own_root:
            dns["root_hints"] = self.knot.root_hints
        else:
            dns["forward"] = ["127.0.0.1" if self.resolver_port == 53 else "127.0.0.1@%d" % self.resolver_port]
        here = {} if inside() else {"mapd": {"listen": ["inet:127.0.0.1:%d" % self.map_port]}}
        self.daemons = Daemons(self.space, self.redis, dns, self.ca.cert, merged(here, conf or {}))
        self.daemons.start_mapd()

    def start_postfix(self, **main_cf):
        self.postfix = Postfix(self.space, self.ca.cert, **main_cf)
        self.postfix.configure()
        self.postfix.start()

    def ask(self, name, key):
        """One question to a map of tlsmode-mapd; the reply, its grammar checked."""
        client = self.daemons.client()
        try:
            return client.ask(name, key)
        finally:
            client.close()

    def postfix_query(self, key, name):
        """The same by postmap -q, Postfix's own client (a Postfix need not run): (answer or None, complaint)."""
        where = self.daemons.where
        done = subprocess.run(["postmap", "-q", key, "socketmap:%s:%s" % (where, name)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)
        return (done.stdout.rstrip("\n") if done.returncode == 0 else None), done.stderr.strip()

    def mode(self, domain, mode=None):
        """What redis-cli HSET (or DEL) does to a sender's mode."""
        if mode:
            self.redis.cli("HSET", "tlsmode:sender:" + domain, "mode", mode)
        else:
            self.redis.cli("DEL", "tlsmode:sender:" + domain)

    def stop(self):
        for part in (self.postfix, self.daemons, self.unbound, self.knot, self.faultdns, self.redis):
            if part:
                part.stop()
        if self.policy_host:
            self.policy_host.stop()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        """A clean stop is part of a run that went well; after a fault or an interruption everything just ends."""
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # a second word must not interrupt the clearing up
        try:
            if kind is None:
                self.stop()
            elif inside():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(-1, signal.SIGKILL)  # all of this room but its first process, which we are
            else:
                self.stop_what_runs()
        finally:
            self.space.remove()

    def stop_what_runs(self):
        for part in (self.daemons, self.unbound, self.knot, self.redis):
            with contextlib.suppress(OSError, RuntimeError, AttributeError):  # it had not started, or had ended
                part.stop()
