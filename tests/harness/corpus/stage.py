"""Where groups of cases are played: a database without traces of the groups before.

A new database for every group would take longer than the messages; so one serves until a group has written something.
"""

from __future__ import annotations

import itertools
from typing import Any

import psycopg
from psycopg import sql

from proxy.embedded import Server
from tests.harness.servers import Database

WRITTEN = "SELECT pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text"
"""Changes with every transaction that writes, temporary tables included."""

_numbers = itertools.count(1)


class Stage:
    """Databases on one server, copied from `template`.  The server has no other stage: their traces look alike."""

    def __init__(self, server: Server, template: str = "template1") -> None:
        self._template = template
        self._admin = Database(server, "postgres").connect()
        self._roles = self._names("pg_roles", "rolname")
        self._database = ""
        self._written = ""
        self._inside: psycopg.Connection[tuple[Any, ...]] | None = None

    def clear(self) -> str:
        """The name of a database in which nothing has been written, on a server without roles of former groups."""
        if self._inside is None or self._written != _value(self._admin, WRITTEN):
            self.end()
            self._database = f"corpus_{next(_numbers)}"
            self._run("CREATE DATABASE {} TEMPLATE {}", self._database, self._template)
            self._inside = psycopg.connect(self._admin.info.dsn, dbname=self._database, autocommit=True)
            self._written = _value(self._admin, WRITTEN)
        return self._database

    def ask(self, query: str) -> Any:
        """The one value of a query in the database."""
        assert self._inside is not None
        return _value(self._inside, query)

    def end(self) -> None:
        """Drop the database, and the roles and settings of roles that its groups have made."""
        if self._inside is None:
            return
        for name in self._names("pg_prepared_xacts", "gid"):
            self._inside.execute(sql.SQL("ROLLBACK PREPARED {}").format(name))
        self._inside.close()
        self._run("DROP DATABASE {} WITH (FORCE)", self._database)
        for role in self._names("pg_roles", "rolname") - self._roles:
            self._run("DROP ROLE {}", role)
        self._run("ALTER ROLE {} RESET ALL", self._admin.info.user)
        self._inside = None

    def close(self) -> None:
        """Drop the database and disconnect."""
        self.end()
        self._admin.close()

    def _run(self, statement: Any, *names: str) -> None:
        self._admin.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _names(self, relation: str, column: str) -> set[str]:
        query = sql.SQL("SELECT {} FROM {}").format(sql.Identifier(column), sql.Identifier(relation))
        return {str(name) for (name,) in self._admin.execute(query)}


def _value(connection: psycopg.Connection[tuple[Any, ...]], query: str) -> Any:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]
