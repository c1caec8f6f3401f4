"""The machine's validating resolver: unbound on 127.0.0.1, which sets AD for Postfix. Its log names every question asked of it."""
import re

from .dnswire import ask
from .procs import Program
from .space import run
from .waiting import wait_for

CONF = """server:
  interface: 127.0.0.1
  port: {port}
  directory: "{dir}"
  chroot: ""
  username: "{account}"
  pidfile: ""
  use-syslog: no
  logfile: ""
  log-queries: yes
  log-time-ascii: no
  verbosity: 0
  num-threads: 1
  do-daemonize: no
  do-ip6: no
  do-not-query-localhost: no
  local-zone: "test." nodefault
  trust-anchor-file: "{anchor}"
  module-config: "validator iterator"
  val-bogus-ttl: 2
  cache-max-negative-ttl: 5
  infra-host-ttl: 2
  infra-keep-probing: yes
remote-control:
  control-enable: yes
  control-interface: {dir}/control
  control-use-cert: no
{above}"""
HINTS = """server:
  root-hints: "{hints}"
"""
# Without the right to use port 53 the one server of all zones is named with its port; it answers for every level.
FORWARD = """forward-zone:
  name: "."
  forward-addr: {server}@{port}
"""


class Unbound:
    def __init__(self, space, knot, port=53, account="unbound"):
        self.port = port
        self.dir = space.path("unbound", "x")[:-2]
        run("chmod", "777", self.dir)
        above = HINTS if knot.port == 53 else FORWARD
        self.conf = space.write("unbound/unbound.conf", CONF.format(
            port=port, dir=self.dir, anchor=knot.root_key, account=account,
            above=above.format(hints=knot.root_hints, server=knot.zones[""].server, port=knot.port)))
        self.space = space
        self.program = None

    def start(self):
        self.program = Program(self.space, "unbound", ["unbound", "-d", "-c", self.conf])
        wait_for("an answer from unbound", lambda: self.program.insist() and self.validates(), 30)

    def validates(self):
        try:
            rcode, secure, found = ask("127.0.0.1", "test.", "SOA", self.port, do=True)
        except OSError:
            return False
        return rcode == 0 and secure and found

    def control(self, *words):
        return run("unbound-control", "-c", self.conf, *words)

    def forget(self, *names):
        """Takes all that is known of these zones out of its memory, failures and dead servers included."""
        for name in names:
            self.control("flush_zone", name or ".")
        self.control("flush_bogus")
        self.control("flush_infra", "all")

    def questions(self):
        """[(name without final dot, type)] asked of it so far, in order."""
        return [(name.rstrip(".").lower(), rtype) for name, rtype in
                re.findall(r"info: 127\.\S+ (\S+) (\S+) IN", self.program.text())]

    def stop(self):
        self.program.stop()
