#!/usr/bin/python3
"""contrib/postfix/setup on Debian's main.cf and master.cf: it shows, makes and takes out its edits, again and again, and whatever
interrupts it. What it does with an administrator's own values is in setup_own.py, with mail in setup_mail.py."""
import fcntl
import os
import re
import shutil
import stat
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from config_copy import NEWER, STRICT, WORKING, Copy, wiring, wrapper  # noqa: E402
from world.postfix import WIRING  # noqa: E402
from world.space import Space, run  # noqa: E402
from world.tap import main  # noqa: E402

LEVELS = {"smtp-enforced": "encrypt", "smtp-verified": "verify"}
# Exit statuses, as in sysexits(3).
WRONG_OPTIONS, NOT_WRITTEN, BUSY, IN_THE_WAY = 64, 73, 75, 78


def shows(tap, copy):
    before = copy.names()
    edits = [name for name, value in wiring().items() if copy.get(name) != value]
    status, said = copy.setup()
    missing = [name for name in (*edits, *STRICT) if "\n  + %s " % name not in said]
    tap.equal((status, missing), (0, []), "without an option it shows every edit", said)
    tap.equal((copy.difference(), copy.names()), ("", before), "and makes none")


def squeezed(path):
    with open(path) as lines:
        return [re.sub(" +", " ", line) for line in lines]


def applies(tap, copy):
    for name in ("main.cf", "master.cf"):
        os.chmod(copy.path(name), 0o640)
        os.chown(copy.path(name), 0, 7)
    status, said = copy.setup("--apply", check=True)
    tap.equal(status, 0, "--apply, and postfix check finds nothing", said)
    tap.equal({name: copy.get(name) for name in wiring()}, wiring(), "main.cf has every line of the wiring")
    suffix = "-tlsrpt" if NEWER else ""
    for service in STRICT:
        options = copy.options(service) or {}
        mode = service.split("-")[1]
        want = {"smtp_tls_security_level": LEVELS[service], "smtp_tls_CAfile": wiring()["smtp_tls_CAfile"],
                "smtp_fallback_relay": "", "smtp_tls_policy_maps": "socketmap:unix:tlsmode/map.sock:%s%s" % (mode, suffix),
                "smtp_delivery_status_filter": "socketmap:unix:tlsmode/map.sock:refusal"}
        tap.equal({name: options.get(name) for name in want}, want, service + " is there, with what it needs")
        tap.equal(options.get("tls_required_enable"), "no" if NEWER else None,
                  "%s heeds no message's TLS-Required, where Postfix would" % service)
    if not NEWER:
        written = squeezed(copy.path("master.cf"))
        wanted = squeezed(os.path.join(WIRING, "master.cf"))
        missing = [line for line in wanted if line not in written and line[0] not in "#\n"]
        tap.equal(missing, [], "on Debian the services are the wiring's master.cf, line by line")
    backups = [name for name in copy.names() if re.fullmatch(r"(main|master)\.cf\.tlsmode-\d{8}-\d{6}", name)]
    tap.equal([open(copy.path(name), "rb").read() for name in backups], copy.first, "a dated backup of both files stays")
    kept = [(stat.S_IMODE(os.stat(copy.path(n)).st_mode), os.stat(copy.path(n)).st_gid) for n in ("main.cf", "master.cf")]
    tap.equal(kept, [(0o640, 7)] * 2, "the files keep their permissions and owners")
    tap.ok(os.path.exists(copy.path("tlsmode_strip.regexp")), "the strip map is there")


def repeats(tap, copy):
    before = copy.bytes(), copy.names(), copy.view()
    for words in ((), ("--apply",)):
        tap.equal(copy.last(*words), "nothing to do", "a second time: nothing to do %s" % " ".join(words))
    tap.equal((copy.bytes(), copy.names(), copy.view()), before, "and nothing is touched, no backup made")
    os.unlink(copy.path("tlsmode_strip.regexp"))
    copy.setup("--apply")
    tap.ok(os.path.exists(copy.path("tlsmode_strip.regexp")), "a strip map that was lost comes back")


def removes(tap, copy, view):
    status, said = copy.setup("--remove", check=True)
    tap.equal((status, copy.difference()), (0, ""), "--remove: both files are as they were, octet by octet", said)
    tap.equal(copy.view(), view, "postconf -n and -Mf, too")
    left = [name for name in copy.names() if ".tlsmode-" not in name]
    tap.equal(left, ["main.cf", "master.cf"], "nothing else is left but backups")
    tap.equal(copy.last("--remove"), "nothing to do", "--remove again: nothing to do")


