"""Certificates of clients, and the proxy's own: verified, kept, replaced while it runs, and files that do not fit."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from proxy.embedded import SUPERUSER, Server
from proxy.launch import ProxyProcess
from tests.harness.certificates import Authority
from tests.harness.proxies import Proxies
from tests.integration.tls_by_hand import negotiated, root_of


def test_clients_certificates_are_verified(server: Server, proxies: Proxies, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    authority, other = Authority(tmp_path), Authority(tmp_path / "other", "unknown")
    own, known, stranger = authority.issue("localhost", ["localhost"]), authority.issue("app"), other.issue("stranger")
    settings = {
        "mode": "require",
        "cert_file": str(own.certificate),
        "key_file": str(own.key),
        "client_cert": "require",
        "client_ca_file": str(authority.certificate),
    }
    verifying = proxies.start(server.conninfo(), {"tls": settings})

    def connect(**theirs: str) -> psycopg.Connection:
        secure = {"sslmode": "verify-full", "sslrootcert": str(authority.certificate)}
        return psycopg.connect(
            host="localhost", port=verifying.port, user=SUPERUSER, dbname="postgres", **secure, **theirs
        )

    with connect(sslcert=str(known.certificate), sslkey=str(known.key)) as connection:
        assert connection.pgconn.ssl_in_use
    with pytest.raises(psycopg.OperationalError, match="certificate required"):
        connect(sslcertmode="disable")
    assert "PEER_DID_NOT_RETURN_A_CERTIFICATE" in verifying.log()
    with pytest.raises(psycopg.OperationalError, match="unknown ca"):
        connect(sslcert=str(stranger.certificate), sslkey=str(stranger.key))
    assert "CERTIFICATE_VERIFY_FAILED" in verifying.log()
    assert "Traceback" not in verifying.log()


def test_the_certificate_is_private_and_stays(server: Server, proxies: Proxies) -> None:
    proxy = proxies.start(server.conninfo(), {"tls": {}})
    files = [Path(root_of(proxy)), Path(root_of(proxy)).with_suffix(".key")]
    before = [file.read_bytes() for file in files]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    proxy.stop()
    proxy.start()
    assert [file.read_bytes() for file in files] == before


def reload(proxy: ProxyProcess) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "proxy", "reload", "-c", str(proxy.config_path)]
    return subprocess.run(command, env=proxy.environment, capture_output=True, text=True, check=False)


def test_rotated_certificates_count_from_a_reload(server: Server, proxies: Proxies, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own = authority.issue("localhost", ["localhost"])
    files = {"cert_file": str(own.certificate), "key_file": str(own.key)}
    proxy = proxies.start(server.conninfo(), {"tls": files})

    def shown() -> bytes:
        with negotiated(proxy) as connection:
            return connection.getpeercert(binary_form=True) or b""

    first = shown()
    with psycopg.connect(proxy.conninfo(sslmode="require"), autocommit=True) as open_session:
        authority.issue("localhost", ["localhost"])
        assert shown() == first
        assert reload(proxy).returncode == 0
        second = shown()
        assert second != first
        own.key.write_text("no key")
        failed = reload(proxy)
        assert failed.returncode != 0
        assert "tls.key_file" in failed.stderr
        assert shown() == second
        assert open_session.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"cert_file": "{cert}"}, "go together"),
        ({"cert_file": "{cert}", "key_file": "{other}"}, "another certificate's"),
        ({"cert_file": "{cert}", "key_file": "{open}"}, "chmod 600"),
        ({"cert_file": "/nowhere", "key_file": "{key}"}, "cannot read tls.cert_file"),
        ({"cert_file": "{cert}", "key_file": "/nowhere"}, "cannot read tls.key_file"),
        ({"client_cert": "require", "mode": "require"}, "needs tls.client_ca_file"),
        ({"client_cert": "require", "client_ca_file": "{cert}"}, 'needs tls.mode = "require"'),
        ({"client_ca_file": "{cert}"}, "is for tls.client_cert"),
        ({"client_cert": "optional", "client_ca_file": "{key}"}, "no certificates"),
        ({"mode": "sometimes"}, "tls.mode"),
    ],
)
def test_settings_that_do_not_go_together_are_said(tmp_path: Path, settings: dict[str, str], words: str) -> None:
    authority = Authority(tmp_path)
    own, other = authority.issue("localhost", ["localhost"]), authority.issue("other")
    opened = tmp_path / "open.key"
    opened.write_bytes(own.key.read_bytes())
    opened.chmod(0o644)
    names = {"cert": own.certificate, "key": own.key, "other": other.key, "open": opened}
    config = tmp_path / "proxy.toml"
    lines = [f'{key} = "{value.format(**names)}"' for key, value in settings.items()]
    config.write_text("\n".join(['[server]\ntarget = "host=127.0.0.1"\nunix_socket_dir = ""\n[tls]', *lines]))
    command = [sys.executable, "-m", "proxy", "check-config", "-c", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
