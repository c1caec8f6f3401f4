"""What the rows share: servers, the load, turns of two servers in one run, and the table.

These machines are noisy: every figure that counts is a ratio of two servers that were asked in turn within one run, the median of
several turns.
"""
import json
import os
import platform
import statistics
import subprocess
import sys
import time

from world.daemons import Daemons, merged
from world.procs import Program
from world.redisd import Redis
from world.space import Space, build_dir, free_port
from world.waiting import wait_for

from . import ORDER, QUICK

TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """Processor time of a process so far, all threads."""
    with open("/proc/%d/stat" % pid) as f:
        words = f.read().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / TICK


def rss_mb(pid):
    """Resident memory, in MB of 1,000,000 octets."""
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:")) * 1024 / 1e6


class Bench:
    def __init__(self, quick=False):
        self.quick = quick
        self.build = build_dir()
        self.space = Space("bench")
        self.rows = []
        self.programs = []
        self.configurations = 0

    def chosen(self):
        return QUICK if self.quick else ORDER

    # Programs: all of them end with clear(), which is called after every module.

    def tool(self, name):
        return os.path.join(self.build, name)

    def start(self, name, words):
        program = Program(self.space, name, words)
        self.programs.append(program)
        return program

    def echo(self, place=None, length=None):
        """The bare echo: (program, place)."""
        place = place or self.space.path("echo%d.sock" % len(self.programs))
        program = self.start("echo", [self.tool("bench_echo"), place] + ([str(length)] if length else []))
        wait_for("the echo", lambda: program.insist() and self.listens(place))
        return program, place

    @staticmethod
    def listens(place):
        if place.startswith("/"):
            return os.path.exists(place)
        port = "%04X" % int(place.rpartition(":")[2])
        return any(line.split()[1].endswith(":" + port) and line.split()[3] == "0A" for line in open("/proc/net/tcp").readlines()[1:])

    def redis(self, conf=""):
        redis = Redis(self.space, free_port("127.0.0.1"), conf)
        redis.start()
        self.programs.append(redis.program)
        return redis

    def configured(self, redis, conf=None, dns=None):
        """Daemons with sockets of their own, none started. Their DNS leads nowhere unless DNS says where."""
        anchor = self.space.write("anchor.key", ". IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n")
        nowhere = {"trust_anchor": anchor, "forward": ["127.0.0.1@%d" % free_port("127.0.0.1")], "timeout": 2}
        ca = self.space.write("ca.pem", open("/etc/ssl/certs/ca-certificates.crt").read())
        self.configurations += 1  # a snapshot of each's own: no row begins with the settings of another
        own = {"log": {"level": "warn"}, "settings": {"snapshot": self.space.path("state", "settings%d" % self.configurations)}}
        return Daemons(self.space, redis, dns or nowhere, ca, merged(own, conf or {}))

    def daemons(self, redis, conf=None, dns=None):
        """tlsmode-mapd: (Daemons, place)."""
        daemons = self.configured(redis, conf, dns)
        daemons.start_mapd()
        self.programs.append(daemons.mapd)
        return daemons, daemons.where.partition(":")[2]

    def load(self, place, *options, tool="bench_load"):
        """What bench_load (or another TOOL) measured, as a dict."""
        out = subprocess.run([self.tool(tool), *map(str, options), place], stdout=subprocess.PIPE, check=True, text=True)
        return json.loads(out.stdout)

    def begin_load(self, place, *options):
        """A load that goes on meanwhile; .result() ends it and gives what it measured."""
        return Load(subprocess.Popen([self.tool("bench_load"), *map(str, options), place], stdout=subprocess.PIPE, text=True))

    def clear(self):
        for program in reversed(self.programs):
            if program.alive():
                program.stop(seconds=60)
        self.programs = []

    def end(self):
        self.clear()
        self.space.remove()

    # Turns.

    def turns(self, arms, seconds=None, rounds=None, tool="bench_load", unit="answers"):
        """ARMS: name -> (program, place, options). Each is asked in turn by TOOL, ROUNDS times. name -> [measured...], each
        with cpu_us of the server per UNIT."""
        seconds = seconds or (0.5 if self.quick else 1)
        rounds = rounds or (5 if self.quick else 7)
        measured = {name: [] for name in arms}
        for _ in range(rounds):
            for name, (program, place, options) in arms.items():
                before = cpu_seconds(program.pid)
                result = self.load(place, "-s", seconds, *options, tool=tool)
                result["cpu_us"] = (cpu_seconds(program.pid) - before) * 1e6 / max(result[unit], 1)
                measured[name].append(result)
        return measured

    @staticmethod
    def ratio(measured, arm, base, what):
        """Median over the turns of ARM's figure by BASE's."""
        return statistics.median(a[what] / b[what] for a, b in zip(measured[arm], measured[base]))

    @staticmethod
    def median(measured, arm, what):
        return statistics.median(m[what] for m in measured[arm])

    # The table.

    def head(self, text):
        print("\n== %s" % text)
        sys.stdout.flush()

    def row(self, work, goal, figure, text, at_least=None, at_most=None, **figures):
        """One row: its GOAL in words, the FIGURE held against AT_LEAST or AT_MOST (neither: it is only reported), TEXT beside it."""
        met = None
        if at_least is not None:
            met = figure >= at_least
        if at_most is not None:
            met = figure <= at_most
        self.rows.append({"work": work, "goal": goal, "figure": figure, "met": met, "text": text, **figures})
        word = {None: "      ", True: "met   ", False: "MISSED"}[met]
        print("%s %-58s goal %-18s %s" % (word, work, goal, text))
        sys.stdout.flush()

    def note(self, text):
        print("       " + text)
        sys.stdout.flush()

    @staticmethod
    def machine():
        model = next((line.partition(":")[2].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
        return {"cpu": model, "cores": os.cpu_count(), "kernel": platform.release(), "date": time.strftime("%Y-%m-%d")}


class Load:
    def __init__(self, process):
        self.process = process

    def result(self):
        out = self.process.communicate()[0]
        if self.process.returncode:
            raise RuntimeError("bench_load ended with %d" % self.process.returncode)
        return json.loads(out)