def debian(tap, space):
    copy = Copy(space.path("debian"))
    view = copy.view()
    shows(tap, copy)
    applies(tap, copy)
    repeats(tap, copy)
    removes(tap, copy, view)


def last_line(tap, space):
    """A file whose last line has no end, and one that is empty."""
    for what, text in (("a main.cf without a last newline", "mail_name = No end"), ("an empty main.cf", None)):
        copy = Copy(space.path(what.replace(" ", "-")), text or "")
        if text is None:
            open(copy.path("main.cf"), "w").close()
            copy.first = copy.bytes()
        copy.setup("--apply")
        applied = copy.get("smtp_dns_support_level"), copy.get("mail_name")
        copy.setup("--remove")
        tap.equal((applied, copy.bytes()), (("dnssec", "No end" if text else "Postfix"), copy.first), what + " comes back so")


def links(tap, space):
    """main.cf kept elsewhere, as with a repository of one's own."""
    copy = Copy(space.path("linked"))
    kept = space.path("repository", "main.cf")
    shutil.move(copy.path("main.cf"), kept)
    os.symlink("../repository/main.cf", copy.path("main.cf"))
    copy.setup("--apply")
    tap.equal((os.path.islink(copy.path("main.cf")), b"dnssec" in open(kept, "rb").read()), (True, True),
              "a linked main.cf stays a link, and what it leads to is edited")
    copy.setup("--remove")
    tap.equal((os.path.islink(copy.path("main.cf")), copy.difference()), (True, ""), "and is taken out of there")


def read_only(tap, space):
    copy = Copy(space.path("sealed"))
    run("mount", "--bind", copy.folder, copy.folder)
    run("mount", "-o", "remount,ro,bind", copy.folder)
    names = copy.names()
    status, said = copy.setup("--apply")
    tap.equal((status, "nothing was changed" in said), (NOT_WRITTEN, True), "a folder that cannot be written: said plainly", said)
    tap.equal((copy.difference(), copy.names()), ("", names), "and nothing is changed")
    run("umount", copy.folder)


def without_rights(tap, space):
    """Somebody's own folder, edited by himself: no postfix check, but everything else."""
    copy = Copy(space.path("his", "postfix"))
    for path in (copy.folder, copy.path("main.cf"), copy.path("master.cf")):
        os.chown(path, 65534, 65534)
    program = space.path("setup-postfix")
    os.symlink(os.path.join(shutil.copytree(WIRING, space.path("wiring")), "setup"), program)  # where he may reach it
    status, said = copy.setup("--apply", program=program, user=65534, group=65534, extra_groups=[])
    got = status, "not root" in said, copy.get("smtp_dns_support_level")
    tap.equal(got, (0, True, "dnssec"), "without root's rights", said)
    os.chmod(copy.path("main.cf"), 0)
    status, said = copy.setup(program=program, user=65533, group=65533, extra_groups=[])
    tap.equal((status, "run as root" in said), (IN_THE_WAY, True), "a main.cf that cannot be read: said plainly", said)


def killer(folder, target, number):
    """Programs in FOLDER that kill setup at the NUMBERth thing it does to a file in TARGET."""
    for program in ("cp", "mv"):
        wrapper(folder, program, """case "$*" in *%s/*.tlsmode-*)
	n=$(($(cat %s/count 2> /dev/null || echo 0) + 1)); echo $n > %s/count
	if [ $n -eq %d ]; then kill -9 $PPID; fi ;;
esac
exec REAL "$@"
""" % (target, folder, folder, number))
    return folder


def interrupted(tap, space, act):
    """Killed at every copy and every rename: each file is old or new as a whole, and the next run finishes."""
    whole = Copy(space.path("whole-" + act))
    if act == "remove":
        whole.setup("--apply")
    old, before = whole.bytes(), space.path("before-" + act)
    shutil.copytree(whole.folder, before)
    whole.setup("--" + act)
    new = whole.bytes()
    torn, unfinished, number = [], [], 1
    while True:
        copy = Copy.of(before, space.path("%s-cut-%d" % (act, number)))
        status, _ = copy.setup("--" + act, path=killer(space.path("killer-%s-%d" % (act, number)), copy.folder, number))
        if status == 0:
            break
        left = copy.bytes()
        torn += [(number, i) for i in (0, 1) if left[i] not in (old[i], new[i])]
        if left == ([new[0], old[1]] if act == "apply" else [old[0], new[1]]):
            torn.append((number, "main.cf names services that are not there"))
        copy.setup("--" + act)
        unfinished += [number] if copy.bytes() != new or any(name.endswith("-new") for name in copy.names()) else []
        number += 1
    tap.ok(number > 6, "--%s is killed in its middle, at %d places" % (act, number - 1))
    tap.equal(torn, [], "each file is then the old or the new one, and no service is missing")
    tap.equal(unfinished, [], "and the next run finishes")


