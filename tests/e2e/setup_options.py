#!/usr/bin/python3
"""contrib/postfix/setup with its options: families of services, other sockets and names, no DANE."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from config_copy import NEWER, Copy, wiring  # noqa: E402
from world.space import Space  # noqa: E402
from world.tap import main  # noqa: E402

TRANSPORTS = wiring()["sender_dependent_default_transport_maps"]
POOL2 = """
pool2 unix - - n - 20 smtp -v
  -o { smtp_helo_name = a b } -o smtp_bind_address=192.0.2.3 -D
  -o syslog_name=postfix/$service_name
"""


def families(tap, space):
    copy = Copy(space.path("families"), "pool2_destination_concurrency_limit=3\n", POOL2)
    copy.setup("--apply")
    plain = copy.bytes()
    status, said = copy.setup("--family", "pool2", "--apply")
    for mode in ("enforced", "verified"):
        options = copy.options("pool2-" + mode) or {}
        default = copy.options("smtp-" + mode)
        got = {name: options.get(name) for name in ("smtp_helo_name", "smtp_bind_address", "syslog_name")}
        tap.equal(got, {"smtp_helo_name": "a b", "smtp_bind_address": "192.0.2.3", "syslog_name": "postfix/pool2-" + mode},
                  "pool2-%s has pool2's own options" % mode, said)
        tap.equal({name: options.get(name) for name in default if name != "syslog_name"},
                  {name: value for name, value in default.items() if name != "syslog_name"}, "and those of its mode")
        line = next(text for text in copy.view()[1].splitlines() if text.startswith("pool2-" + mode))
        tap.equal(line.split()[1:], "unix - - n - 20 smtp -v -D".split(), "and its columns and switches")
        limit = copy.get("pool2-%s_destination_concurrency_limit" % mode)
        tap.equal(limit, "$pool2_destination_concurrency_limit", "and its limits")
    tap.equal(copy.last(), "nothing to do", "the family is remembered")
    copy.edit("-Pe", "pool2/unix/smtp_bind_address=192.0.2.4")
    copy.setup("--apply")
    tap.equal((copy.options("pool2-enforced") or {}).get("smtp_bind_address"), "192.0.2.4", "a changed address is followed")
    copy.edit("-Pe", "pool2/unix/smtp_bind_address=192.0.2.3")
    copy.setup("--family", "pool2", "--remove")
    tap.equal((copy.options("pool2-enforced"), copy.options("smtp-enforced") is None, copy.bytes()[0]), (None, False, plain[0]),
              "--family pool2 --remove takes out the family only")
    copy.setup("--remove")
    tap.equal(copy.bytes()[0], copy.first[0], "--remove: main.cf as before")


def other_names(tap, space):
    copy = Copy(space.path("names"), "smtpd_milters = unix:tlsmode/milter.sock\ndefault_transport = out\n",
                "out unix - - n - 7 smtp\n  -o smtp_bind_address=192.0.2.5\n")
    words = "--map-socket inet:[::1]:8461 --milter-socket inet:127.0.0.1:8462 --enforced closed --verified proven --apply"
    status, said = copy.setup(*words.split())
    got = status, copy.get("sender_dependent_default_transport_maps")
    tap.equal(got, (0, "socketmap:inet:[::1]:8461:transport"), "other sockets", said)
    tap.equal((copy.get("smtpd_milters"), copy.options("smtp-enforced")),
              ("unix:tlsmode/milter.sock, { inet:127.0.0.1:8462, default_action=tempfail }", None), "the milter's, too")
    closed = copy.options("closed") or {}
    suffix = "-tlsrpt" if NEWER else ""
    tap.equal((closed.get("smtp_tls_policy_maps"), (copy.options("proven") or {}).get("smtp_tls_security_level")),
              ("socketmap:inet:[::1]:8461:enforced" + suffix, "verify"), "other names of services")
    tap.equal(closed.get("smtp_bind_address"), "192.0.2.5", "made after the default transport's service")
    tap.equal(copy.last("--apply"), "nothing to do", "all of them are remembered")
    copy.setup("--remove")
    tap.equal(copy.difference(), "", "--remove: as before")


def no_dane(tap, space):
    copy = Copy(space.path("no-dane"), "smtp_dns_support_level = disabled\n")
    status, said = copy.setup("--no-dane", "--apply")
    got = status, copy.get("smtp_dns_support_level"), copy.get("sender_dependent_default_transport_maps")
    tap.equal(got, (0, "disabled", TRANSPORTS), "--no-dane leaves Postfix's DNS alone", said)


def test(tap):
    space = Space("e2e-setup-options")
    try:
        for part in (families, other_names, no_dane):
            part(tap, space)
    finally:
        space.remove()


main(test)
