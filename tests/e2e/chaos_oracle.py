"""What tlsmode-mapd may answer while everything around it fails (doc/decision.md's laws, and nothing of the program itself).

Not a test: chaos.py asks. Times are time.monotonic(); a question is judged by what could hold between its sending and its answer.
"""
import json
import threading
import time

GRACE = 1.0  # seconds until a written setting must be in force; the promise is 10 ms, and late ones are counted
SOON = 0.05
READING = 5.0  # seconds that reading all settings may take here, on a busy machine
WAYS = {"opportunistic": "NOTFOUND ", "enforced": "OK smtp-enforced:", "verified": "OK smtp-verified:"}
MODES = {"opportunistic": "NOTFOUND ", "enforced": "OK enforced", "verified": "OK verified"}
STRICT = ("enforced", "verified")
RANK = {"opportunistic": 0, "enforced": 1, "verified": 2}
STRICT_LEVELS = ("encrypt", "verify", "secure", "dane-only", "TEMP")
BINDING = ("secure", "dane-only", "TEMP")


class Change:
    """MODE may be in force from BEGIN on, and must be from SURE on (None: nobody knows yet). DELETED: by deleting the key, which takes
    a demand away."""

    def __init__(self, begin, mode, sure=None, deleted=False):
        self.begin, self.mode, self.sure, self.deleted = begin, mode, sure, deleted

    def rules_out_before(self, asked, grace):
        """While all settings are being read, what is not there may have been lost: it demands what it did until that is judged."""
        return self.sure is not None and self.sure + (READING if self.deleted else 0) - grace <= asked


class Settings:
    """The modes of senders as they were written."""

    def __init__(self):
        self.lock = threading.Lock()
        self.changes = {}
        self.late = 0

    def write(self, name, mode, at=None, deleted=False):
        change = Change(time.monotonic() if at is None else at, mode, deleted=deleted)
        with self.lock:
            self.changes.setdefault(name, [Change(0, "opportunistic", 0)]).append(change)
        return change

    def all_sure(self, at):
        """Everything written so far must be in force at AT."""
        with self.lock:
            for changes in self.changes.values():
                for change in changes:
                    if change.sure is None:
                        change.sure = max(at, change.begin + GRACE)
                while len(changes) > 1 and changes[1].sure is not None and changes[1].sure < at - 60:
                    changes.pop(0)

    def now(self, name):
        with self.lock:
            return self.changes[name][-1].mode

    def reset(self, modes):
        """Started anew from what was kept: MODES, or for a sender it does not have any of the last ones. What lately demanded more goes
        on demanding it until all has been read, as with what is deleted."""
        now = time.monotonic()
        if modes is None:
            return
        with self.lock:
            for name, changes in self.changes.items():
                kept = modes.get(name, "opportunistic")
                lately = [c for i, c in enumerate(changes) if not any(later.rules_out_before(now, 0) for later in changes[i + 1:])]
                stricter = {c.mode for c in lately if RANK[c.mode] > RANK[kept]}
                self.changes[name] = [Change(0, mode, 0) for mode in sorted(stricter)] + [Change(0, kept, now, deleted=True)] + [
                    Change(now, c.mode) for c in changes[-1:]]

    def allowed(self, name, asked, answered, grace=0.0):
        """The modes that may have been in force in between. GRACE: how much sooner than must be changes are taken for sure."""
        with self.lock:
            changes = self.changes[name]
            return {c.mode for i, c in enumerate(changes) if c.begin <= answered and not any(
                later.rules_out_before(asked, grace) for later in changes[i + 1:])}


class Oracle:
    """Judges replies. BINDING_DOMAINS: those whose policy, once known, must be heard; EXCEPTED: a `may` is no fault there."""

    def __init__(self, sts=(), dane=(), excepted=()):
        self.settings = Settings()
        self.sts, self.dane, self.excepted = set(sts), set(dane), set(excepted)
        self.known = {}      # policy domain -> when an answer showed that its policy is in force
        self.restarts = []   # (begin, end): connections may break
        self.unknown = False # started without Redis and without a snapshot: settings.when_unknown = tempfail
        self.violations = []
        self.history = []
        self.lock = threading.Lock()
        self.asked = self.worst = 0
        self.born = time.monotonic()

    def did(self, text):
        self.history.append((time.monotonic() - self.born, text))

    def blame(self, text):
        with self.lock:
            self.violations.append("%.2f s: %s" % (time.monotonic() - self.born, text))

    def forget_policies(self, keep=()):
        with self.lock:
            self.known = {domain: at for domain, at in self.known.items() if domain in keep}

    def restarting(self, since):
        """A connection made or used since SINCE may have met a program that was down."""
        return any(end is None or since <= end for _, end in self.restarts)

    def judge(self, name, key, reply, asked, answered):
        self.asked += 1
        self.worst = max(self.worst, answered - asked)
        wrong = self.fault(name, key, reply, asked, answered)
        if wrong:
            self.blame("%s %s -> %r: %s (asked %.2f, took %.3f s)" % (
                name, key, reply[:200], wrong, asked - self.born, answered - asked))

    def fault(self, name, key, reply, asked, answered):
        if name in ("transport", "mode"):
            return self.sender_fault(name, key, reply, asked, answered)
        if name == "explain":
            return None if json.loads(reply[3:])["nexthop"]["key"] == key else "an answer to another question"
        if name == "refusal":
            bound = self.dane | {domain for domain, since in self.known.items() if since <= asked}
            return "a bounce for what the destination demands" if reply.startswith("OK ") and key_is_bound(key, bound) else None
        return self.policy_fault(name, key, reply, asked, answered)

    def sender_fault(self, name, key, reply, asked, answered):
        words = WAYS if name == "transport" else MODES
        domain = key.partition("@")[2]
        if self.unknown and reply == "TEMP settings not yet loaded":
            return None
        if reply not in [words[mode] for mode in self.settings.allowed(domain, asked, answered)]:
            return "not one of %s" % sorted(self.settings.allowed(domain, asked, answered))
        if reply not in [words[mode] for mode in self.settings.allowed(domain, asked, answered, GRACE - SOON)]:
            self.settings.late += 1
        return None

    def policy_fault(self, name, key, reply, asked, answered):
        domain = key.partition(":")[0].strip("[]")
        base = name.removesuffix("-tlsrpt")
        word, _, text = reply.partition(" ")
        level = text.split()[0] if word == "OK" else word
        if base in STRICT and level not in STRICT_LEVELS and domain not in self.excepted:
            return "level %s on a strict map" % level
        if domain in self.dane and base != "sts" and level not in ("dane-only", "TEMP") + (("dane",) if base not in STRICT else ()):
            return "DANE is published"
        if domain in self.sts:
            return self.sts_fault(domain, level, asked, answered)
        return None

    def sts_fault(self, domain, level, asked, answered):
        with self.lock:
            since = self.known.get(domain)
            if level == "secure" and since is None and not self.restarting(asked):
                self.known[domain] = answered
        if since is not None and since <= asked and level not in BINDING:
            return "its policy is in force since %.2f s" % (since - self.born)
        return None


def key_is_bound(status, domains):
    return any("by host mx.%s[" % domain in status for domain in domains)
