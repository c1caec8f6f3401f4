"""Messages through the milter: ratio to a libmilter program that only returns, asked in turn; memory over a million

The sender domains have settings of their own (enforced: a tag and RET=HDRS on every message), the configuration is the default one.
The arms: the null milter; the same with our edits; tlsmode-milter with the default log (syslog, which nobody reads here), with log
lines to a file, and without a line per message.
"""
import os

from world.procs import Program
from world.waiting import wait_for

from .bench import rss_mb
from .domains import fill_settings

SENDERS = 1000
GOAL = 0.80
MESSAGES = 1000000
EARLY = 100000
GROWTH = 0.02
LOAD = {"tool": "bench_milter_load", "unit": "messages"}
HOT = ("-f", "s%.bench.test", "-k", SENDERS)


def null(bench, *options):
    place = bench.space.path("null%d.sock" % len(bench.programs))
    program = bench.start("null", [bench.tool("bench_milter_null"), *options, place])
    wait_for("the null milter", lambda: program.insist() and os.path.exists(place))
    return program, place, HOT


def milter(bench, daemons, name, **log):
    """One more tlsmode-milter, with all settings read: a message of theirs has two edits."""
    place = bench.space.path(name + ".sock")
    daemons.write(milter={"listen": "unix:" + place}, settings={"snapshot": bench.space.path("state", name)}, log=log)
    daemons.start_milter()
    bench.programs.append(daemons.milter)
    wait_for("a tag", lambda: daemons.milter.insist() and ask(bench, place, "-n", 1)["edits"] == 2)
    return daemons.milter, place, HOT


def ask(bench, place, *options):
    return bench.load(place, *HOT, *options, tool=LOAD["tool"])


def insist_same(bench, arms):
    """The limit is one only for those who ask for the same steps and macros."""
    agreed = {ask(bench, place, "-n", 1)["agreed"] for _, place, _ in arms.values()}
    if len(agreed) != 1:
        raise RuntimeError("the null milter does not ask for the same: %s" % agreed)


def show(bench, work, arm, measured, goal=None):
    ratio = bench.ratio(measured, arm, "null", "per_s")
    bench.row(work, ">= %.2f" % goal if goal else "reported", ratio, "%.2f   %.0f/s of %.0f/s, server %.1f us a message (null %.1f), p99 %.0f us (%.0f)" % (
        ratio, bench.median(measured, arm, "per_s"), bench.median(measured, "null", "per_s"),
        bench.median(measured, arm, "cpu_us"), bench.median(measured, "null", "cpu_us"),
        bench.median(measured, arm, "p99_us"), bench.median(measured, "null", "p99_us")), at_least=goal,
        per_s=bench.median(measured, arm, "per_s"), null_per_s=bench.median(measured, "null", "per_s"),
        cpu_us=bench.median(measured, arm, "cpu_us"), null_cpu_us=bench.median(measured, "null", "cpu_us"),
        p99_us=bench.median(measured, arm, "p99_us"), null_p99_us=bench.median(measured, "null", "p99_us"))


def show_memory(bench, program, place):
    """Connections end and begin in between."""
    sizes = []
    for _ in range(MESSAGES // EARLY):
        ask(bench, place, "-n", EARLY, "-c", 20)
        sizes.append(rss_mb(program.pid))
    growth = sizes[-1] / sizes[0] - 1
    bench.row("memory over 1,000,000 messages", "growth < %.0f %%" % (GROWTH * 100), growth, "%+.1f %%   %.2f MB after %d messages, %.2f MB at the end" % (
        growth * 100, sizes[0], EARLY, sizes[-1]), at_most=GROWTH, sizes_mb=sizes)


def measure(bench):
    redis = bench.redis()
    fill_settings(redis, SENDERS)
    daemons = bench.configured(redis)
    arms = {"null": null(bench), "edits": null(bench, "-e"), "milter": milter(bench, daemons, "milter", target="syslog", level="info"),
            "file": milter(bench, daemons, "file", target="stderr", level="info"),
            "quiet": milter(bench, daemons, "quiet", target="stderr", level="warn")}
    insist_same(bench, arms)
    for count in (1, 20):
        measured = bench.turns({name: (program, place, (*HOT, "-c", count)) for name, (program, place, _) in arms.items()}, **LOAD)
        work = "%d connection%s" % (count, "s" * (count > 1))
        show(bench, "messages, " + work, "milter", measured, GOAL)
        show(bench, "  with a log line each to a file", "file", measured)
        show(bench, "  without a log line each", "quiet", measured)
        show(bench, "  only returns, but edits as much", "edits", measured)
    if not bench.quick:
        show_memory(bench, *arms["milter"][:2])
