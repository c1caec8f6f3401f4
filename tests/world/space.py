"""The room in which a world lives: own network, mounts and process ids, so that nothing of the machine is touched.

enter() runs the calling program again inside unshare(1); everything in there ends with it, because it is process 1 of its own
pid namespace. Space() then puts private folders over the five places that Postfix and the resolver are tied to.
"""
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

INSIDE = "TLSMODE_WORLD_INSIDE"
CAP_SYS_ADMIN = 21
TOOLS = "/usr/sbin:/usr/bin:/sbin:/bin"
ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
PROBE = "mount --bind /run /run && ip link set lo up"


class NoRoom(Exception):
    """Namespaces are not permitted here; the text says which right is missing."""


def build_dir():
    """The folder with the built programs."""
    return os.path.realpath(os.environ.get("TLSMODE_BUILD") or os.path.join(ROOT, "build"))


def inside():
    return bool(os.environ.get(INSIDE))


def unshare_words():
    return ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child"]


def missing_right():
    """None when a room can be made; else one sentence that names what is missing."""
    if os.geteuid() != 0:
        return "not root: CAP_SYS_ADMIN is missing for network and mount namespaces"
    for line in open("/proc/self/status"):
        if line.startswith("CapEff:") and not int(line.split()[1], 16) >> CAP_SYS_ADMIN & 1:
            return "CAP_SYS_ADMIN is missing for network and mount namespaces"
    tried = subprocess.run(unshare_words() + ["sh", "-c", PROBE], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                           stdout=subprocess.DEVNULL, text=True)
    if tried.returncode:
        return "the kernel refuses namespaces or mounts although CAP_SYS_ADMIN is there: %s" % tried.stderr.strip()
    return None


def enter():
    """Returns inside a room; outside it runs this program again in one and ends with its exit status."""
    os.environ["PATH"] = TOOLS
    if inside():
        as_first_process()
        return
    reason = missing_right()
    if reason:
        raise NoRoom(reason)
    os.environ[INSIDE] = "1"
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.stdout.flush()
    os.execvp("unshare", unshare_words() + ["/usr/bin/python3"] + sys.argv)


def as_first_process():
    """Process 1 has no default signal actions: TERM and HUP must be asked for."""
    def leave(number, frame):
        sys.exit(128 + number)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, leave)


class Space:
    """A folder of its own below the build folder (or $TLSMODE_SPACES); in a room also laid over the machine's places.

    /run is the first of them: programs without rights can reach their files there wherever the source tree lies.
    """
    PLACES = {"run": "/run", "postfix": "/etc/postfix", "spool": "/var/spool/postfix", "lib": "/var/lib/postfix"}
    # Postfix's own files that stay readable in the private copy; main.cf, master.cf and the site's maps are not among them.
    KEPT = ("dynamicmaps.cf", "dynamicmaps.cf.d", "postfix-files", "postfix-files.d", "post-install", "postfix-script",
            "makedefs.out", "main.cf.proto", "master.cf.proto")

    def __init__(self, name="world"):
        above = os.environ.get("TLSMODE_SPACES") or build_dir()
        os.makedirs(above, exist_ok=True)
        self.outer = tempfile.mkdtemp(prefix=name + "-", dir=above)
        os.chmod(self.outer, 0o755)
        for folder in self.PLACES:
            os.mkdir(self.path_outside(folder), 0o755)
        if inside():
            self.lay_over()
        self.dir = "/run/world" if inside() else self.path_outside("run/world")
        os.mkdir(self.dir, 0o755)

    def path_outside(self, name):
        return os.path.join(self.outer, name)

    def path(self, *names):
        """A path in the world's folder; its parent is made."""
        path = os.path.join(self.dir, *names)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def write(self, name, text, mode=0o644):
        path = self.path(name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def lay_over(self):
        run("ip", "link", "set", "lo", "up")
        resolv = os.path.realpath("/etc/resolv.conf")
        with open(self.path_outside("resolv.conf"), "w") as f:
            f.write("nameserver 127.0.0.1\noptions edns0 trust-ad\n")
        if resolv.startswith("/run/"):  # a symbolic link into /run, as systemd-resolved makes it
            inner = self.path_outside("run" + resolv[len("/run"):])
            os.makedirs(os.path.dirname(inner), exist_ok=True)
            shutil.copy(self.path_outside("resolv.conf"), inner)
        elif os.path.exists(resolv):  # without the file the resolver asks 127.0.0.1 anyway
            run("mount", "--bind", self.path_outside("resolv.conf"), resolv)
        for name in self.KEPT:
            if os.path.exists("/etc/postfix/" + name):
                run("cp", "-a", "/etc/postfix/" + name, self.path_outside("postfix"))
        open(self.path_outside("postfix/main.cf"), "w").close()  # postmap wants one even where no Postfix runs
        for folder, place in self.PLACES.items():
            if os.path.isdir(place):
                run("mount", "--bind", self.path_outside(folder), place)

    def remove(self):
        """Takes the folder away (the mounts end with the room)."""
        if inside():
            for place in reversed(list(self.PLACES.values())):
                subprocess.run(["umount", "--lazy", place], stderr=subprocess.DEVNULL)
        shutil.rmtree(self.outer, ignore_errors=True)


def free_port(*addresses):
    """A high port that nobody uses on any of these addresses (UDP and TCP)."""
    for _ in range(100):
        port = random.randrange(20000, 32000)
        sockets = []
        try:
            for address in addresses:
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    sockets.append(socket.socket(socket.AF_INET, kind))
                    sockets[-1].bind((address, port))
            return port
        except OSError:
            continue
        finally:
            for s in sockets:
                s.close()
    raise RuntimeError("no free port on " + " ".join(addresses))


def run(*words, **more):
    """Runs a program to its end; its output is the result, failure is an exception that shows it."""
    done = subprocess.run(words, stdin=more.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode:
        raise RuntimeError("%s: exit %d: %s" % (" ".join(words), done.returncode, done.stdout.strip()))
    return done.stdout
