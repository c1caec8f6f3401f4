#!/usr/bin/python3
"""tlsmode doctor, rule by rule: a small main.cf and master.cf that are right, then one that breaks just that rule. The finding
must be that rule's and no other's; where the mend is a command of postconf(1) it is typed as printed, and the finding must be
gone.

Runs in a room of its own (tests/world) with a real resolver, Redis, tlsmode-mapd and tlsmode-milter; no Postfix runs, it is only
read. A Postfix of another version is played by mail_version in main.cf."""
import json
import os
import re
import shutil
import subprocess
import sys

if os.environ.get("builddir"):
    os.environ["TLSMODE_BUILD"] = os.path.abspath(os.environ["builddir"])

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from world.space import run  # noqa: E402
from world.tap import main  # noqa: E402
from world.world import World  # noqa: E402

QUEUE = "/var/spool/postfix"
BUNDLE = "/run/world/bundle.pem"
MAP = "socketmap:unix:tlsmode/map.sock:"
ALWAYS = {"resolver-delay"}  # the note that comes with every page
SENDER_MAPS = "sender_dependent_default_transport_maps"

MAIN = {
    "compatibility_level": "3.6",
    "mail_version": "3.7.11",
    "myhostname": "mail.sender.test",
    "mydestination": "",
    "smtp_dns_support_level": "dnssec",
    "smtp_tls_security_level": "may",
    "smtp_tls_dane_insecure_mx_policy": "dane",
    "smtp_tls_policy_maps": MAP + "opportunistic",
    SENDER_MAPS: MAP + "transport",
    "address_verify_sender_dependent_default_transport_maps": "",
    "smtp_tls_CAfile": BUNDLE,
    "smtpd_milters": "{ unix:tlsmode/milter.sock, default_action=tempfail }",
    "non_smtpd_milters": "{ unix:tlsmode/milter.sock, default_action=tempfail }",
    "smtp_header_checks": "regexp:$config_directory/strip.regexp",
}

STRICT = """%(name)s unix - - y - - smtp
  -o smtp_tls_security_level=%(level)s
  -o smtp_tls_policy_maps=""" + MAP + """%(mode)s
  -o smtp_delivery_status_filter=""" + MAP + """refusal
  -o smtp_fallback_relay=
  -o smtp_connection_cache_on_demand=no
"""

MASTER = """smtp inet n - y - - smtpd
127.0.0.1:10025 inet n - y - - smtpd -o smtpd_milters=
pickup unix n - y 60 1 pickup
cleanup unix n - y - 0 cleanup
rewrite unix - - y - - trivial-rewrite
proxymap unix - - n - - proxymap
smtp unix - - y - - smtp
relay unix - - y - - smtp
local unix - n n - - local
lmtp unix - - y - - lmtp
forgets unix - n n - - pipe flags=R user=nobody argv=/bin/filter ${recipient}
keeps unix - n n - - pipe flags=R user=nobody argv=/bin/filter -f ${sender} ${recipient}
""" + STRICT % {"name": "smtp-enforced", "level": "encrypt", "mode": "enforced"} + \
    STRICT % {"name": "smtp-verified", "level": "verify", "mode": "verified"}

# The same for 3.10.5 and later. An older postconf(1) does not say tls_required_enable of main.cf, but of services.
NEW = {"main": {"mail_version": "3.10.13", "smtp_tls_policy_maps": MAP + "opportunistic-tlsrpt"},
       "own": {"smtp": {"tls_required_enable": "no"}, "relay": {"tls_required_enable": "no"},
               "smtp-enforced": {"smtp_tls_policy_maps": MAP + "enforced-tlsrpt", "tls_required_enable": "no"},
               "smtp-verified": {"smtp_tls_policy_maps": MAP + "verified-tlsrpt", "tls_required_enable": "no"}}}

