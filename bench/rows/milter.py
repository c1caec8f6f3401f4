"""Messages through the milter: ratio to a libmilter program that only returns, asked in turn; memory over a million

The configuration is the default one. Opportunistic senders get a tag; enforced ones, which have settings of their own, a tag and
RET=HDRS. Beside the ratio that counts: the log to a syslog that is not there, no line per message, and the null milter with the same
edits, which is what libmilter and the kernel take for them (every edit is a write(2) and wakes the MTA).
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
TOOL = "bench_milter_load"
ENFORCED = ("-f", "s%.bench.test", "-k", SENDERS)
OPPORTUNISTIC = ("-f", "o%.bench.test", "-k", SENDERS, "-t", "smtp")


def null(bench, *options):
    place = bench.space.path("null%d.sock" % len(bench.programs))
    program = bench.start("null", [bench.tool("bench_milter_null"), *options, place])
    wait_for("the null milter", lambda: program.insist() and os.path.exists(place))
    return program, place


def milter(bench, daemons, name, **log):
    """One more tlsmode-milter, with all settings read: a message of an enforced sender has two edits."""
    place = bench.space.path(name + ".sock")
    daemons.write(milter={"listen": "unix:" + place}, settings={"snapshot": bench.space.path("state", name)}, log=log)
    daemons.start_milter()
    bench.programs.append(daemons.milter)
    wait_for("an enforced tag", lambda: daemons.milter.insist() and ask(bench, place, *ENFORCED, "-n", 1)["edits"] == 2)
    return daemons.milter, place


def ask(bench, place, *options):
    return bench.load(place, *options, tool=TOOL)


def insist_same(bench, *places):
    """The limit is one only for those who ask for the same steps and macros."""
    agreed = {ask(bench, place, "-n", 1)["agreed"] for place in places}
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
        ask(bench, place, *ENFORCED, "-n", EARLY, "-c", 20)
        sizes.append(rss_mb(program.pid))
    growth = sizes[-1] / sizes[0] - 1
    bench.row("memory over 1,000,000 messages", "growth < %.0f %%" % (GROWTH * 100), growth, "%+.1f %%   %.2f MB after %d messages, %.2f MB at the end" % (
        growth * 100, sizes[0], EARLY, sizes[-1]), at_most=GROWTH, sizes_mb=sizes)


# name, what is said of it, the goal
ROWS = (
    ("opportunistic", "opportunistic senders", GOAL),
    ("enforced", "enforced senders", GOAL),
    ("syslog", "  enforced, to a syslog that is not there", None),
    ("quiet", "  enforced, without a log line each", None),
    ("tag", "  null milter with one edit", None),
    ("edits", "  null milter with both edits", None),
)
IN_QUICK = ("null", "opportunistic", "enforced", "syslog")


def measure(bench):
    redis = bench.redis()
    fill_settings(redis, SENDERS)
    daemons = bench.configured(redis)
    ours = milter(bench, daemons, "file", target="stderr", level="info")
    arms = {
        "null": (*null(bench), ENFORCED), "opportunistic": (*ours, OPPORTUNISTIC), "enforced": (*ours, ENFORCED),
        "syslog": (*milter(bench, daemons, "syslog", target="syslog", level="info"), ENFORCED),
        "quiet": (*milter(bench, daemons, "quiet", target="stderr", level="warn"), ENFORCED),
        "tag": (*null(bench, "-t"), ENFORCED), "edits": (*null(bench, "-e"), ENFORCED),
    }
    insist_same(bench, arms["null"][1], ours[1])
    chosen = {name: arm for name, arm in arms.items() if not bench.quick or name in IN_QUICK}
    for count in (1, 20):
        with_count = {name: (program, place, (*options, "-c", count)) for name, (program, place, options) in chosen.items()}
        measured = bench.turns(with_count, 0.3, 5 if bench.quick else 13, tool=TOOL, unit="messages")
        for name, work, goal in ROWS:
            if name in measured:
                show(bench, "%s, %d connection%s" % (work, count, "s" * (count > 1)), name, measured, goal)
    if not bench.quick:
        show_memory(bench, *arms["syslog"][:2])
