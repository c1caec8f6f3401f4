"""The grammar of replies: socketmap_table(5), and smtp_tls_policy_maps as Postfix 3.7 reads it (3.10 for the -tlsrpt maps).

Written from Postfix's documentation and the facts measured of it; every reply made in any test goes through reply_fault().
"""
import re

LEVELS = ("none", "may", "encrypt", "dane", "dane-only", "fingerprint", "verify", "secure")
WITH_MATCH = ("fingerprint", "verify", "secure")
ATTRIBUTES = ("ciphers", "protocols", "servername", "match", "exclude", "tafile", "connection_reuse")
REPORTS = ("policy_type", "policy_domain", "policy_ttl", "policy_string", "mx_host_pattern", "policy_failure")
REPEATED = ("policy_string", "mx_host_pattern", "tafile")
FAILURES = ("sts-policy-fetch-error", "sts-policy-invalid", "sts-webpki-invalid", "validation-failure")
NAME = re.compile(r"\.?(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
PLAIN = ("opportunistic", "enforced", "verified", "QUERY", "postfix", "sts")
TLSRPT = ("opportunistic-tlsrpt", "enforced-tlsrpt", "verified-tlsrpt", "QUERYwithTLSRPT")


def words(text):
    """Splits at blanks and commas; { name = value } is one word."""
    found, rest = [], text
    while rest:
        rest = rest.lstrip(" \t,")
        if rest.startswith("{"):
            end = rest.find("}")
            if end < 0:
                return None
            name, equals, value = rest[1:end].partition("=")
            found.append(name.strip() + equals + value.strip())
            rest = rest[end + 1:]
        elif rest:
            word = re.match(r"[^ \t,]+", rest)[0]
            found.append(word)
            rest = rest[len(word):]
    return found


def value_fault(level, name, value):
    if not value:
        return "%s without a value" % name
    if name == "match":
        if level not in WITH_MATCH:
            return "match at level " + level
        bad = [n for n in value.split(":") if n not in ("hostname", "nexthop", "dot-nexthop") and not NAME.fullmatch(n)]
        return "match=%s" % bad[0] if bad else None
    if name == "servername" and value != "hostname" and not NAME.fullmatch(value):
        return "servername=" + value
    if name == "protocols" and not re.fullmatch(r"[<>]=TLSv1(\.[123])?(:[<>]=TLSv1(\.[123])?)?", value):
        return "protocols=" + value
    if name == "policy_type" and value not in ("sts", "no-policy-found"):
        return "policy_type=" + value
    if name == "policy_failure" and (value not in FAILURES or level in WITH_MATCH):
        return "policy_failure=%s at level %s" % (value, level)
    if name == "policy_domain" and (not NAME.fullmatch(value) or not value.isascii()):
        return "policy_domain=" + value
    return None


def policy_fault(text, tlsrpt=False):
    """None, or what is wrong with the text of a policy."""
    parts = words(text)
    if not parts:
        return "an empty policy" if parts is not None else "an open brace"
    level, rest = parts[0], parts[1:]
    if level not in LEVELS:
        return "level " + level
    seen = []
    for part in rest:
        name, equals, value = part.partition("=")
        if not equals or name not in ATTRIBUTES + (REPORTS if tlsrpt else ()):
            return "attribute " + part
        if name in seen and name not in REPEATED:
            return name + " twice"
        seen.append(name)
        wrong = value_fault(level, name, value)
        if wrong:
            return wrong
    if set(seen) & set(REPORTS) and "policy_type" not in seen:
        return "policy attributes without policy_type"
    if level == "dane" and "protocols" in seen:
        return "protocols on dane would survive its fall to may"
    return None


def reply_fault(name, reply):
    """None, or what is wrong with a whole reply of map NAME."""
    word, blank, text = reply.partition(" ")
    if word not in ("OK", "NOTFOUND", "TEMP") or not blank:
        return "reply form"
    if len(reply.encode()) > 100000 or not reply.isprintable():
        return "octets of the reply"
    if word != "NOTFOUND" and not text.strip():
        return "%s without text" % word
    if word == "NOTFOUND" and text:
        return "text after NOTFOUND"
    if word == "OK" and name in PLAIN + TLSRPT:
        return policy_fault(text, name in TLSRPT)
    return None