FILES = {"strip.regexp": "/^X-TLS-Mode:/ IGNORE\n",
         "transport.regexp": "# comment\nif /x/\n/(a b)@x\\/y/i smtp:[gw.test]\nendif\n",
         "harmless": "x.test :[gw.test]\ny.test local:\nz.test smtp-enforced:[gw.test]\nw.test smtp:[127.0.0.1]:10026\n",
         "bytag.regexp": "/^X-TLS-Mode: enforced/ FILTER smtp-enforced:\n/^X-TLS-Mode: opportunistic/ FILTER smtp:\n",
         "wrongtag.regexp": "/^X-TLS-Mode: (enforced|verified)/ FILTER smtp-enforced:\n",
         "anytag.regexp": "/^X-TLS-Mode:/ FILTER smtp:\n",
         "instance.regexp": "/^X-TLS-Mode: enforced/ FILTER smtp:[127.0.0.1]:10461\n",
         "leaves.regexp": "/^Subject: secret/ FILTER smtp:[gw.test]\n",
         "forgets.regexp": "/^Subject: secret/ FILTER forgets:dummy\n",
         "loopback.regexp": "/^Subject: secret/ FILTER smtp:[127.0.0.1]:10026\n"}


class Case:
    """One broken installation. MAIN: values of main.cf; OWN: values of services; NEW: what is right for 3.10 before them; ADD:
    lines of master.cf; DROP: services taken out; CONF: sections of tlsmode.conf; REDIS: commands, taken back afterwards.
    FRONT: it has a port for others. ALSO: findings that come of the same. MENDED: the printed commands of postconf(1) make it
    right."""

    def __init__(self, rule, severity="error", main=None, own=None, new=False, add="", drop=(), conf=None, redis=(), mended=True,
                 parameter=None, name="", also=(), front=True):
        self.rule, self.severity, self.parameter = rule, severity, parameter
        self.main = {**(NEW["main"] if new else {}), **(main or {})}
        self.own = {service: dict(values) for service, values in (NEW["own"] if new else {}).items()}
        for service, values in (own or {}).items():
            self.own.setdefault(service, {}).update(values)
        self.add, self.drop, self.conf, self.redis, self.mended = add, drop, conf or {}, redis, mended
        self.also, self.front = set(also), front
        self.name = name or "%s %s" % (rule, parameter or "")


E, V = "smtp-enforced", "smtp-verified"
VERIFIED = "HSET tlsmode:sender:v.test mode verified"
BY_AUTHOR = {"milter": {"identity": ["envelope", "from"]}}
INLINE = "inline:{ {x.test=smtp:[gw.test]} }"