def check_fails(tap, space):
    copy = Copy(space.path("unchecked"))
    tools = wrapper(space.path("checks"), "postfix", "echo postfix: fatal: something is wrong >&2; exit 1\n")
    status, said = copy.setup("--apply", path=tools)
    tap.equal((status, "something is wrong" in said, copy.difference()), (IN_THE_WAY, True, ""),
              "what postfix check refuses is taken back, and said", said)


def damaged(tap, space):
    copy = Copy(space.path("damaged"))
    copy.setup("--apply")
    text = open(copy.path("main.cf")).read()
    open(copy.path("main.cf"), "w").write(text.replace("# tlsmode end\n", ""))
    before = copy.bytes()
    for act in ("--apply", "--remove"):
        status, said = copy.setup(act)
        got = status, "tlsmode end" in said, copy.bytes() == before
        tap.equal(got, (IN_THE_WAY, True, True), "%s without the last marker: stops" % act, said)


def busy(tap, space):
    copy = Copy(space.path("busy"))
    folder = os.open(copy.folder, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    status, said = copy.setup("--apply")
    tap.equal((status, copy.difference()), (BUSY, ""), "two at once: the second stops", said)
    os.close(folder)


def wrong_options(tap, space):
    copy = Copy(space.path("options"))
    for text in ("--aply", "--apply --remove", "--family", "--ca-file a|b", "--map-socket $(id)", "word"):
        words = text.split()
        tap.equal((copy.setup(*words)[0], copy.difference()), (WRONG_OPTIONS, ""), "wrong: " + " ".join(words))
    tap.equal(copy.setup("--help")[0], 0, "--help")
    status, said = copy.setup("--remove", "--family", "pool9")
    tap.equal((status, "pool9" in said), (IN_THE_WAY, True), "a family that is not there cannot be taken out", said)


def other_versions(tap, space):
    """What this Postfix is not: told by a postconf that says so."""
    lines = """case "$*" in
"-dh mail_version") echo %s; exit ;;
"-d tls_required_enable" | "-d smtp_tlsrpt_enable") exit ;;
esac
exec REAL "$@"
"""
    for number in ("3.4.29", "2.11.0", "3.5.25", "3.6.4", "3.9.1"):
        copy = Copy(space.path("v" + number))
        tools = wrapper(space.path("tools-" + number), "postconf", lines % number)
        wrapper(tools, "postmap", "exit 1\n")
        status, said = copy.setup("--apply", path=tools)
        if number < "3.5":
            tap.equal((status, number in said, copy.difference()), (IN_THE_WAY, True, ""), number + " is too old", said)
            continue
        tap.equal((status, copy.get("smtp_tls_policy_maps")), (0, "socketmap:unix:tlsmode/map.sock:opportunistic"),
                  number + ": the plain maps", said)
        options = copy.options("smtp-enforced") or {}
        tap.equal(options.get("tls_required_enable"), None, number + ": no option that it does not know")
        tap.equal("min_tls" in said, number.startswith("3.5"), number + ": min_tls must be empty, if it is 3.5", said)
    copy = Copy(space.path("v3.5-answered"))
    tools = wrapper(space.path("tools-3.5.25"), "postmap", 'echo "encrypt protocols=>=TLSv1.2"\n')
    status, said = copy.setup("--apply", path=tools)
    tap.equal((status, 'min_tls = ""' in said, copy.difference()), (IN_THE_WAY, True, ""),
              "3.5 and a tlsmode-mapd that answers >=TLSv1.2: stops", said)


def elsewhere(tap, space):
    ours = [name for name in os.listdir("/etc/postfix") if "tlsmode" in name]
    tap.equal(ours, [], "with -c nothing else is touched")
    tap.equal(os.listdir(WORKING), [], "no working folder is left")


def test(tap):
    space = Space("e2e-setup")
    try:
        for part in (debian, last_line, links, read_only, without_rights, check_fails, damaged, busy, wrong_options,
                     other_versions, elsewhere):
            part(tap, space)
        interrupted(tap, space, "apply")
        interrupted(tap, space, "remove")
    finally:
        space.remove()


main(test)
