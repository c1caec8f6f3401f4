"""A Postfix configuration in a folder of its own, and contrib/postfix/setup run on it. For setup*.py beside it."""
import difflib
import os
import shutil
import subprocess

from world.postfix import SHARE, WIRING, version

__all__ = ["Copy", "NEWER", "STRICT", "WORKING", "wiring", "wrapper"]
SETUP = os.path.join(WIRING, "setup")
STRICT = ("smtp-enforced", "smtp-verified")
NEWER = version() >= (3, 10)
FILES = ("main.cf", "master.cf")
WORKING = "/run/working"  # setup's folders for a while


def postconf(folder, *words):
    done = subprocess.run(["postconf", "-c", folder, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True)
    return done.stdout


def read_pairs(name):
    """The lines NAME = VALUE of a file of the wiring."""
    with open(os.path.join(WIRING, name)) as lines:
        split = [line.partition("=") for line in lines if "=" in line and not line.startswith(("#", " "))]
    return {name.strip(): value.strip() for name, _, value in split}


def wiring():
    """What contrib/postfix says main.cf should be for the Postfix that is here."""
    return {**read_pairs("main.cf"), **(read_pairs("main-3.10.cf") if NEWER else {})}


def wrapper(folder, program, lines):
    """A program in FOLDER that goes before the system's, which is REAL in it. The folder."""
    path = os.path.join(folder, program)
    os.makedirs(folder, exist_ok=True)
    with open(path, "w") as script:
        script.write("#!/bin/sh\n" + lines.replace("REAL", shutil.which(program)))
    os.chmod(path, 0o755)
    return folder


def unchecked():
    """A folder with a postfix(1) that finds nothing wrong."""
    return wrapper("/run/unchecked", "postfix", "exit 0\n")


class Copy:
    """Debian's main.cf and master.cf with MAIN and MASTER appended, in FOLDER."""

    def __init__(self, folder, main="", master=""):
        self.folder = folder
        os.makedirs(folder)
        os.makedirs(WORKING, exist_ok=True)
        os.chmod(WORKING, 0o1777)
        for name, more in zip(FILES, (main, master)):
            shutil.copy(SHARE + {"main.cf": "main.cf.debian", "master.cf": "master.cf.dist"}[name], self.path(name))
            with open(self.path(name), "a") as file:
                file.write(more)
        self.first = self.bytes()

    @classmethod
    def of(cls, original, folder):
        """A copy of another one's folder."""
        shutil.copytree(original, folder, symlinks=True)
        copy = cls.__new__(cls)
        copy.folder = folder
        copy.first = copy.bytes()
        return copy

    def path(self, name):
        return os.path.join(self.folder, name)

    def bytes(self):
        """Both files as they are."""
        return [open(self.path(name), "rb").read() for name in FILES]

    def difference(self):
        """What is different from the beginning; "" when every octet is as it was."""
        found = ""
        for name, old, new in zip(FILES, self.first, self.bytes()):
            lines = (text.decode().split("\n") for text in (old, new))
            found += "\n".join(difflib.unified_diff(*lines, name, name, lineterm=""))
        return found

    def names(self):
        return sorted(os.listdir(self.folder))

    def setup(self, *words, path="", check=False, program=SETUP, **how):
        """Runs setup: (exit status, what it said). PATH goes before the system's. CHECK: with a real postfix check, which takes
        two seconds, because Postfix waits with files that were written a moment ago."""
        path = [path] * bool(path) + [unchecked()] * (not check) + [os.environ["PATH"]]
        env = {**os.environ, "TMPDIR": WORKING, "PATH": ":".join(path)}
        done = subprocess.run([program, "-c", self.folder, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env=env, **how)
        return done.returncode, done.stdout

    def last(self, *words):
        """The last line of what setup says."""
        return self.setup(*words)[1].splitlines()[-1]

    def get(self, name):
        return postconf(self.folder, "-h", name).rstrip("\n")

    def edit(self, *words):
        """What an administrator does with postconf."""
        subprocess.run(["postconf", "-c", self.folder, *words], check=True, stdin=subprocess.DEVNULL)

    def add(self, name, text):
        with open(self.path(name), "a") as file:
            file.write(text)

    def options(self, service):
        """The -o options of a service of smtp(8) by name; None where there is none."""
        if not postconf(self.folder, "-M", service + "/unix"):
            return None
        lines = postconf(self.folder, "-P", service + "/unix/*").splitlines()
        return {key.split("/")[-1].strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}

    def view(self):
        """Postfix's own view of the whole configuration."""
        parameters = postconf(self.folder, "-n").splitlines()
        return [line for line in parameters if not line.startswith("config_directory =")], postconf(self.folder, "-Mf")
