#!/usr/bin/python3
"""contrib/postfix/setup where an administrator has values of his own: what he has is kept or joined, never dropped or weakened in
silence. What he changes afterwards stays when the wiring is taken out. What stands in the way is in setup_refuses.py."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from config_copy import NEWER, STRICT, Copy, wiring, wrapper  # noqa: E402
from world.space import Space  # noqa: E402
from world.tap import main  # noqa: E402

IN_THE_WAY = 78
OURS = wiring()
MILTER = OURS["smtpd_milters"]
TRANSPORTS = OURS["sender_dependent_default_transport_maps"]
POLICIES = OURS["smtp_tls_policy_maps"]

OWN_MAIN = """
# signs, then looks for spam
smtpd_milters = inet:localhost:8891,
# a comment in the middle
\tunix:rspamd/milter.sock
non_smtpd_milters = $smtpd_milters
milter_default_action = accept
smtp_header_checks=pcre:/etc/postfix/out
   pcre:/etc/postfix/more
smtp_fallback_relay = [fallback.example]
sender_dependent_default_transport_maps = hash:/etc/postfix/pools
smtp_destination_rate_delay = 1s
pool2_destination_concurrency_limit=3
smtp_tls_loglevel = 2
smtp_dns_support_level = enabled
smtp_dns_support_level =
smtp_tls_security_level=dane
smtp_tls_CAfile = $config_directory/main.cf"""
OWN_MASTER = """
pool2 unix - - n - 20 smtp -v
  -o { smtp_helo_name = a b } -o smtp_bind_address=192.0.2.3 -D
  -o syslog_name=postfix/$service_name
# one that is not smtp(8)
archive unix - n n - - pipe
  flags=R user=mail argv=/bin/true
submission inet n - y - - smtpd -o smtpd_milters=
"""


def own_values(tap, space):
    """Nearly everything at once, with a main.cf that ends without a newline."""
    copy = Copy(space.path("own"), OWN_MAIN, OWN_MASTER)
    view = copy.view()
    status, said = copy.setup("--apply")
    tap.equal(status, 0, "an installation with values of its own", said)
    got = {name: copy.get(name) for name in (
        "smtpd_milters", "non_smtpd_milters", "milter_default_action", "smtp_header_checks", "smtp_fallback_relay",
        "sender_dependent_default_transport_maps", "address_verify_sender_dependent_default_transport_maps", "smtp_tls_loglevel",
        "smtp_dns_support_level", "smtp_tls_security_level", "smtp_tls_CAfile")}
    for name, value, why in (
            ("smtpd_milters", "inet:localhost:8891, unix:rspamd/milter.sock, " + MILTER, "tlsmode's comes behind the others"),
            ("non_smtpd_milters", "$smtpd_milters", "has it by reference"),
            ("milter_default_action", "accept", "is theirs, tlsmode's has its own"),
            ("smtp_header_checks", OURS["smtp_header_checks"] + ", pcre:/etc/postfix/out pcre:/etc/postfix/more", "are joined"),
            ("smtp_fallback_relay", "[fallback.example]", "stays, for opportunistic mail"),
            ("sender_dependent_default_transport_maps", TRANSPORTS + ", hash:/etc/postfix/pools", "nothing before tlsmode's"),
            ("address_verify_sender_dependent_default_transport_maps", "hash:/etc/postfix/pools", "probes keep their transports"),
            ("smtp_tls_loglevel", "2", "more is not made less"),
            ("smtp_dns_support_level", "dnssec", "in the place of both lines"),
            ("smtp_tls_security_level", "dane", "stricter than may stays"),
            ("smtp_tls_CAfile", "$config_directory/main.cf", "stays")):
        tap.equal(got[name], value, "%s: %s" % (name, why))
    for service in STRICT:
        options = copy.options(service) or {}
        tap.equal(options.get("smtp_tls_CAfile"), "$config_directory/main.cf", service + " has the same authorities")
        tap.equal(copy.get(service + "_destination_rate_delay"), "$smtp_destination_rate_delay", service + " has the same limits")
    for word in ("smtp_fallback_relay", "hash:/etc/postfix/pools", "submission/inet"):
        tap.ok("note: " in said and word in said, "what it means for %s is said" % word, said)
    tap.equal(copy.last("--apply"), "nothing to do", "a second time: nothing to do")
    copy.setup("--remove")
    tap.equal((copy.difference(), copy.view()), ("", view), "--remove: as before, octet by octet")


# what somebody does after --apply: file, words for postconf or a line to append; what must be left; what --remove must name
def changes(copy):
    copy.edit("-e", "smtp_tls_loglevel=3")
    copy.edit("-e", "smtpd_milters=%s, unix:rspamd/milter.sock" % MILTER)
    copy.edit("-X", "smtp_tls_note_starttls_offer")
    copy.edit("-P", "-e", "smtp-enforced/unix/smtp_bind_address=192.0.2.9")
    copy.add("main.cf", "smtp_dns_support_level = enabled\nmail_name = Mine\n")
    text = open(copy.path("main.cf")).read()
    with open(copy.path("main.cf"), "w") as main_cf:
        main_cf.write(text.replace("# tlsmode end\n", "# mine, in the middle of it\nbounce_queue_lifetime = 1d\n# tlsmode end\n"))


def changed_since(tap, space):
    copy = Copy(space.path("changed"), "smtp_tls_loglevel = 0\nsmtp_dns_support_level =\nsmtp_tls_security_level = none\n")
    copy.setup("--apply")
    changes(copy)
    status, said = copy.setup("--remove")
    tap.equal(status, 0, "--remove after somebody has changed this and that", said)
    for name, value in (("smtp_tls_loglevel", "3"), ("smtpd_milters", MILTER + ", unix:rspamd/milter.sock"),
                        ("smtp_dns_support_level", "enabled"), ("smtp_tls_note_starttls_offer", "no"),
                        ("bounce_queue_lifetime", "1d"), ("mail_name", "Mine")):
        tap.equal(copy.get(name), value, name + " stays as he has it")
    left = said[said.find("left as it is"):]
    named = [name for name in ("smtp_tls_loglevel", "smtpd_milters", "smtp_dns_support_level", "smtp_tls_note_starttls_offer",
                               "smtp-enforced") if name not in left]
    tap.equal(named, [], "and what is his is named", said)
    tap.equal((copy.options("smtp-enforced") or {}).get("smtp_bind_address"), "192.0.2.9", "a service that he changed stays")
    tap.equal((copy.options("smtp-verified"), copy.get("smtp_tls_policy_maps"), copy.get("smtp_tls_security_level")),
              (None, "", "none"), "the rest is taken out")
    text = open(copy.path("main.cf")).read()
    tap.ok("# mine, in the middle of it\n" in text and "# smtp_tls_loglevel = 0\n" in text,
           "comments of his stay, and what stood there before is a comment", text)
    tap.ok("#tlsmode" not in text and "# tlsmode" not in text, "no marker is left", text)


def changed_then_applied(tap, space):
    """An --apply after somebody's changes is like the first one: his values are his."""
    copy = Copy(space.path("changed-again"))
    copy.setup("--apply")
    copy.edit("-e", "smtp_tls_loglevel=3", "smtpd_milters=%s, unix:rspamd/milter.sock" % MILTER, "smtp_dns_support_level=enabled")
    status, said = copy.setup()
    tap.equal((status, "+ smtp_dns_support_level = dnssec" in said, "smtp_tls_loglevel" in said), (0, True, False),
              "shown is what has to be mended, no more", said)
    copy.setup("--apply")
    tap.equal((copy.get("smtp_dns_support_level"), copy.get("smtp_tls_loglevel"), copy.get("smtpd_milters")),
              ("dnssec", "3", MILTER + ", unix:rspamd/milter.sock"), "and mended")
    copy.setup("--remove")
    got = copy.get("smtp_dns_support_level"), copy.get("smtp_tls_loglevel")
    tap.equal(got, ("enabled", "3"), "--remove: his values come back")
    copy.edit("-e", "smtp_tls_policy_maps=hash:/etc/postfix/policy")
    tap.equal(copy.setup("--apply")[0], IN_THE_WAY, "a table of his own since: stops")