CASES = (
    Case("postfix-version", main={"mail_version": "3.4.9"}, conf={"mapd": {"min_tls": ""}}, mended=False),
    Case("sender-map-missing", main={SENDER_MAPS: ""}),
    Case("sender-map-missing", main={SENDER_MAPS: "inline:{a.test=keeps:}"}, name="sender-map-missing: another table stays"),
    Case("sender-map-missing", own={"rewrite": {SENDER_MAPS: ""}}, parameter="rewrite/unix/" + SENDER_MAPS),
    Case("sender-map-order", main={SENDER_MAPS: "inline:{{@a.test=relay:}}, " + MAP + "transport"}),
    Case("strict-service-missing", "warning", drop=[E], parameter="smtp-enforced/unix"),
    Case("sender-rewriting", "note", main={"sender_canonical_maps": "inline:{{@a.test=@b.test}}"}, mended=False),
    Case("sender-rewriting", "note", main={"smtp_generic_maps": "inline:{{@a.test=@b.test}}"}, mended=False,
         name="sender-rewriting: smtp_generic_maps"),
    Case("instances", "note", main={"multi_instance_directories": "/etc/postfix-enforced"}, mended=False),
    Case("strict-service-missing", "error", drop=[V], redis=[VERIFIED]),
    Case("strict-service-missing", "error", add="pool unix - - y - - smtp\n" + STRICT % {
        "name": "pool-verified", "level": "verify", "mode": "verified"},
        redis=["HSET tlsmode:sender:p.test mode enforced via pool"], parameter="pool-enforced/unix"),
    Case("strict-service-program", drop=[E], add="smtp-enforced unix - - y - - lmtp\n", mended=False),
    Case("strict-service-shared", "warning", conf={"mapd": {"verified_transport": E}}, own={E: {
        "smtp_tls_security_level": "verify", "smtp_tls_policy_maps": MAP + "verified"}}, mended=False),
    Case("strict-level", own={E: {"smtp_tls_security_level": "may"}}),
    Case("strict-level", own={V: {"smtp_tls_security_level": "encrypt"}}, parameter="smtp-verified/unix/smtp_tls_security_level"),
    Case("strict-policy-missing", own={E: {"smtp_tls_policy_maps": ""}}),
    Case("policy-mode", own={E: {"smtp_tls_policy_maps": MAP + "opportunistic"}}),
    Case("policy-mode", own={V: {"smtp_tls_policy_maps": MAP + "enforced"}}, parameter="smtp-verified/unix/smtp_tls_policy_maps"),
    Case("policy-mode", "warning", main={"smtp_tls_policy_maps": MAP + "enforced"}),
    Case("policy-order", own={E: {"smtp_tls_policy_maps": "inline:{x.test=may}," + MAP + "enforced"}}),
    Case("policy-order", "warning", main={"smtp_tls_policy_maps": "inline:{x.test=may}, " + MAP + "opportunistic"}),
    Case("strict-fallback-relay", own={E: {"smtp_fallback_relay": "[gw.test]"}}),
    Case("strict-tls-required", new=True, own={E: {"tls_required_enable": "yes"}}),
    Case("strict-connection-cache", own={E: {"smtp_connection_cache_on_demand": "yes"}}),
    Case("strict-connection-cache", main={"smtp_connection_cache_destinations": "tls.test"},
         name="strict-connection-cache: main.cf"),
    Case("strict-ciphers", own={E: {"smtp_tls_mandatory_ciphers": "null"}}),
    Case("strict-wrappermode", own={E: {"smtp_tls_wrappermode": "yes"}}),
    Case("transport-maps", main={"transport_maps": INLINE}, mended=False),
    Case("transport-maps", main={"transport_maps": "regexp:$config_directory/transport.regexp"}, mended=False,
         name="transport-maps: regexp"),
    Case("transport-maps", main={"transport_maps": "static:relay:[gw.test]"}, mended=False, name="transport-maps: static"),
    Case("transport-maps", main={"transport_maps": "inline:{ {x.test=smtp-enforced:[gw.test]} }"}, redis=[VERIFIED], mended=False,
         name="transport-maps: enforced is not enough for a verified sender"),
    Case("transport-maps", main={"transport_maps": "inline:{x.test=smtp:[localhost.gw.test]}"}, mended=False,
         name="transport-maps: a name that begins like loopback's"),
    Case("transport-maps", main={"transport_maps": "inline:{x.test=smtp:[127.gw.test]}"}, mended=False,
         name="transport-maps: a name that begins like a loopback address"),
    Case("table-unlisted", "unknown", main={"transport_maps": "tcp:127.0.0.1:9"}, mended=False),
    Case("table-unlisted", "unknown", main={"transport_maps": "texthash:/run/world/none"}, mended=False,
         name="table-unlisted: no file"),
    Case("relayhost-transport", main={"relayhost": "smtp:[gw.test]"}),
    Case("relayhost-transport", main={"sender_dependent_relayhost_maps": "inline:{{@a.test=smtp:[gw.test]:26}}"}, mended=False),
    Case("relayhost-transport", own={"rewrite": {"relayhost": "smtp:[gw.test]"}}, parameter="rewrite/unix/relayhost"),
    Case("default-transport-nexthop", main={"default_transport": "smtp:[gw.test]"}),
    Case("relay-transport", main={"relay_domains": "branch.test"}),
    Case("relay-transport", main={"relay_domains": "branch.test", "relay_transport": E}, redis=[VERIFIED],
         name="relay-transport: enforced is not enough for a verified sender"),
    Case("class-transport", own={"rewrite": {"virtual_transport": "smtp:[gw.test]"}},
         parameter="rewrite/unix/virtual_transport"),
    Case("class-transport", main={"fallback_transport": "smtp:[gw.test]"}),
    Case("class-transport", main={"best_mx_transport": "smtp:[gw.test]"}, name="class-transport: best_mx_transport"),
    Case("probe-sender-map", "warning", main={"address_verify_sender_dependent_default_transport_maps": "$" + SENDER_MAPS}),
    Case("content-filter", main={"content_filter": "smtp:[scan.test]:10024"}),
    Case("content-filter", main={"smtpd_proxy_filter": "scan.test:10024"}, name="content-filter: smtpd_proxy_filter"),
    Case("filter-action", main={"header_checks": "regexp:$config_directory/leaves.regexp"}, mended=False),
    Case("filter-action", main={"smtpd_sender_restrictions": "check_sender_access inline:{{a.test=FILTER relay:[gw.test]}}"},
         mended=False, name="filter-action: access table"),
    Case("filter-action", main={"milter_header_checks": "regexp:$config_directory/wrongtag.regexp"}, mended=False,
         name="filter-action: a strict tag, an opportunistic client"),
    Case("filter-action", main={"milter_header_checks": "regexp:$config_directory/anytag.regexp"}, mended=False,
         name="filter-action: any tag, an opportunistic client"),
    Case("filter-action", main={"smtpd_restriction_classes": "partners",
                                "partners": "check_recipient_access inline:{{a.test=FILTER relay:[gw.test]}}"},
         mended=False, name="filter-action: access table of a restriction class"),
    Case("filter-sender", main={"content_filter": "forgets:dummy"}, mended=False),
    Case("filter-sender", main={"body_checks": "regexp:$config_directory/forgets.regexp"}, mended=False,
         name="filter-sender: FILTER"),
    Case("filter-home", "warning", main={"milter_header_checks": "regexp:$config_directory/bytag.regexp",
                                         "mydestination": "ours.test"}, mended=False),
    Case("policy-missing", main={"smtp_tls_policy_maps": ""}),
    Case("policy-missing", own={"relay": {"smtp_tls_policy_maps": ""}}, parameter="relay/unix/smtp_tls_policy_maps"),
    Case("map-name", own={E: {"smtp_tls_policy_maps": MAP + "enforce"}}),
    Case("map-name", main={SENDER_MAPS: MAP + "transports"}, name="map-name: sender map"),
    Case("map-name", own={V: {"smtp_delivery_status_filter": MAP + "verified"}}, name="map-name: filter"),
    Case("tlsrpt-map-early", main={"smtp_tls_policy_maps": MAP + "opportunistic-tlsrpt"}),
    Case("plain-map-late", "warning", new=True, own={E: {"smtp_tls_policy_maps": MAP + "enforced"}}),
    Case("plain-map-late", "warning", new=True, own={E: {"smtp_tls_enforce_sts_mx_patterns": "no"}},
         name="plain-map-late: smtp_tls_enforce_sts_mx_patterns"),
    Case("proxy-not-allowed", own={E: {"smtp_tls_policy_maps": "proxy:" + MAP + "enforced"}}),
    Case("min-tls-early", main={"mail_version": "3.5.25"}, mended=False),
    Case("refusal-missing", "warning", own={E: {"smtp_delivery_status_filter": ""}}),
    Case("refusal-default", "warning", main={"smtp_delivery_status_filter": MAP + "refusal"}),
    Case("soft-bounce", "warning", main={"soft_bounce": "yes"}),
    Case("level-none", main={"smtp_tls_security_level": "none"}),
    Case("level-strict", "warning", main={"smtp_tls_security_level": "encrypt"}),
    Case("fallback-relay", main={"smtp_fallback_relay": "[gw.test]"}),
    Case("tls-required", new=True, own={"relay": {"tls_required_enable": "yes"}}),
    Case("dns-support", main={"smtp_dns_support_level": "enabled"}),
    Case("dns-support", own={V: {"smtp_dns_support_level": ""}}, parameter="smtp-verified/unix/smtp_dns_support_level"),
    Case("host-lookup", main={"smtp_host_lookup": "native"}),
    Case("insecure-mx-policy", main={"smtp_tls_dane_insecure_mx_policy": "may"}),
    Case("legacy-parameters", "warning", main={"smtp_use_tls": "yes"}),
    Case("unused-parameter", "warning", main={"smtp_tls_securty_level": "encrypt"}, mended=False),
    Case("ca-missing", main={"smtp_tls_CAfile": ""}),
    Case("ca-missing", main={"smtp_tls_CAfile": "/run/world/none.pem"}, name="ca-missing: no such file"),
    Case("ca-missing", main={"smtp_tls_CAfile": "", "smtp_tls_CApath": "/etc/ssl/certs"},
         name="ca-missing: CApath outside the chroot"),
    Case("socket-chroot", own={E: {"smtp_tls_policy_maps": "socketmap:unix:/var/spool/postfix/tlsmode/map.sock:enforced"}}),
    Case("milter-missing", "warning", main={"smtpd_milters": ""}),
    Case("milter-missing", main={"smtpd_milters": ""}, conf=BY_AUTHOR, name="milter-missing: identities beyond the envelope"),
    Case("milter-missing", "warning", main={"receive_override_options": "no_milters, no_address_mappings"}, name="no_milters",
         also={("milter-local", "warning")}, mended=False),
    Case("milter-missing", add="2525 inet n - y - - smtpd -o receive_override_options=no_milters\n", conf=BY_AUTHOR,
         parameter="2525/inet/receive_override_options"),
    Case("milter-missing", "warning", main={"smtpd_milter_maps": "cidr:{{192.0.2.0/24 DISABLE}}"}, name="smtpd_milter_maps"),
    Case("milter-missing", main={"smtpd_milter_maps": "cidr:{{192.0.2.0/24 DISABLE}}"}, conf=BY_AUTHOR,
         name="smtpd_milter_maps: identities beyond the envelope"),
    Case("milter-missing", "warning", main={"smtpd_milters": "", "content_filter": "smtp:[127.0.0.1]:10024"}, conf=BY_AUTHOR,
         name="milter-missing: behind the content filter, perhaps"),
    Case("milter-local", "warning", main={"non_smtpd_milters": ""}),
    Case("milter-local", main={"non_smtpd_milters": ""}, conf=BY_AUTHOR, name="milter-local: identities beyond the envelope"),
    Case("milter-local", "warning", own={"pickup": {"receive_override_options": "no_milters"}},
         parameter="pickup/unix/receive_override_options"),
    Case("milter-accept", "warning", main={"smtpd_milters": "unix:tlsmode/milter.sock", "milter_default_action": "accept"}),
    Case("milter-accept", main={"smtpd_milters": "unix:tlsmode/milter.sock", "milter_default_action": "accept"},
         conf=BY_AUTHOR, name="milter-accept: identities beyond the envelope"),
    Case("milter-accept", "warning", main={"smtpd_milters": "{ unix:tlsmode/milter.sock, { default_action = accept } }"},
         mended=False, name="milter-accept: the milter's own"),
    Case("strip-missing", "note", main={"smtp_header_checks": ""}, mended=False),
    Case("redis-eviction", redis=["CONFIG SET maxmemory-policy allkeys-lru"], mended=False),
    Case("redis-eviction-ending", "warning", redis=[
        "CONFIG SET maxmemory-policy volatile-lru", "CONFIG SET maxmemory 100mb", "HSET tlsmode:sender:t.test mode enforced",
        "EXPIRE tlsmode:sender:t.test 9999"],
         mended=False, also={("setting-ending", "warning")}),
    Case("exception-endless", "warning", redis=["HSET tlsmode:except:x.test dane ignore"], mended=False),
    Case("setting-ending", "warning", redis=["HSET tlsmode:sender:t.test mode enforced", "EXPIRE tlsmode:sender:t.test 9999"],
         mended=False),
    Case("setting-bad", "warning", redis=["HSET tlsmode:sender:t.test mode enfroced"], mended=False),
)

