"""Clients of PostgreSQL that are tried through the proxy, each in a file of its own, and the ways each of them asks.

`CLIENTS` are those that every statement of the product is tried with: simple queries, the extended protocol with text,
and with binary results.  `WAYS` are all of them, and `READERS` also those that cannot start anything: another client is
another class and another row here.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy.launch import ProxyProcess
from tests.harness.clients.asyncpg import Asyncpg, AsyncpgCursor
from tests.harness.clients.contract import Execute, Rows, SqlClient, SqlError
from tests.harness.clients.pg8000 import Pg8000, Pg8000Native
from tests.harness.clients.psql import Psql, PsqlBind
from tests.harness.clients.psycopg import (
    Psycopg,
    PsycopgAsync,
    PsycopgClientCursor,
    PsycopgPipeline,
    PsycopgServerCursor,
)
from tests.harness.clients.sqlalchemy import SqlAlchemy, SqlAlchemyAsync
from tests.harness.servers import Database

__all__ = ["CLIENTS", "READERS", "WAYS", "Execute", "Psql", "Psycopg", "Rows", "SqlClient", "SqlError", "Way"]

Way = Callable[[ProxyProcess, Database], SqlClient]

CLIENTS: dict[str, Way] = {
    "psql": Psql,
    "psycopg": Psycopg,
    "psycopg prepared": lambda proxy, database: Psycopg(proxy, database, prepare=True),
    "asyncpg": Asyncpg,
}

WAYS: dict[str, Way] = {
    **CLIENTS,
    "psql bind": PsqlBind,
    "psycopg binary": lambda proxy, database: Psycopg(proxy, database, binary=True),
    "psycopg LATIN1": lambda proxy, database: Psycopg(proxy, database, client_encoding="latin1"),
    "psycopg SJIS": lambda proxy, database: Psycopg(proxy, database, client_encoding="sjis", prepare=True),
    "psycopg client cursor": PsycopgClientCursor,
    "psycopg pipeline": PsycopgPipeline,
    "psycopg async": PsycopgAsync,
    "asyncpg without cache": lambda proxy, database: Asyncpg(proxy, database, statement_cache_size=0),
    "asyncpg cursor": AsyncpgCursor,
    "pg8000": Pg8000,
    "pg8000 native": Pg8000Native,
    "SQLAlchemy psycopg": lambda proxy, database: SqlAlchemy(proxy, database, "psycopg"),
    "SQLAlchemy pg8000": lambda proxy, database: SqlAlchemy(proxy, database, "pg8000"),
    "SQLAlchemy asyncpg": SqlAlchemyAsync,
}

READERS: dict[str, Way] = {**WAYS, "psycopg server cursor": PsycopgServerCursor}
