"""A probe program of this folder, driven line by line: what it prints is kept, and can be awaited."""
import os
import re
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from world.waiting import wait_for  # noqa: E402 (the path comes first)

BUILD = os.environ.get("builddir") or os.environ.get("TLSMODE_BUILD") or os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..", "build")
VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "shared", "vectors")


class Probe:
    def __init__(self, name, *options, env=None):
        self.lines = []
        self.process = subprocess.Popen([os.path.join(BUILD, name), *map(str, options)], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ, **(env or {})))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def say(self, *lines):
        self.process.stdin.write("".join(line + "\n" for line in lines))
        self.process.stdin.flush()

    def matching(self, pattern, start=0):
        return [line for line in self.lines[start:] if re.match(pattern, line)]

    def expect(self, pattern, seconds=30, start=0, count=1):
        """The COUNTth line from START on that matches at its beginning; waits for it."""
        def found():
            lines = self.matching(pattern, start)
            return lines[count - 1] if len(lines) >= count else None
        return wait_for("line %r of the probe" % pattern, found, seconds)

    def ask(self, line, pattern, seconds=30):
        """Says LINE and waits for a new line that matches."""
        start = len(self.lines)
        self.say(line)
        return self.expect(pattern, seconds, start)

    def end(self, seconds=30):
        """Ends its input; exit status and what it wrote to standard error."""
        self.process.stdin.close()
        status = self.process.wait(seconds)
        self._reader.join()
        return status, self.process.stderr.read()


def once(name, *options):
    """Runs it without input: exit status and its output."""
    done = subprocess.run([os.path.join(BUILD, name), *map(str, options)], input="",
                          capture_output=True, text=True)
    return done.returncode, done.stdout.strip() + done.stderr.strip()