# What looks like a mistake and is none: no error, no warning.
RIGHT = (
    Case("", new=True, name="3.10 with the -tlsrpt maps"),
    Case("", main={"transport_maps": "texthash:$config_directory/harmless"},
         name="transport_maps without an SMTP client of its own"),
    Case("", main={"transport_maps": "fail:never"}, name="fail:"),
    Case("", main={"milter_header_checks": "regexp:$config_directory/bytag.regexp"}, name="routing by the tag"),
    Case("", main={"milter_header_checks": "regexp:$config_directory/bytag.regexp", SENDER_MAPS: ""},
         name="routing by the tag, without the sender map"),
    Case("", main={"milter_header_checks": "regexp:$config_directory/instance.regexp", "mydestination": "ours.test"},
         name="routing by the tag into another instance"),
    Case("", main={"smtp_tls_policy_maps": MAP + "enforced", "smtp_tls_security_level": "encrypt", "non_smtpd_milters": "",
                   "smtp_delivery_status_filter": MAP + "refusal", "smtp_connection_cache_on_demand": "no",
                   "relay_transport": "relay", "transport_maps": "inline:{x.test=smtp:[gw.test]}"},
         own={"relay": {"smtp_tls_policy_maps": MAP + "opportunistic", "smtp_tls_security_level": "may",
                        "smtp_delivery_status_filter": ""}}, front=False,
         name="an instance behind another that is strict as a whole"),
    Case("", main={"address_verify_sender_dependent_default_transport_maps": "inline:{a.test=relay:}"},
         name="probes with a table of the site's own"),
    Case("", main={"content_filter": "smtp:[127.0.0.1]:10024"}, name="a content filter on this machine"),
    Case("", main={"smtpd_proxy_filter": "127.0.0.1:10024"}, name="a proxy filter on this machine"),
    Case("", main={"smtpd_proxy_filter": "inet:10024"}, name="a proxy filter by its port"),
    Case("", main={"smtpd_proxy_filter": "unix:private/scan"}, name="a proxy filter by its socket"),
    Case("", main={"receive_override_options": "no_address_mappings"}, name="other receive_override_options"),
    Case("", redis=[VERIFIED], main={"transport_maps": "inline:{x.test=smtp-verified:[gw.test]}",
                                                                      "relay_domains": "branch.test",
                                                                      "relay_transport": V}, name="routes for verified senders"),
    Case("", main={"content_filter": "keeps:dummy"}, name="a content filter that keeps the sender"),
    Case("", main={"header_checks": "regexp:$config_directory/loopback.regexp"}, name="FILTER to this machine"),
    Case("", main={"transport_maps": "inline:{ {1.test=smtp:[127.0.0.2]:26}, {2.test=smtp:localhost:26}, {3.test=smtp:[::1]:26},"
                                     " {4.test=smtp:[IPv6:::1]}, {5.test=smtp:127.0.0.1} }"}, name="ways to name this machine"),
    Case("", main={SENDER_MAPS: "inline:{{@a.test=smtp-enforced:}}, " + MAP + "transport"},
         name="a table before ours that is strict"),
    Case("", main={"relayhost": "[gw.test]:587"}, name="a relayhost"),
    Case("", main={"relay_domains": "branch.test", "relay_transport": "smtp-enforced"}, name="relay_transport that is strict"),
    Case("", main={"smtp_tls_security_level": "dane", "smtp_tls_dane_insecure_mx_policy": "dane"}, name="level dane"),
    Case("", conf={"mapd": {"dane": False}}, main={"smtp_dns_support_level": "", "smtp_tls_dane_insecure_mx_policy": "may"},
         name="no DANE at all"),
    Case("", main={"smtp_tls_policy_maps": "proxy:" + MAP + "opportunistic"}, name="a map by proxymap"),
    Case("", main={"queue": "${x?{$y}:{tlsmode}}", "smtp_tls_policy_maps": "socketmap:unix:${queue}/map.sock:opportunistic"},
         name="parameters of the site's own"),
    Case("", add="pool unix - - y - - smtp\n" + STRICT % {"name": "pool-enforced", "level": "encrypt", "mode": "enforced"} +
         STRICT % {"name": "pool-verified", "level": "verify", "mode": "verified"},
         redis=["HSET tlsmode:sender:p.test mode enforced via pool"], name="a family of via"),
)

