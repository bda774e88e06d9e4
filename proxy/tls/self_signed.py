"""The certificate that the proxy makes for itself where none is configured, so that passwords travel encrypted.

Nobody vouches for it: clients that verify certificates have to be given this one as their root.
"""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from proxy.config import ConfigError

VALID = timedelta(days=3650)
ALWAYS = ("localhost", "127.0.0.1", "::1")
LONGEST_NAME = 64
"""Of a common name (X.520)."""


def ensure(certificate: Path, key: Path, listen_host: str) -> None:
    """Make both files, private to the proxy's account, if they are not there.

    ConfigError if that cannot be done, or one is there without the other: clients may know that certificate.
    """
    there = [file for file in (certificate, key) if file.exists()]
    if len(there) == 2:
        return
    if there:
        lacking = key if there == [certificate] else certificate
        raise ConfigError(f"the proxy's own certificate is not complete: {there[0]} is there, but {lacking} is not")
    private = ec.generate_private_key(ec.SECP256R1())
    made = _certificate(private, [*ALWAYS, socket.gethostname(), listen_host])
    pem = serialization.Encoding.PEM
    secret = private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        _write(key, secret)
        _write(certificate, made.public_bytes(pem))
    except OSError as error:
        raise ConfigError(
            f"cannot make a certificate at {certificate}: {error.strerror}; "
            'set tls.cert_file and tls.key_file, or tls.mode = "disable"'
        ) from None


def _certificate(private: ec.EllipticCurvePrivateKey, names: list[str]) -> x509.Certificate:
    now = datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, socket.gethostname()[:LONGEST_NAME] or "localhost")])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks differ
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )


def _alternatives(names: list[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in dict.fromkeys(filter(None, names)):
        try:
            found.append(x509.IPAddress(ip_address(name)))
        except ValueError:
            if name.isascii():
                found.append(x509.DNSName(name))
    return found


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and never readable by others."""
    made = path.with_name(f"{path.name}.{os.getpid()}")
    made.unlink(missing_ok=True)
    with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    made.replace(path)
