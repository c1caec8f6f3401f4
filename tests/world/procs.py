"""Started programs: their output goes to a log file of the world, they end with it."""
import os
import signal
import subprocess


class Program:
    """One running program. ACCOUNT (uid, gid, groups) runs it through setpriv(1)."""

    def __init__(self, space, name, words, account=None):
        self.name = name
        self.log = space.path("log", name + ".log")
        if account:
            uid, gid, groups = account
            words = ["setpriv", "--reuid", str(uid), "--regid", str(gid), "--groups", ",".join(map(str, groups or [gid])),
                     "--no-new-privs", "--"] + list(words)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=space.dir,
                                            start_new_session=True)

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def send(self, number):
        self.process.send_signal(number)

    def text(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    def insist(self):
        """True, or an exception with the log's end when the program is gone."""
        if not self.alive():
            raise RuntimeError("%s ended with %s: %s" % (self.name, self.process.returncode, self.text()[-2000:]))
        return True

    def stop(self, number=signal.SIGTERM, seconds=10):
        """Ends it; the exit status. A program that does not obey is killed, and that is said by an exception."""
        if self.alive():
            self.process.send_signal(number)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            raise RuntimeError("%s did not stop within %g s of signal %d" % (self.name, seconds, number))
