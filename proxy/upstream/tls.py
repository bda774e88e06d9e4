"""Whether a connection to the target is encrypted, and what the server must prove: libpq's ssl* parameters.

Certificates are read when the settings are, so that what is wrong with them is said then; a new Target reads them anew.
Nothing is taken from the home directory, where libpq would look: a service should not depend on who started it.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple, NoReturn

from proxy.config import ConfigError
from proxy.config.files import check_private
from proxy.tls.terms import ALPN, VERSIONS

WAYS: Mapping[str, tuple[bool, ...]] = {
    "disable": (False,),
    "allow": (False, True),
    "prefer": (True, False),
    "require": (True,),
    "verify-ca": (True,),
    "verify-full": (True,),
}
"""By sslmode: encrypted or not, in the order in which they are tried."""

FILES: Mapping[str, str] = {
    "sslrootcert": "file",
    "sslcrl": "file",
    "sslcrldir": "directory",
    "sslcert": "file",
    "sslkey": "file",
}


class Tls(NamedTuple):
    """How connections to the target are encrypted."""

    ways: tuple[bool, ...] = (False,)
    """Encrypted or not, in the order in which they are tried."""
    context: ssl.SSLContext | None = None
    """None if none is ever encrypted."""
    required: bool = False
    """Whether a server that offers no TLS is refused."""
    direct: bool = False
    """Whether TLS begins with the connection's first byte."""
    names_host: bool = True
    """Whether the server is told which host is meant (SNI)."""

    @property
    def verifies_host(self) -> bool:
        """Whether the server's certificate has to be for the host."""
        return self.context is not None and self.context.check_hostname


def read_tls(given: Mapping[str, str]) -> Tls:
    """What the parameters say.  ConfigError for values that cannot be, or not together, and unusable certificates."""
    root = given.get("sslrootcert", "")
    mode = given.get("sslmode") or ("verify-full" if root == "system" else "prefer")
    negotiation = given.get("sslnegotiation") or "postgres"
    names_host = given.get("sslsni", "1") != "0"
    if mode not in WAYS:
        _refuse(f"sslmode is {mode}; it is one of {', '.join(WAYS)}")
    if negotiation not in ("postgres", "direct"):
        _refuse("sslnegotiation is postgres or direct")
    if negotiation == "direct" and False in WAYS[mode]:
        _refuse(f"sslnegotiation=direct does not go with sslmode={mode}: use require or better")
    if root == "system" and mode != "verify-full":
        _refuse(f"sslrootcert=system does not go with sslmode={mode}: any server could have such a certificate")
    if mode.startswith("verify") and not root:
        _refuse(f"sslmode={mode} needs sslrootcert: the file of the certificate authority, or system")
    if mode == "verify-full" and not names_host:
        _refuse("sslsni=0 does not go with sslmode=verify-full")
    context = None if mode == "disable" else _context(given, root, mode)
    return Tls(WAYS[mode], context, WAYS[mode] == (True,), negotiation == "direct", names_host)


def _context(given: Mapping[str, str], root: str, mode: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = mode == "verify-full"
    # As libpq: who names an authority wants it asked, whatever the mode.
    context.verify_mode = ssl.CERT_REQUIRED if root else ssl.CERT_NONE
    context.set_alpn_protocols([ALPN])
    _limit_versions(context, given)
    for keyword, kind in FILES.items():
        if given.get(keyword) and (keyword, root) != ("sslrootcert", "system"):
            _check_readable(keyword, kind, Path(given[keyword]))
    _load_authorities(context, given, root)
    _load_own(context, given)
    return context


def _limit_versions(context: ssl.SSLContext, given: Mapping[str, str]) -> None:
    lowest, highest = (given.get(f"ssl_{end}_protocol_version", "") for end in ("min", "max"))
    for version in filter(None, (lowest, highest)):
        if version not in VERSIONS:
            _refuse(f"a TLS version is one of {', '.join(VERSIONS)}, not {version}")
    context.minimum_version = VERSIONS[lowest or "TLSv1.2"]
    if highest:
        context.maximum_version = VERSIONS[highest]
        if VERSIONS[highest] < context.minimum_version:
            _refuse("ssl_max_protocol_version is below ssl_min_protocol_version")


def _load_authorities(context: ssl.SSLContext, given: Mapping[str, str], root: str) -> None:
    if root == "system":
        context.load_default_certs()
    elif root:
        _load("sslrootcert", "holds no certificate (PEM)", lambda: context.load_verify_locations(cafile=root))
    lists, directory = given.get("sslcrl"), given.get("sslcrldir")
    if lists:  # which are loaded like certificates
        _load("sslcrl", "holds no revocation list (PEM)", lambda: context.load_verify_locations(cafile=lists))
    if directory:
        context.load_verify_locations(capath=directory)
    if lists or directory:
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN


def _load_own(context: ssl.SSLContext, given: Mapping[str, str]) -> None:
    """The certificate that the proxy shows to a server that asks for one."""
    cert, key = given.get("sslcert", ""), given.get("sslkey", "")
    if bool(cert) != bool(key):
        _refuse("sslcert and sslkey go together")
    if not cert or given.get("sslcertmode") == "disable":
        return
    check_private("server.target: sslkey", Path(key), of_root=True)  # as libpq, which would not use it either for a job
    # A function, because without a password OpenSSL would ask at the terminal.
    password = given.get("sslpassword", "")
    reason = "cannot be used: it is no private key (PEM) of the certificate in sslcert, or sslpassword does not open it"
    _load("sslkey", reason, lambda: context.load_cert_chain(cert, key, lambda: password))


def _load(keyword: str, reason: str, load: Callable[[], object]) -> None:
    try:
        load()
    except (ssl.SSLError, OSError) as error:
        _refuse(f"{keyword} {reason}: {_words(error)}")


def _check_readable(keyword: str, kind: str, path: Path) -> None:
    try:
        if kind == "directory":
            next(path.iterdir(), None)
        else:
            path.open("rb").close()
    except OSError as error:
        _refuse(f"cannot read {keyword} {path}: {error.strerror}")


def _words(error: OSError) -> str:
    return getattr(error, "reason", None) or error.strerror or str(error)


def _refuse(problem: str) -> NoReturn:
    raise ConfigError(f"configuration: server.target: {problem}")