# Rules about what is around Postfix: broken in tests/e2e/doctor.py and tests/unit/test_doctor.c.
ELSEWHERE = {"socket-permission", "socket-away", "socket-unknown", "settings-state", "resolver-no-ad", "resolver-remote",
             "resolver-trust-ad", "chroot-stale", "redis-away", "sentinel-away", "too-much"} | ALWAYS
MANUAL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "doc", "tlsmode.1")

UNDO = ["CONFIG SET maxmemory-policy noeviction", "CONFIG SET maxmemory 0"]


class Room:
    def __init__(self, w):
        self.w = w
        self.count = 0

    def folder(self, case):
        """A configuration directory that is right but for what CASE says."""
        self.count += 1
        path = "/run/world/postfix-%d" % self.count
        os.mkdir(path)
        for name, text in FILES.items():
            with open(os.path.join(path, name), "w") as f:
                f.write(text)
        with open(path + "/main.cf", "w") as f:
            f.writelines("%s = %s\n" % item for item in {**MAIN, **case.main}.items())
        with open(path + "/master.cf", "w") as f:
            f.write((MASTER if case.front else MASTER.partition("\n")[2]) + case.add)
        for service in case.drop:
            run("postconf", "-c", path, "-M#", service + "/unix")
            if case.add.startswith(service):
                with open(path + "/master.cf", "a") as f:
                    f.write(case.add)
        for service, values in case.own.items():
            for name, value in values.items():
                run("postconf", "-c", path, "-P", "%s/unix/%s=%s" % (service, name, value))
        return path

    def conf(self, case):
        return self.w.daemons.write(**case.conf)

    def doctor(self, folder, *words):
        """Exit status and answer. Postfix's programs wait until a configuration file is two seconds old."""
        for name in ("main.cf", "master.cf"):
            os.utime(os.path.join(folder, name), (0, 0))
        words = ["-c", self.w.space.path("tlsmode.conf"), "--json", "doctor", "-c", folder, *words]
        done = subprocess.run([self.w.daemons.program("tlsmode"), *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120)
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            raise RuntimeError("tlsmode doctor: exit %d: %s%s" % (done.returncode, done.stdout, done.stderr))


def found(answer):
    """Rule and severity of all findings, but for the note that is always there."""
    return {(f["rule"], f["severity"]) for f in answer["findings"] if f["rule"] not in ALWAYS}


CODES = {"error": 1, "unknown": 75, "warning": 0, "note": 0}


def type_mends(answer, rule):
    """Types the commands as they are printed; how many."""
    lines = [line for f in answer["findings"] if f["rule"] == rule for line in f["mend"] if line.startswith("postconf ")]
    for line in lines:
        run("sh", "-c", line)
    return len(lines)


def check_case(tap, room, case):
    before = json.loads(json.dumps(room.w.daemons.conf))
    for line in case.redis:
        room.w.redis.cli(*line.split())
    room.conf(case)
    folder = room.folder(case)
    code, answer = room.doctor(folder)
    findings = [f for f in answer["findings"] if f["rule"] == case.rule]
    good = found(answer) == {(case.rule, case.severity)} | case.also and code == CODES[case.severity]
    if case.parameter:
        good = good and {f["parameter"] for f in findings} == {case.parameter}
    good = good and all(f["mend"] and f["found"] and f["why"] for f in findings)
    tap.ok(good, "%s is found, and nothing else" % case.name.strip(), "exit %d" % code, json.dumps(answer, indent=1))
    if case.mended:
        typed = type_mends(answer, case.rule)
        code, answer = room.doctor(folder)
        tap.ok(typed and case.rule not in {rule for rule, severity in found(answer)} and code == 0,
               "%s: its mend, typed as printed, makes it right" % case.name.strip(), "%d commands" % typed,
               json.dumps(answer, indent=1))
    restore(room, case, before)


def check_right(tap, room, case):
    before = json.loads(json.dumps(room.w.daemons.conf))
    for line in case.redis:
        room.w.redis.cli(*line.split())
    room.conf(case)
    code, answer = room.doctor(room.folder(case))
    tap.ok(code == 0 and not {f for f in found(answer) if f[1] != "note"} and answer["promise"] is True,
           "right: " + (case.name or "the base"), "exit %d" % code, json.dumps(answer, indent=1))
    restore(room, case, before)


def restore(room, case, conf):
    """Key by key: after a FLUSHALL mapd would call its settings stale for a moment, and the next doctor with it."""
    keys = [line.split()[1] for line in case.redis if line.startswith("HSET")]
    for line in ["DEL " + key for key in keys] + UNDO * bool(case.redis):
        room.w.redis.cli(*line.split())
    room.w.daemons.conf = conf
    room.w.daemons.write()


def fill_chroot(w):
    os.makedirs(QUEUE + "/etc", exist_ok=True)
    for name in ("resolv.conf", "services", "hosts", "nsswitch.conf"):
        if os.path.exists("/etc/" + name):
            shutil.copy("/etc/" + name, QUEUE + "/etc/" + name)
    shutil.copy(w.ca.cert, BUNDLE)


def every_rule(tap):
    """The manual names every rule (test_doctor holds it to that): each is broken here or elsewhere."""
    named = set(re.findall(r"^\.It Sy (\S+) Pq", open(MANUAL).read(), re.M))
    tap.equal(({case.rule for case in CASES} | ELSEWHERE, {case.rule for case in CASES} & ELSEWHERE), (named, set()),
              "every rule of the manual is broken by a test")


def test(tap):
    every_rule(tap)
    with World("doctor") as w:
        w.zone("closed.test", signed=True)
        w.start(postfix=False)
        fill_chroot(w)
        room = Room(w)
        check_right(tap, room, Case(""))
        for case in RIGHT:
            check_right(tap, room, case)
        for case in CASES:
            check_case(tap, room, case)


main(test)
