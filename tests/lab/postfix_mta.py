"""Postfix in the laboratory: its maps made from the table of routes, its outcomes from its log, its stages by reload."""
import os
import re

from world.space import run
from world.waiting import Late, wait_for

from . import receivers
from .log import Log
from .oracle import REFUSAL
from .routes import HOUSE
from .senders import POOL_ADDRESS, VIA
from .submit import submit

# What every stage has. No retry by itself: flush() is the second try, and late enough for Postfix's own fall back to clear
# text. A receiver that breaks does not silence the next message to it.
BASE = {
    "mydestination": HOUSE,
    "virtual_alias_domains": "virtual.test",
    "recipient_delimiter": "+",
    "smtpd_authorized_xclient_hosts": "127.0.0.1",
    "queue_run_delay": "1h",
    "minimal_backoff_time": "1s",
    "default_destination_concurrency_failed_cohort_limit": "0",
    "default_process_limit": "40",
    "smtp_connection_cache_destinations": "",
    "smtp_tls_connection_reuse": "no",
    "relay_transport": "relay",
}
STAGES = {
    "strict-relay": {"relay_transport": "smtp-verified"},
    "cache": {"smtp_connection_cache_destinations": "static:all", "smtp_tls_connection_reuse": "yes",
              "smtp_connection_cache_time_limit": "20s"},
}


class PostfixMta:
    """LETTERS: all that will ever be sent (aliases are made for them)."""
    honours, refusal = ("dane", "sts", "match"), REFUSAL
    tells_local, test = True, "lab"

    def __init__(self, w, letters):
        self.w = w
        self.letters = letters
        self.log = None

    def main_cf(self):
        box = self.w.space.path("box", "x")[:-2]
        os.chmod(box, 0o777)
        used = [receivers.BY_NAME[name] for name in sorted({letter.receiver.name for letter in self.letters})]
        transports = ["%s.hop.test :%s" % (r.name, r.hop()) for r in used]
        relays = ["%s.relay.test :%s" % (r.name, r.mx_hop()) for r in used]
        senders = [r"/\.via\.%s[+.@]/ %s" % (r.name, r.mx_hop()) for r in used]
        expand = [letter for letter in self.letters if letter.route.name in ("alias", "virtual")]
        aliases = ["%s %s" % (letter.rcpts[0].partition("@")[0], letter.target) for letter in expand]
        virtual = ["%s %s" % (letter.rcpts[0], letter.target) for letter in expand if letter.route.name == "virtual"]
        return {
            **BASE,
            "transport_maps": self.map("transport", transports + relays),
            "relay_domains": self.map("relays", [line.split()[0] + " x" for line in relays]),
            "sender_dependent_relayhost_maps": self.map("senders", senders, "regexp"),
            "alias_maps": self.map("aliases", ["keeper %s/mbox" % box] + aliases),
            "virtual_alias_maps": self.map("virtual", virtual),
        }

    def map(self, name, lines, kind="texthash"):
        return "%s:%s" % (kind, self.w.space.write("lab/" + name, "\n".join(lines) + "\n"))

    def start(self):
        self.w.start_postfix(**self.main_cf())
        self.log = Log(self.w.postfix.log)
        self.add_services()

    @property
    def title(self):
        return "Postfix " + run("postconf", "-dh", "mail_version").strip()

    def add_services(self):
        """Debian leaves tlsproxy out, without which no TLS connection is kept. Then the families."""
        run("postconf", "-M", "tlsproxy/unix=tlsproxy unix - - y - 0 tlsproxy")
        self.add_families()
        self.w.postfix.reload()

    def add_families(self):
        """The services of each transport family: copies of the wiring's own, under another name and address."""
        for family in VIA.values():
            for service, copy in (("smtp", family), ("smtp-enforced", family + "-enforced"),
                                  ("smtp-verified", family + "-verified")):
                line = run("postconf", "-M", service + "/unix").strip()
                line = re.sub(r"^%s\s" % service, copy + " ", line)
                line = re.sub(r"\s+-o syslog_name=\S+", "", line)
                run("postconf", "-M", "%s/unix=%s -o syslog_name=postfix/%s -o smtp_bind_address=%s" % (
                    copy, line, copy, POOL_ADDRESS))

    def enter(self, stage):
        """The configuration of a stage in force."""
        self.w.postfix.set(**{**BASE, **STAGES.get(stage, {})})
        self.w.postfix.reload()
        wait_for("Postfix's greeting", self.w.postfix.greets, 20)

    submit = staticmethod(submit)

    def outcomes(self, key):
        self.log.refresh()
        return self.log.outcomes[key]

    def await_outcomes(self, keys, nth=1, seconds=240):
        """Until every one of KEYS has NTH outcomes; those that have not in time."""
        late = set(keys)

        def all_told():
            self.log.refresh()
            late.difference_update([key for key in late if len(self.log.outcomes[key]) >= nth])
            return not late
        try:
            wait_for("the outcomes", all_told, seconds, 0.1)
        except Late:
            pass
        return late

    def flush(self):
        self.w.postfix.flush()

    def service(self, key):
        """The service (syslog_name and program) that made the last attempt."""
        self.log.refresh()
        return (self.log.services[key] or [None])[-1]

    def empty(self):
        """What still waits is taken out of the queue."""
        run("postsuper", "-d", "ALL")

    def break_wiring(self):
        """What a careless site might write: strict services that ask the opportunistic map and demand nothing."""
        weak = run("postconf", "-h", "smtp_tls_policy_maps").strip()
        for service in ("smtp-enforced", "smtp-verified"):
            run("postconf", "-P", "%s/unix/smtp_tls_security_level=may" % service,
                "%s/unix/smtp_tls_policy_maps=%s" % (service, weak))
        self.w.postfix.reload()
