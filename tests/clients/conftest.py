"""What the clients in Python are given: a target and a source for one module, a job that is done, and two peers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxy.embedded import Server
from proxy.launch import ProxyProcess
from tests.clients.peers import Peers, peers_on
from tests.clients.programs import SOURCE, TARGET
from tests.clients.statements import START, ended
from tests.harness.clients import Psycopg
from tests.harness.servers import Database, fresh_database


@pytest.fixture(scope="module")
def target(server: Server) -> Iterator[Database]:
    """Where the clients of a module are connected to, with the tables that they ask for."""
    with fresh_database(server, "target") as database:
        database.execute(TARGET)
        yield database


@pytest.fixture(scope="module")
def source(source_server: Server) -> Iterator[Database]:
    """What they clone from."""
    with fresh_database(source_server, "source") as database:
        database.execute(SOURCE)
        yield database


@pytest.fixture(scope="module")
def job(proxy: ProxyProcess, source: Database, target: Database) -> int:
    """A completed job of `proxy`, which has cloned sales.customers."""
    client = Psycopg(proxy, target)
    ((number,),) = client.rows(START, source.conninfo(), "sales", "customers", "customers_of_the_job")
    started = int(number or 0)
    assert ended(client, started) == ("completed", "1000")
    client.close()
    target.execute("DROP TABLE sales.customers_of_the_job")  # so that sales has the tables of TARGET
    return started


@pytest.fixture(scope="module")
def peers(server: Server) -> Iterator[Peers]:
    """PostgreSQL with functions of our names, and the proxy in front of one without."""
    with peers_on(server) as both:
        yield both
