"""Certificates for tests, made with the openssl command: a private CA, and leaves that are good or wrong in one way.

    ca = CA("/tmp/x/ca")                        # its certificate: ca.cert
    good = ca.issue("good", dns=["mta-sts.good.test"])
    old = ca.issue("old", dns=["mta-sts.old.test"], days=(-60, -30))
    lone = self_signed("/tmp/x", "lone", dns=["mx.lone.test"])
    tlsa("3 1 1", good.cert)                    # "3 1 1 <hex>", the RDATA of a TLSA record

A Pair has .cert and .key (files in PEM; .cert of an issued pair has the leaf alone). Python's standard library only.
"""
import base64
import collections
import hashlib
import os
import re
import subprocess
import time

Pair = collections.namedtuple("Pair", "cert key")


def _openssl(*args, text=None):
    done = subprocess.run(["openssl", *args], input=text, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError("openssl %s: %s" % (" ".join(args), done.stderr.strip()))
    return done.stdout


def _when(days):
    """ASN.1 time of so many days from now."""
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * 86400))


def _alt_names(dns, ip):
    return ",".join(["DNS:" + n for n in dns] + ["IP:" + a for a in ip])


def _alt_names_der(dns):
    """For names that openssl's text form cannot express: SEQUENCE of [2] IA5String, short lengths only."""
    names = b"".join(bytes([0x82, len(n)]) + n.encode() for n in dns)
    return "DER:" + (bytes([0x30, len(names)]) + names).hex(":")


def _extensions(dns, ip):
    lines = ["basicConstraints=CA:FALSE", "extendedKeyUsage=serverAuth,clientAuth"]
    if any("\0" in n for n in dns):
        lines.append("subjectAltName=" + _alt_names_der(dns))
    elif dns or ip:
        lines.append("subjectAltName=" + _alt_names(dns, ip))
    return "\n".join(lines) + "\n"


def _new_key(path):
    _openssl("genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)


class CA:
    """A certificate authority in folder ROOT, which is made (and used again when it is there)."""

    def __init__(self, root, name="Test CA", days=(-400, 3650)):
        self.root = os.path.abspath(root)
        self.cert = os.path.join(self.root, "ca.pem")
        self.key = os.path.join(self.root, "ca.key")
        self._config = os.path.join(self.root, "ca.cnf")
        if not os.path.exists(self.cert):
            self._make(name, days)

    def _make(self, name, days):
        os.makedirs(self.root, exist_ok=True)
        open(os.path.join(self.root, "index"), "w").close()
        with open(self._config, "w") as f:
            f.write("[ca]\ndefault_ca=it\n[it]\ndatabase=%s/index\nrand_serial=yes\nnew_certs_dir=%s\ndefault_md=sha256\n"
                    "policy=any\nunique_subject=no\n[any]\ncommonName=optional\norganizationName=optional\n"
                    "[req]\ndistinguished_name=dn\n[dn]\n[v3_ca]\nbasicConstraints=critical,CA:TRUE\n"
                    "keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n" % (self.root, self.root))
        _new_key(self.key)
        request = os.path.join(self.root, "ca.csr")
        _openssl("req", "-new", "-config", self._config, "-key", self.key, "-subj", "/CN=" + name, "-out", request)
        _openssl("ca", "-batch", "-notext", "-config", self._config, "-selfsign", "-keyfile", self.key, "-in", request,
                 "-extensions", "v3_ca", "-startdate", _when(days[0]), "-enddate", _when(days[1]), "-out", self.cert)

    def issue(self, stem, dns=(), ip=(), cn=None, days=(-1, 90)):
        """A leaf with these subjectAltNames (none: no such extension), valid from and to so many days from now."""
        pair = Pair(os.path.join(self.root, stem + ".pem"), os.path.join(self.root, stem + ".key"))
        request, ext = pair.cert + ".csr", pair.cert + ".ext"
        with open(ext, "w") as f:
            f.write(_extensions(dns, ip))
        _new_key(pair.key)
        _openssl("req", "-new", "-config", self._config, "-key", pair.key, "-out", request,
                 "-subj", "/CN=" + cn if cn else "/O=tlsmode tests")
        _openssl("ca", "-batch", "-notext", "-config", self._config, "-cert", self.cert, "-keyfile", self.key,
                 "-in", request, "-extfile", ext, "-startdate", _when(days[0]), "-enddate", _when(days[1]), "-out", pair.cert)
        return pair

    def chain(self, pair):
        """A file with the leaf and the CA after it, as servers with a DANE-TA(2) record must send it."""
        path = pair.cert[:-len(".pem")] + ".chain.pem"
        with open(path, "w") as out:
            for part in (pair.cert, self.cert):
                with open(part) as f:
                    out.write(f.read())
        return path


def self_signed(folder, stem, dns=(), ip=(), cn="self-signed", days=90):
    pair = Pair(os.path.join(folder, stem + ".pem"), os.path.join(folder, stem + ".key"))
    _new_key(pair.key)
    args = ["req", "-x509", "-new", "-key", pair.key, "-subj", "/CN=" + cn, "-days", str(days), "-out", pair.cert]
    if dns or ip:
        args += ["-addext", "subjectAltName=" + _alt_names(dns, ip)]
    _openssl(*args)
    return pair


def der(cert):
    """DER of the first certificate in a PEM file."""
    with open(cert) as f:
        body = re.search("-----BEGIN CERTIFICATE-----(.*?)-----END", f.read(), re.S).group(1)
    return base64.b64decode(body)


def spki(cert):
    """DER of its SubjectPublicKeyInfo."""
    pem = _openssl("x509", "-in", cert, "-noout", "-pubkey")
    return base64.b64decode("".join(line for line in pem.splitlines() if "-----" not in line))


def tlsa(form, cert):
    """TLSA RDATA in presentation form; FORM is "usage selector matching-type" (RFC 6698 s2.1)."""
    _, selector, matching = (int(n) for n in form.split())
    data = spki(cert) if selector == 1 else der(cert)
    digest = {0: lambda d: d, 1: lambda d: hashlib.sha256(d).digest(), 2: lambda d: hashlib.sha512(d).digest()}
    return form + " " + digest[matching](data).hex()
