"""The channel binding of a certificate, `tls-server-end-point` (RFC 5929, section 4.1), for SCRAM-SHA-256-PLUS.

For the proxy's own certificate and for the target's alike.  Pure.
"""

from __future__ import annotations

import hashlib

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

# Broken as they are, the standard has them give way.
REPLACED = {"md5": "sha256", "sha1": "sha256"}


def certificate_hash(der: bytes) -> bytes | None:
    """The hash of a certificate, by the hash function of its signature.

    None where the signature names no such function (Ed25519, or a certificate that cannot be read).  PostgreSQL fails
    a login with -PLUS then, server and libpq alike: it is neither to be offered nor to be chosen.
    """
    try:
        algorithm = x509.load_der_x509_certificate(der).signature_hash_algorithm
    except (UnsupportedAlgorithm, ValueError):
        return None
    if algorithm is None:
        return None
    # Its names are hashlib's, but for the dash in SHA-3's.
    name = algorithm.name.replace("-", "_")
    return hashlib.new(REPLACED.get(name, name), der).digest()
