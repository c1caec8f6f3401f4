#!/usr/bin/python3
"""core/postconf against the real postconf(1): every parameter of this Postfix, and forms of our own, expanded by both."""
import os
import shutil
import subprocess
import sys
import tempfile

sys.path[:0] = [os.path.join(os.path.abspath(__file__).rsplit("/tests/", 1)[0], "tests", part) for part in ("rooms", "")]
from world.tap import Tap  # noqa: E402

BUILD = os.environ.get("builddir") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build")
PROBE = os.path.join(BUILD, "postconf_probe")

# Values that postconf prints because a parameter it knows refers to them.
FORMS = ("plain", "$q", "${q}", "$(q)", "$$q", "a$q-b", "$q.x", "${q:text}", "${e:text}", "${q?text}", "${e?text}", "${q?{a}:{b}}",
         "${e?{a}:{b}}", "${ q ? {a} : {b} }", "${q ?x}", "${{$compatibility_level} <level {3.10} ? {yes} : {no}}",
         "${{$compatibility_level} <level {2} ? {yes} : {no}}", "${{a} == {a} ? {x} : {y}}", "${{a} != {$q} ? {x} : {y}}",
         "${{10} < {9} ? {x} : {y}}", "${{10} >= {9} ? {x} : {y}}", "${{abc} < {abd}?{x}:{y}}", "${{1.5} < {1.6} ? {x} : {y}}",
         "${{3.6} <level {3.6.1} ? {x} : {y}}", "${{3} <=level {3.6} ? {x} : {y}}", "${{3.6} >level {3} ? {x} : {y}}",
         "${{3.10} ==level {3.10} ? {x} : {y}}", "${{3.9} >level {3.10} ? {x} : {y}}", "${e?{a}:{${q?{deep}}}}",
         "$f0 ${f1} inline:{ {a=b}, c=d }", "${q?{${e?{1}:{2}}}:{3}}")
MAIN = "compatibility_level = 3.6\nq = v\ne =\nsmtpd_banner = %s\n%s"


def asked(folder, *words):
    done = subprocess.run(["postconf", "-c", folder, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=True)
    return done.stdout


def values(text):
    """name -> value, white space made one."""
    rows = (line.partition("=") for line in text.splitlines())
    return {name.strip(): " ".join(value.split()) for name, equals, value in rows if equals}


def compare(tap, folder, name):
    plain = asked(folder)
    want = values(asked(folder, "-x"))
    got = values(subprocess.run([PROBE], input=plain, stdout=subprocess.PIPE, text=True, check=True).stdout)
    raw = values(plain)
    # postconf -x leaves as they are those that Postfix expands late (default_rbl_reply), and tells its own process id
    late = {k for k in want if k == "process_id" or ("$" in raw[k] and want[k] == raw[k])}
    wrong = {k: (got.get(k), want[k]) for k in want if got.get(k) != want[k] and k not in late}
    tap.ok(len(late) < 15, "%s: expanded late: %s" % (name, " ".join(sorted(late))))
    tap.ok(len(want) > 500 and not wrong, "%s: %d values" % (name, len(want)), *("%s: got, want %r" % row for row in wrong.items()))


def test(tap, folder):
    def write(text):
        with open(folder + "/main.cf", "w") as f:
            f.write(text)
        os.utime(folder + "/main.cf", (0, 0))
    open(folder + "/master.cf", "w").close()
    for level in ("0", "2", "3.6", "3.10"):
        write("compatibility_level = %s\n" % level)
        compare(tap, folder, "defaults at level " + level)
    names = ["f%d" % number for number in range(len(FORMS))]
    write(MAIN % (" ".join("$" + name for name in names), "".join("%s = %s\n" % row for row in zip(names, FORMS))))
    compare(tap, folder, "forms of the expansion")


if shutil.which("postconf", path=os.environ["PATH"] + ":/usr/sbin") is None:
    print("1..0 # SKIP postconf(1) is not installed")
    sys.exit(77)
os.environ["PATH"] += ":/usr/sbin"
tap = Tap()
with tap, tempfile.TemporaryDirectory() as folder:
    test(tap, folder)
sys.exit(tap.exit_status())
