"""The hash that SCRAM-SHA-256-PLUS binds to, for certificates of each kind of signature (made with openssl)."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import pytest

from proxy.tls.binding import certificate_hash

CERTIFICATES = Path(__file__).parent / "certificates"
HASHES = {
    "rsa-md5": "sha256",
    "rsa-sha1": "sha256",
    "rsa-sha512": "sha512",
    "rsa-pss-sha512": "sha512",
    "ecdsa-sha256": "sha256",
    "ecdsa-sha384": "sha384",
}


def _der(name: str) -> bytes:
    return ssl.PEM_cert_to_DER_cert((CERTIFICATES / f"{name}.pem").read_text())


@pytest.mark.parametrize(("name", "function"), HASHES.items(), ids=HASHES)
def test_the_hash_function_is_that_of_the_signature(name: str, function: str) -> None:
    assert certificate_hash(_der(name)) == hashlib.new(function, _der(name)).digest()


def test_there_is_nothing_to_bind_to_without_a_hash_function() -> None:
    assert certificate_hash(_der("ed25519")) is None
    assert certificate_hash(_der("rsa-sha512")[:-1]) is None
