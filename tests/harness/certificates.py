"""Certificates for tests, and servers that show them.

Who checks what of them is the tests' business.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from proxy.installations import Installation, server_account

DAY = datetime.timedelta(days=1)


class Issued(NamedTuple):
    """A certificate and its private key, as files."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority whose files, and those of what it issues, are in `directory`."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self.directory = directory
        self._name = _called(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        own = self._builder(self._name, self._key).add_extension(x509.BasicConstraints(True, None), critical=True)
        self.certificate = directory / f"{name}.crt"
        self.certificate.write_bytes(own.sign(self._key, SHA256()).public_bytes(Encoding.PEM))

    def issue(self, name: str, hosts: Sequence[str] = (), *, password: str = "") -> Issued:
        """A certificate for `name` that is valid for `hosts`; the key sealed with `password` if there is one."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(_called(name), key)
        if hosts:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
            builder = builder.add_extension(alternatives, critical=False)
        issued = Issued(self.directory / f"{name}.crt", self.directory / f"{name}.key")
        issued.certificate.write_bytes(builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM))
        sealing: KeySerializationEncryption = NoEncryption()
        if password:
            sealing = BestAvailableEncryption(password.encode())
        issued.key.touch(mode=0o600)
        issued.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealing))
        return issued

    def revoke(self, *revoked: Issued) -> Path:
        """A list of what is revoked."""
        now = datetime.datetime.now(datetime.UTC)
        builder = x509.CertificateRevocationListBuilder(self._name, now - DAY, now + DAY)
        for each in revoked:
            number = x509.load_pem_x509_certificate(each.certificate.read_bytes()).serial_number
            entry = x509.RevokedCertificateBuilder(number, now - DAY).build()
            builder = builder.add_revoked_certificate(entry)
        path = self.directory / f"revoked{len(revoked)}.crl"
        path.write_bytes(builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM))
        return path

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        number = x509.random_serial_number()
        return x509.CertificateBuilder(self._name, subject, key.public_key(), number, now - DAY, now + DAY)


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def with_tls(installations: Sequence[Installation]) -> list[Installation]:
    """Those that are built with TLS."""
    return [each for each in installations if _has_tls(each)]


def _has_tls(installation: Installation) -> bool:
    # The setting ssl_library would tell, but only with a data directory; this name is in none that is built without.
    return b"SSL_CTX_new" in Path(installation.program("postgres")).read_bytes()


def server_settings(issued: Issued, authority: Authority) -> dict[str, str]:
    """Settings with which a server shows a certificate, and asks clients for theirs.  The key becomes the server's."""
    if account := server_account():
        os.chown(issued.key, *account)
    files = {"ssl_cert_file": issued.certificate, "ssl_key_file": issued.key, "ssl_ca_file": authority.certificate}
    return {"ssl": "on", **{name: str(path) for name, path in files.items()}}
