#!/usr/bin/python3
"""What stands in contrib/postfix/setup's way: it is named with its mend, and nothing is changed. Who wired Postfix by hand has
nothing to do, or is told what is missing."""
import os
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from config_copy import NEWER, Copy, wiring  # noqa: E402
from world.postfix import WIRING  # noqa: E402
from world.space import Space  # noqa: E402
from world.tap import main  # noqa: E402

IN_THE_WAY = 78

# what stands in the way: what is in main.cf, in master.cf, options; words that the message must have
CONFLICTS = (
    ("smtp_tls_policy_maps = hash:/etc/postfix/policy", "", (), ("hash:/etc/postfix/policy", "--keep-policy-maps", "--rcpt")),
    ("smtp_tls_policy_maps = hash:/x, socketmap:unix:tlsmode/map.sock:opportunistic", "", (), ("hash:/x",)),
    ("smtp_tls_per_site = hash:/etc/postfix/sites", "", (), ("smtp_tls_per_site", "--rcpt")),
    ("default_transport = smtp:[gw.example]", "", (), ("postconf -e default_transport=smtp 'relayhost=[gw.example]'",)),
    ("default_transport = error:no mail leaves", "", (), ("smtp(8)",)),
    ("default_transport = uucp", "uucp unix - n n - - pipe\n  user=uucp argv=/bin/true", (), ("smtp(8)",)),
    ("smtp_dns_support_level = disabled", "", (), ("--no-dane", "mapd { dane = false }")),
    ("disable_dns_lookups = yes", "", (), ("--no-dane",)),
    ("smtp_enforce_tls = yes", "", (), ("smtp_tls_security_level=encrypt",)),
    ("address_verify_sender_dependent_default_transport_maps = hash:/x $sender_dependent_default_transport_maps", "", (),
     ("address probes",)),
    ("smtp_tls_CAfile = /nowhere/ca.pem", "", (), ("/nowhere/ca.pem",)),
    ("", "", ("--ca-file", "/nowhere/ca.pem"), ("/nowhere/ca.pem",)),
    ("", "smtp-enforced unix - - y - - smtp\n  -o smtp_tls_security_level=may", (),
     ("smtp-enforced", "postconf -Pe", "'smtp-enforced/unix/smtp_tls_security_level=encrypt'")),
    ("", "smtp-verified unix - - y - - smtp", (), ("smtp-verified", "postconf -Pe", "smtp_tls_policy_maps=")),
    ("", "smtp-verified unix - - y - - pipe\n  user=mail argv=/bin/true", (), ("smtp-verified", "smtp(8)", "--verified")),
    ("", "", ("--family", "pool2"), ("no service pool2",)),
    ("", "pool2 unix - n n - - pipe\n  user=mail argv=/bin/true", ("--family", "pool2"), ("pool2", "smtp(8)")),
    ("", "", ("--family", "smtp"), ("smtp-enforced",)),
)


def in_the_way(tap, space):
    for number, (main_cf, master_cf, words, told) in enumerate(CONFLICTS):
        copy = Copy(space.path("conflict-%d" % number), main_cf + "\n", master_cf + "\n")
        names = copy.names()
        what = " ".join((main_cf or master_cf.replace("\n", " "),) + words).strip()
        status, said = copy.setup(*words, "--apply")
        missing = [word for word in told if word not in said]
        tap.equal((status, missing), (IN_THE_WAY, []), "in the way: " + what, said)
        tap.equal((copy.difference(), copy.names()), ("", names), "nothing is changed")
    tap.equal(copy.setup(*words)[0], IN_THE_WAY, "that is so when it only shows, too")


def mends(tap, space):
    """What the message says mends it."""
    copy = Copy(space.path("mend"), "", "smtp-enforced unix - - y - - smtp\n  -o smtp_tls_security_level=encrypt\n")
    said = copy.setup("--apply")[1]
    words = said[said.index("postconf -Pe ") + len("postconf -Pe "):].split("\n")[0]
    copy.edit("-Pe", *(word for word in words.split("'") if word.strip()))
    status, said = copy.setup("--apply")
    tap.equal(status, 0, "a service of one's own, mended with the words of the message, is taken", said)
    copy.setup("--remove")
    tap.ok(copy.options("smtp-enforced") and not copy.options("smtp-verified"), "--remove leaves it, and takes tlsmode's")


def by_hand(tap, space):
    """Who follows README by hand has nothing to do, and nothing of his is taken out."""
    copy = Copy(space.path("hand"))
    for name in ("main.cf", "master.cf"):
        copy.add(name, open(os.path.join(WIRING, name)).read())
    shutil.copy(os.path.join(WIRING, "tlsmode_strip.regexp"), copy.folder)
    if NEWER:
        status, said = copy.setup()
        got = status, "tls_required_enable=no" in said
        tap.equal(got, (IN_THE_WAY, True), "without the lines for 3.10: it says which are missing", said)
        copy.edit("-e", *("%s=%s" % pair for pair in wiring().items()))
        with open(os.path.join(WIRING, "master-3.10.cf")) as lines:
            copy.edit("-Pe", *(line.strip() for line in lines if line.startswith("smtp-")))
    before = copy.bytes()
    for words in ((), ("--apply",), ("--remove",)):
        got = copy.last(*words), copy.bytes() == before
        tap.equal(got, ("nothing to do", True), "wired by hand: nothing to do %s" % "".join(words))
    tap.ok("tlsmode_strip.regexp" in copy.names(), "nor is the strip map taken")


def test(tap):
    space = Space("e2e-setup-refuses")
    try:
        for part in (in_the_way, mends, by_hand):
            part(tap, space)
    finally:
        space.remove()


main(test)
