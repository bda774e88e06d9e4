"""What clients are offered on TCP: no TLS, TLS if they ask for it, or nothing else.

When a client is offered it is `admission.py`'s business; sessions that have it do not notice a new offer.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import structlog

from proxy.config import ConfigError, TlsSettings
from proxy.config.files import check_private, file_at
from proxy.tls import self_signed
from proxy.tls.binding import certificate_hash
from proxy.tls.terms import ALPN, VERSIONS

log = structlog.get_logger()

SHUTDOWN_SECONDS = 2.0
"""That a client has to say that it has heard the end; the connection is closed then in any case."""
VERIFYING = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "require": ssl.CERT_REQUIRED}


class _Telling(ssl.SSLObject):
    """Lets a client be told why its handshake fails: uvloop would close the connection before it has sent the alert.

    The error is raised when the client has said something more.  Most close; for those that do nothing there is a time
    limit.
    """

    _failed: ssl.SSLError | None = None

    def do_handshake(self) -> None:
        if self._failed is not None:
            raise self._failed
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            self._failed = error
            log.info("TLS handshake failed", reason=error.reason)
            raise ssl.SSLWantReadError from None


class OwnContext(ssl.SSLContext):
    """A context with the proxy's certificate."""

    binding: bytes = b""
    """What logins can be bound to: the certificate's hash; b'' if there is no such thing."""


class Offer(NamedTuple):
    """What a client gets that comes by TCP."""

    context: OwnContext | None = None
    """None for no TLS."""
    required: bool = False
    handshake_timeout: float = 10.0
    """Seconds."""

    async def accept(self, client: socket.socket, serve: Callable[[], asyncio.Protocol], *, tls: bool) -> None:
        """Have a client served by what `serve` gives, where `tls` says so after its handshake.

        OSError, and the socket is closed whatever is raised, if the client has left or the handshake fails.
        """
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                serve,
                client,
                ssl=self.context if tls else None,
                ssl_handshake_timeout=self.handshake_timeout if tls else None,
                ssl_shutdown_timeout=SHUTDOWN_SECONDS if tls else None,
            )
        except BaseException:
            client.close()
            raise

    async def encrypt(self, client: asyncio.Transport, protocol: asyncio.Protocol) -> asyncio.Transport:
        """The transport to use from now on, once the client's handshake is done.  OSError if that fails."""
        assert self.context is not None
        encrypted = await asyncio.get_running_loop().start_tls(
            client,
            protocol,
            self.context,
            server_side=True,
            ssl_handshake_timeout=self.handshake_timeout,
            ssl_shutdown_timeout=SHUTDOWN_SECONDS,
        )
        assert encrypted is not None
        return encrypted


def refusal(error: OSError) -> str:
    """Why a connection could not be had with TLS, for the log."""
    if isinstance(error, ssl.SSLError):
        return f"no TLS: {error.reason or error}"
    return error.strerror or str(error) or type(error).__name__


def make_offer(settings: TlsSettings, own: Path, listen_host: str, *, make: bool) -> Offer:
    """The offer of these settings, with the files as they are now.

    `own` is the name, without .crt and .key, of the certificate that the proxy makes for itself where none is
    configured; without `make` nothing is made, and a file that is still to be made is no problem.
    ConfigError if the settings or the files cannot be used.
    """
    if settings.mode == "disable":
        return Offer()
    if bool(settings.cert_file) != bool(settings.key_file):
        raise ConfigError("configuration: tls.cert_file and tls.key_file go together: set both, or neither")
    if settings.client_cert == "require" and settings.mode != "require":
        raise ConfigError(
            'configuration: tls.client_cert = "require" needs tls.mode = "require", '
            "or who has no certificate would come without TLS"
        )
    if settings.client_cert == "none" and settings.client_ca_file:
        raise ConfigError('configuration: tls.client_ca_file is for tls.client_cert = "optional" or "require"')
    if settings.client_cert != "none" and not settings.client_ca_file:
        raise ConfigError(
            f'configuration: tls.client_cert = "{settings.client_cert}" needs tls.client_ca_file, '
            "with the certificates of those who sign the clients'"
        )
    context = _context(settings)
    certificate, key = _files(settings, own)
    if make and not settings.cert_file:
        self_signed.ensure(certificate, key, listen_host)
    if make or settings.cert_file or certificate.exists():
        _show(context, certificate, key)
    return Offer(context, settings.mode == "require", settings.handshake_timeout)


def _files(settings: TlsSettings, own: Path) -> tuple[Path, Path]:
    if settings.cert_file:
        return file_at("tls.cert_file", settings.cert_file), file_at("tls.key_file", settings.key_file)
    return own.with_name(f"{own.name}.crt"), own.with_name(f"{own.name}.key")


def _context(settings: TlsSettings) -> OwnContext:
    """As it is but for the certificate that is shown."""
    context = OwnContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _Telling
    context.minimum_version = VERSIONS[settings.min_version]
    context.set_alpn_protocols([ALPN])
    # As PostgreSQL: resuming a session would skip the check of the client's certificate.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    if settings.client_ca_file:
        _load_authorities(context, file_at("tls.client_ca_file", settings.client_ca_file))
    context.verify_mode = VERIFYING[settings.client_cert]
    return context


def _show(context: OwnContext, certificate: Path, key: Path) -> None:
    _check_key(key)
    _load(context, certificate, key)
    pem = certificate.read_text(encoding="ascii", errors="replace")
    context.binding = certificate_hash(ssl.PEM_cert_to_DER_cert(_first(pem))) or b""


def _check_key(key: Path) -> None:
    """The rule that PostgreSQL has for its own."""
    status = check_private("tls.key_file", key, of_root=True)
    if status.st_uid not in (0, os.geteuid()):
        raise ConfigError(f"configuration: tls.key_file {key} is another account's: it must be the proxy's or root's")


def _load(context: OwnContext, certificate: Path, key: Path) -> None:
    try:
        # With a password of ours, or OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as error:
        reason = (
            "the key is another certificate's"
            if error.reason == "KEY_VALUES_MISMATCH"
            else "one of them is no such file in PEM format, or the key has a password"
        )
        raise ConfigError(
            f"configuration: cannot use tls.cert_file {certificate} with tls.key_file {key}: {reason}"
        ) from None
    except OSError as error:
        raise ConfigError(f"configuration: cannot read tls.cert_file {certificate}: {error.strerror}") from None


def _load_authorities(context: OwnContext, file: Path) -> None:
    try:
        context.load_verify_locations(file)
        found = context.cert_store_stats()["x509"]
    except ssl.SSLError:
        found = 0
    except OSError as error:
        raise ConfigError(f"configuration: cannot read tls.client_ca_file {file}: {error.strerror}") from None
    if not found:
        raise ConfigError(f"configuration: tls.client_ca_file {file} has no certificates in PEM format")


def _first(pem: str) -> str:
    """The first certificate of a chain, which is the proxy's."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    return begin + pem.partition(begin)[2].partition(end)[0] + end + "\n"
