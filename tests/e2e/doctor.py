#!/usr/bin/python3
"""tlsmode doctor in the whole installation: after contrib/postfix/setup it finds nothing; then things are broken for real, one by
one, and each is named."""
import glob
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from world.daemons import QUEUE_SOCKETS  # noqa: E402
from world.dnswire import ask  # noqa: E402
from world.postfix_second import private_places  # noqa: E402
from world.procs import Program  # noqa: E402
from world.space import ROOT, run  # noqa: E402
from world.tap import main  # noqa: E402
from world.waiting import wait_for  # noqa: E402
from world.world import World  # noqa: E402

QUEUE = "/var/spool/postfix"
CHROOT_RESOLV = QUEUE + "/etc/resolv.conf"
HEADER_ROUTING = os.path.join(ROOT, "contrib", "postfix-header-routing", "setup")
BLIND = "127.0.0.6"  # a resolver that does not validate
ELSEWHERE = "10.77.0.1"  # one that does, on an address that is not loopback's


def resolver(w, address, *changes):
    """The world's resolver once more, at another ADDRESS."""
    with open(w.unbound.conf) as conf:
        text = conf.read()
    for old, new in (("interface: 127.0.0.1", "interface: %s\n  access-control: %s/32 allow" % (address, address)),
                     ("/control", "/control-" + address), *changes):
        text = text.replace(old, new)
    program = Program(w.space, address, ["unbound", "-d", "-c", w.space.write("unbound/%s.conf" % address, text)])

    def answers():
        try:
            return ask(address, "tls.test", "MX", do=True)[0] == 0
        except OSError:
            return False
    wait_for("an answer from " + address, lambda: program.insist() and answers(), 30)


def doctor(w, *words, account=()):
    """Exit status and answer; the files of Postfix made old first, for which its programs would wait."""
    for path in glob.glob("/etc/postfix*/ma*.cf"):
        os.utime(path, (0, 0))
    words = [*account, w.daemons.program("tlsmode"), "-c", w.space.path("tlsmode.conf"), "--json", "doctor", *words]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def rules(answer):
    return {f["rule"] for f in answer["findings"] if f["severity"] != "note"}


def finds(tap, w, want, code, name, *words, **more):
    got, answer = doctor(w, *words, **more)
    tap.ok((got, rules(answer)) == (code, set(want)), name, "exit %d" % got, json.dumps(answer, indent=1))
    return answer


def is_well(tap, w, name):
    answer = finds(tap, w, (), 0, name)
    tap.equal((answer["promise"], answer["counts"]["error"]), (True, 0), name + ": the promise holds")
    return answer


