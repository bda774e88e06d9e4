"""Fixtures that all tests share: real servers, fresh databases, a real proxy process.

Servers are started when first asked for and live for the session; databases live for one test; `proxy` lives for
one module and serves `server`.  How they are made is tests/harness.
"""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.embedded import Server
from tests.harness.disks import small_disk
from tests.harness.proxies import Proxies, ProxyProcess, running_proxies
from tests.harness.servers import Database, Servers, fresh_database, running_servers


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--postgres", type=int, default=0, help="major version of the servers that tests use one of")


def pytest_configure(config: pytest.Config) -> None:
    # A test run that is terminated, or loses its terminal, must stop its servers too: it ends as by Ctrl-C then.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup wants it
            signal.signal(number, signal.default_int_handler)


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Iterator[Servers]:
    """Starts servers of any version and way to log in: servers.get(installation, auth=…)."""
    with running_servers(request.config.getoption("--postgres")) as running:
        yield running


@pytest.fixture(scope="session")
def server(servers: Servers) -> Server:
    """The newest PostgreSQL here, or that of option --postgres; asks for no password.  What `proxy` forwards to."""
    return servers.get()


@pytest.fixture(scope="session")
def target_server(server: Server) -> Server:
    """Where clones arrive: the same as `server`."""
    return server


@pytest.fixture(scope="session")
def source_server(servers: Servers) -> Server:
    """Where clones come from: another server of the same version."""
    return servers.get(name="source")


@pytest.fixture(scope="session")
def scram_server(servers: Servers) -> Server:
    """A server that asks for a password (SCRAM-SHA-256); the superuser's is harness.servers.PASSWORD."""
    return servers.get(auth="scram-sha-256")


@pytest.fixture(scope="session")
def all_servers(servers: Servers) -> list[Server]:
    """One server of every installation on this machine, oldest version first."""
    return [servers.get(installation) for installation in servers.installations]


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    """A new empty database on `server`."""
    with fresh_database(server) as fresh:
        yield fresh


@pytest.fixture
def target_database(target_server: Server) -> Iterator[Database]:
    """A new empty database on `target_server`."""
    with fresh_database(target_server, "target") as fresh:
        yield fresh


@pytest.fixture
def source_database(source_server: Server) -> Iterator[Database]:
    """A new empty database on `source_server`."""
    with fresh_database(source_server, "source") as fresh:
        yield fresh


@pytest.fixture
def short_tmp() -> Iterator[Path]:
    """A temporary directory whose path is short enough for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="pgclone-") as directory:
        yield Path(directory)


@pytest.fixture
def disk(short_tmp: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    with small_disk(short_tmp) as mounted:
        if mounted is None:
            pytest.skip("file systems cannot be mounted here")
        yield mounted


@pytest.fixture(scope="module")
def proxy(server: Server) -> Iterator[ProxyProcess]:
    """A proxy in front of `server`, shared by the tests of one module."""
    with tempfile.TemporaryDirectory(prefix="pgclone-") as directory, running_proxies(Path(directory)) as proxies:
        yield proxies.start(server.conninfo())


@pytest.fixture
def proxies(short_tmp: Path) -> Iterator[Proxies]:
    """Starts proxies with settings of their own: proxies.start(target, {"jobs": {"max_running": 1}})."""
    with running_proxies(short_tmp) as started:
        yield started
