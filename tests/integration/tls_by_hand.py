"""Connections with TLS to a proxy, made without a driver."""

from __future__ import annotations

import socket
import ssl

from proxy.launch import ProxyProcess
from tests.harness.wire import SSL_REQUEST

SECONDS = 10.0


def root_of(proxy: ProxyProcess) -> str:
    """The certificate that the proxy has made for itself."""
    return str(proxy.directory / "jobs.sqlite.tls.crt")


def raw(proxy: ProxyProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), SECONDS)


def unverified(alpn: list[str] | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def negotiated(proxy: ProxyProcess, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
    """A connection with TLS after SSLRequest."""
    connection = raw(proxy)
    connection.sendall(SSL_REQUEST)
    assert connection.recv(1) == b"S"
    return (context or unverified()).wrap_socket(connection)