def page(tap, w):
    """For people: no colours in a pipe, the verdict last."""
    done = subprocess.run([w.daemons.program("tlsmode"), "-c", w.space.path("tlsmode.conf"), "doctor"], capture_output=True,
                          text=True)
    last = done.stdout.splitlines()[-1]
    terminal = subprocess.run(["script", "-qec", "%s -c %s doctor" % (w.daemons.program("tlsmode"), w.space.path("tlsmode.conf")),
                               "/dev/null"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    tap.ok(terminal.returncode == 0 and "\033[1mnote\033[0m" in terminal.stdout, "colours on a terminal", repr(terminal.stdout))
    tap.ok(done.returncode == 0 and "\033" not in done.stdout and "The promise holds." in last, "the page", done.stdout,
           done.stderr)


def daemon_away(tap, w):
    w.daemons.mapd.stop()
    finds(tap, w, {"socket-away"}, 1, "tlsmode-mapd stopped")
    w.daemons.start_mapd()
    is_well(tap, w, "started again")
    w.daemons.milter.stop()
    finds(tap, w, {"socket-away"}, 1, "tlsmode-milter stopped")
    w.daemons.start_milter()
    is_well(tap, w, "it, too, started again")


def no_entrance(tap, w):
    """As the postfix user: what root may do does not count."""
    socket = QUEUE_SOCKETS + "/map.sock"
    for path, mode in ((socket, 0o600), (QUEUE_SOCKETS, 0o700)):
        before = os.stat(path).st_mode & 0o7777
        os.chmod(path, mode)
        finds(tap, w, {"socket-permission"}, 1, "chmod %o %s" % (mode, path))
        os.chmod(path, before)
    is_well(tap, w, "both opened again")


def redis(tap, w):
    w.redis.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    finds(tap, w, {"redis-eviction"}, 1, "CONFIG SET maxmemory-policy allkeys-lru")
    w.redis.cli("CONFIG", "SET", "maxmemory-policy", "noeviction")
    w.redis.cli("HSET", "tlsmode:except:old.test", "plaintext", "allow")
    finds(tap, w, {"exception-endless"}, 0, "an exception without an end is a warning")
    w.redis.cli("EXPIRE", "tlsmode:except:old.test", "3600")
    is_well(tap, w, "with an end")
    w.redis.cli("HSET", "tlsmode:sender:pooled.test", "mode", "verified", "via", "pool")
    answer = finds(tap, w, {"strict-service-missing"}, 1, "a family that master.cf does not have")
    tap.equal({f["parameter"] for f in answer["findings"] if f["severity"] == "error"}, {"pool-verified/unix"},
              "the service that is needed is an error")
    w.redis.cli("DEL", "tlsmode:sender:pooled.test")
    w.redis.stop()
    code, answer = doctor(w)
    tap.ok(code == 75 and "redis-away" in rules(answer) and answer["promise"] is None, "Redis away: nobody knows",
           json.dumps(answer, indent=1))
    w.redis.start()
    tap.becomes(lambda: doctor(w)[0], 0, "Redis back", 60)


def resolvers(tap, w):
    """The chroot's resolv.conf is what smtp(8) reads."""
    run("ip", "addr", "add", ELSEWHERE + "/32", "dev", "lo")
    resolver(w, BLIND, ("validator iterator", "iterator"))
    resolver(w, ELSEWHERE)
    before = open(CHROOT_RESOLV).read()
    for text, want, name in (("nameserver %s\n" % BLIND, {"resolver-no-ad", "chroot-stale"}, "a resolver without AD"),
                             ("nameserver 127.0.0.99\n", {"resolver-no-ad", "chroot-stale"}, "no resolver"),
                             ("nameserver %s\n" % ELSEWHERE, {"resolver-remote", "chroot-stale"}, "a resolver on the network")):
        with open(CHROOT_RESOLV, "w") as f:
            f.write(text)
        finds(tap, w, want, 1, name)
    w.daemons.write(mapd={"dane": False})
    with open(CHROOT_RESOLV, "w") as f:
        f.write("nameserver %s\n" % BLIND)
    finds(tap, w, {"chroot-stale"}, 0, "without DANE the resolver does not matter")
    w.daemons.write(mapd={"dane": True})
    with open(CHROOT_RESOLV, "w") as f:
        f.write(before)
    is_well(tap, w, "the right one again")


def certificates(tap, w):
    """CAfile is read before the chroot, CApath inside it."""
    folder, inside = "/run/world/hashed", QUEUE + "/run/world/hashed"
    os.makedirs(folder)
    shutil.copy(w.ca.cert, folder + "/ca.pem")
    run("openssl", "rehash", folder)
    own = ["smtp-enforced", "smtp-verified"]
    before = {name: run("postconf", "-hP", name + "/unix/smtp_tls_CAfile").strip() for name in own if
              run("postconf", "-P", name + "/unix/smtp_tls_CAfile").strip()}
    main_cf = run("postconf", "-h", "smtp_tls_CAfile").strip()
    run("postconf", "-e", "smtp_tls_CAfile=", "smtp_tls_CApath=" + folder)
    for name in before:
        run("postconf", "-P", name + "/unix/smtp_tls_CAfile=")
    finds(tap, w, {"ca-missing"}, 1, "a CApath that only those outside the chroot can read")
    shutil.copytree(folder, inside)
    is_well(tap, w, "a copy of it in the chroot")
    run("postconf", "-e", "smtp_tls_CAfile=" + main_cf)
    run("postconf", "-X", "smtp_tls_CApath")
    for name, value in before.items():
        run("postconf", "-P", "%s/unix/smtp_tls_CAfile=%s" % (name, value))


def header_routing(tap, w):
    """Routing by the tag, in all three instances; Postfix's files are read where -c says."""
    w.daemons.write(milter={"identity": ["envelope", "from", "auth"], "on_mismatch": "filter"})
    for name in ("main.cf", "master.cf"):
        shutil.copy("/etc/postfix/" + name, w.space.path("before", name))
    run(HEADER_ROUTING, "--apply")
    for folder in ("/etc/postfix", "/etc/postfix-enforced", "/etc/postfix-verified"):
        finds(tap, w, (), 0, "contrib/postfix-header-routing is right: " + folder, "-c", folder)
    run("postconf", "-c", "/etc/postfix-enforced", "-e", "smtp_tls_security_level=may")
    finds(tap, w, {"strict-level"}, 1, "a strict instance at level may", "-c", "/etc/postfix-enforced")
    run("postconf", "-e", "smtpd_milters=unix:tlsmode/milter.sock", "milter_default_action=accept")
    finds(tap, w, {"milter-accept"}, 1, "what is routed by the tag needs the milter")
    run("postconf", "-e", "smtpd_milters={ unix:tlsmode/milter.sock, default_action=tempfail }")
    run(HEADER_ROUTING, "--remove")
    for name in ("main.cf", "master.cf"):
        shutil.copy(w.space.path("before", name), "/etc/postfix/" + name)
    w.daemons.write(milter={"identity": ["envelope"], "on_mismatch": "accept"})
    is_well(tap, w, "without it again")


def exit_codes(tap, w):
    code, answer = doctor(w, "-c", "/run/world/none")
    tap.equal((code, "main.cf" in answer), (78, True), "no configuration of Postfix", answer)
    code, answer = doctor(w, account=["env", "PATH=/none"])
    tap.ok(code in (0, 71), "postconf(1) is looked for in /usr/sbin, too", answer)
    with open(w.space.path("tlsmode.conf"), "a") as f:
        f.write("nonsense = 1\n")
    code, answer = doctor(w)
    tap.equal((code, "nonsense" in answer), (78, True), "a broken tlsmode.conf", answer)
    w.daemons.write()
    code, answer = doctor(w, account=["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"])
    tap.ok(code == 75 and "socket-unknown" in rules(answer), "not root: what could not be tried is said",
           json.dumps(answer, indent=1))


def test(tap):
    private_places()  # for the instances of header_routing()
    with World("e2e-doctor") as w:
        w.destination("tls.test", signed=True)
        w.zone("closed.test", signed=True)
        w.start()
        w.mode("closed.test", "enforced")
        is_well(tap, w, "after setup --apply")
        for part in (page, daemon_away, no_entrance, redis, resolvers, certificates, header_routing, exit_codes):
            part(tap, w)


main(test)
