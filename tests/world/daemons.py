"""tlsmode-mapd and tlsmode-milter in the world: their configuration file, started without root's rights, awaited by asking.

mapd is started as root and drops to `user`; the milter is started through setpriv(1) as an id without any account.
"""
import grp
import os
import pwd
import shutil
import socket

from .procs import Program
from .socketmap import Socketmap
from .space import build_dir, inside
from .waiting import wait_for

QUEUE_SOCKETS = "/var/spool/postfix/tlsmode"
MAPD_USER = "nobody"
MILTER_ID = 7462


def confuse(sections):
    """A dict as libconfuse text: str, int, bool, list, dict."""
    lines = []
    for name, value in sections.items():
        if isinstance(value, dict):
            lines.append("%s {\n%s}" % (name, "".join("    " + line + "\n" for line in confuse(value).splitlines())))
        else:
            lines.append("%s = %s" % (name, value_text(value)))
    return "\n".join(lines) + "\n"


def value_text(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, (list, tuple)):
        return "{%s}" % ", ".join(value_text(v) for v in value)
    return '"%s"' % value


def merged(base, more):
    """BASE with MORE laid over it, section by section."""
    out = dict(base)
    for name, value in more.items():
        out[name] = merged(out.get(name, {}), value) if isinstance(value, dict) else value
    return out


class Daemons:
    """Both daemons with one configuration. CONF is laid over the world's own (a dict of sections)."""

    def __init__(self, space, redis, dns, ca_file, conf=None):
        self.space = space
        folder = QUEUE_SOCKETS if inside() else space.path("tlsmode", "x")[:-2]
        snapshot = space.path("state", "settings")
        if inside():
            group = grp.getgrnam("postfix").gr_gid
            for path in (folder, os.path.dirname(snapshot)):
                os.makedirs(path, exist_ok=True)
                os.chown(path, pwd.getpwnam(MAPD_USER).pw_uid, group)
                os.chmod(path, 0o770)
        self.conf = merged({
            "user": MAPD_USER if inside() else "",
            "redis": {"address": redis.where},
            "settings": {"snapshot": snapshot},
            "dns": dns,
            "sts": {"ca_file": ca_file, "allow_private": True},
            "mapd": {"listen": ["unix:%s/map.sock" % folder], "socket_group": "postfix" if inside() else ""},
            "milter": {"listen": "unix:%s/milter.sock" % folder, "socket_group": "postfix" if inside() else ""},
            "metrics": {"listen": "inet:127.0.0.1:9461" if inside() else ""},
            "log": {"target": "stderr"},
        }, conf or {})
        self.mapd = self.milter = None
        self.install()

    def install(self):
        """The programs go where an account without rights may execute them."""
        for name in ("tlsmode-mapd", "tlsmode-milter", "tlsmode"):
            built = os.path.join(build_dir(), name)
            if os.path.exists(built):
                shutil.copy(built, self.program(name) + ".new")
                os.replace(self.program(name) + ".new", self.program(name))  # another one may be running

    def program(self, name):
        return self.space.path("bin", name)

    @property
    def where(self):
        return self.conf["mapd"]["listen"][0]

    def write(self, **sections):
        """Writes the configuration, SECTIONS laid over it for good; its path."""
        self.conf = merged(self.conf, sections)
        return self.space.write("tlsmode.conf", confuse(self.conf))

    def start_mapd(self):
        self.mapd = Program(self.space, "mapd", [self.program("tlsmode-mapd"), "-f", "-c", self.write()])
        wait_for("an answer from tlsmode-mapd", lambda: self.mapd.insist() and self.answers(), 20)

    def answers(self):
        try:
            return self.client().ask("status", "all").startswith("OK ")
        except (OSError, EOFError):
            return False

    def client(self):
        return Socketmap(self.where)

    def start_milter(self):
        account = (MILTER_ID, MILTER_ID, (grp.getgrnam("postfix").gr_gid,)) if inside() else None
        conf = self.space.write("milter.conf", confuse(merged(self.conf, {"user": ""})))
        self.milter = Program(self.space, "milter", [self.program("tlsmode-milter"), "-f", "-c", conf], account)
        wait_for("the milter's socket", lambda: self.milter.insist() and self.milter_listens(), 20)

    def milter_listens(self):
        kind, _, place = self.conf["milter"]["listen"].partition(":")
        host, _, port = place.rpartition(":")
        try:
            if kind == "unix":
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(place)
                return os.stat(place).st_mode & 0o060 == 0o060  # it is there before it listens, and listens before Postfix may use it
            socket.create_connection((host, int(port)), 5).close()
            return True
        except OSError:
            return False

    def stop(self):
        for program in (self.mapd, self.milter):
            if program and program.alive():
                program.stop()
