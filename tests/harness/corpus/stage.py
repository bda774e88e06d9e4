"""Where groups of cases are played: a database without traces of the groups before.

A new database for every group would take longer than the messages; so one serves until a group has written something.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from proxy.embedded import Server
from tests.harness.servers import Database

WRITTEN = "SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text"
"""Changes with every transaction that writes, temporary tables included."""

DATABASE = "postgres"
"""Where the cases are played; some of them name it."""


class Stage:
    """The database DATABASE of a server that is used for nothing else; each one a copy of `template`."""

    def __init__(self, server: Server, template: str = "template1") -> None:
        self._template = template
        with Database(server, DATABASE).connect() as first:
            first.execute("CREATE DATABASE corpus_admin")
        self._admin = Database(server, "corpus_admin").connect()
        self._roles = self._names("pg_roles", "rolname")
        self._inside: psycopg.Connection[tuple[Any, ...]] | None = None
        self._written = ""

    def clear(self) -> None:
        """Make sure that nothing has been written in the database, and that the server has no roles of former
        groups."""
        if self._inside is None or self._written != _value(self._admin, WRITTEN):
            self._renew()
            self._inside = psycopg.connect(self._admin.info.dsn, dbname=DATABASE, autocommit=True)
            self._written = _value(self._admin, WRITTEN)

    def ask(self, query: str) -> Any:
        """The one value of a query in the database."""
        assert self._inside is not None
        return _value(self._inside, query)

    def close(self) -> None:
        """Leave the database as the server had it."""
        self._template = "template1"
        self._renew()
        self._admin.close()

    def _renew(self) -> None:
        """Make the database anew, and drop the roles and settings of roles that its groups have made."""
        if self._inside is not None:
            for name in self._names("pg_prepared_xacts", "gid"):
                self._inside.execute(sql.SQL("ROLLBACK PREPARED {}").format(name))
            self._inside.close()
        self._run("DROP DATABASE {} WITH (FORCE)", DATABASE)
        self._run("CREATE DATABASE {} TEMPLATE {}", DATABASE, self._template)
        for role in self._names("pg_roles", "rolname") - self._roles:
            self._run("DROP ROLE {}", role)
        self._run("ALTER ROLE {} RESET ALL", self._admin.info.user)

    def _run(self, statement: Any, *names: str) -> None:
        self._admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _names(self, relation: str, column: str) -> set[str]:
        query = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column), sql.Identifier(relation))
        return {str(name) for (name,) in self._admin.execute(query)}


def _value(connection: psycopg.Connection[tuple[Any, ...]], query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]