def kept_policies(tap, space):
    copy = Copy(space.path("kept"), "smtp_tls_policy_maps = hash:/etc/postfix/policy\n")
    status, said = copy.setup("--keep-policy-maps", "--apply")
    got = status, copy.get("smtp_tls_policy_maps")
    tap.equal(got, (0, POLICIES + ", hash:/etc/postfix/policy"), "--keep-policy-maps: behind tlsmode's", said)
    tap.equal(copy.last(), "nothing to do", "the option is remembered")
    copy.setup("--remove")
    tap.equal(copy.difference(), "", "--remove: as before")


def older_maps(tap, space):
    """Wired by hand for another Postfix: tlsmode's own maps are exchanged, not added to."""
    other = "opportunistic" if NEWER else "opportunistic-tlsrpt"
    copy = Copy(space.path("older"), "smtp_tls_policy_maps = socketmap:unix:tlsmode/map.sock:%s\n" % other)
    copy.setup("--apply")
    tap.equal(copy.get("smtp_tls_policy_maps"), POLICIES, "a map for another version is exchanged")
    copy.setup("--remove")
    tap.equal(copy.difference(), "", "--remove: as before")


def upgraded(tap, space):
    """Made for Postfix 3.7, and then Debian is upgraded; or back."""
    copy = Copy(space.path("upgraded"))
    tools = wrapper(space.path("other-version"), "postconf", """case "$*" in
"-dh mail_version") echo %s; exit ;;
"-d tls_required_enable" | "-d smtp_tlsrpt_enable") %s exit ;;
esac
exec REAL "$@"
""" % (("3.7.11", "") if NEWER else ("3.10.6", "echo $2 = yes;")))
    copy.setup("--apply", path=tools)
    tap.equal(copy.get("smtp_tls_policy_maps").endswith("-tlsrpt"), not NEWER, "wired for another version")
    tap.equal((copy.options("smtp-verified") or {}).get("tls_required_enable"), None if NEWER else "no", "its services, too")
    status, said = copy.setup("--apply")
    tap.equal((status, copy.get("smtp_tls_policy_maps"), "tls_required_enable" in (copy.options("smtp-verified") or {})),
              (0, POLICIES, NEWER), "--apply again brings it up to this one", said)
    copy.setup("--remove")
    tap.equal(copy.difference(), "", "--remove: as before")


def test(tap):
    space = Space("e2e-setup-own")
    try:
        for part in (own_values, changed_since, changed_then_applied, kept_policies, older_maps, upgraded):
            part(tap, space)
    finally:
        space.remove()


main(test)
