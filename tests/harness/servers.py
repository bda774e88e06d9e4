"""Throw-away PostgreSQL servers and databases for tests.

`Servers` starts a server for a version and a way to log in at most once and stops all of them at the end;
`Database` is one database on one of them.  Starting and stopping is proxy.embedded; fixtures are in conftest.py.
"""

from __future__ import annotations

import contextlib
import itertools
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from proxy.embedded import Auth, Server
from proxy.installations import Installation, installations, private_directory, reachable, with_program
from proxy.launch import clean_environment

TEST_SETTINGS: Mapping[str, str] = {
    "max_connections": "200",
    "wal_level": "logical",  # replication connections are tested
    "max_prepared_transactions": "10",
    "log_statement": "all",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
PASSWORD = "test password"  # of the superuser of servers that ask for one; with a blank on purpose


class Servers:
    """The servers of one test session, by what was asked for; all in one private directory."""

    def __init__(self, directory: Path, major: int = 0) -> None:
        """`major` is the version of what `get` gives unless told; 0 is the newest."""
        self.directory = directory
        self.installations = tuple(reachable(i, directory) for i in installations())
        self.usual = [i for i in self.installations if major in (0, i.major)][-1]
        self._running: dict[tuple[Any, ...], Server] = {}

    def get(
        self,
        installation: Installation | None = None,
        *,
        auth: Auth = "trust",
        name: str = "",
        settings: Mapping[str, str] | None = None,
    ) -> Server:
        """A running server: of the usual version unless given.  The same arguments give the same server;
        `name` makes another one."""
        chosen = installation or self.usual
        key = (chosen, auth, name, tuple(sorted((settings or {}).items())))
        if key not in self._running:
            password = "" if auth == "trust" else PASSWORD
            directory = self.directory / f"s{len(self._running)}"
            started = Server(
                chosen, directory, auth=auth, password=password, settings={**TEST_SETTINGS, **(settings or {})}
            )
            started.start()
            self._running[key] = started
        server = self._running[key]
        if not server.running:  # a test stopped it
            server.start()
        return server

    def stop(self) -> None:
        """Stop all of them."""
        for server in self._running.values():
            server.stop()


@contextlib.contextmanager
def running_servers(major: int = 0) -> Iterator[Servers]:
    """The servers of a session, usually of version `major`; stopped and removed at the end, also after Ctrl-C."""
    with private_directory() as directory:
        servers = Servers(directory, major)
        try:
            yield servers
        finally:
            servers.stop()


class Database:
    """One database of a server, and short ways to use it as the superuser."""

    _numbers = itertools.count(1)

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.name = name

    def __repr__(self) -> str:
        return f"<Database {self.name} on {self.server!r}>"

    def conninfo(self, *, by_socket: bool = False, **more: str) -> str:
        """How to reach it directly: as Server.conninfo, with the password if the server asks for one."""
        if self.server.password:
            more.setdefault("password", self.server.password)
        return self.server.conninfo(self.name, by_socket=by_socket, **more)

    def connect(self, *, by_socket: bool = False, **more: str) -> psycopg.Connection[tuple[Any, ...]]:
        """A new autocommit connection."""
        return psycopg.connect(self.conninfo(by_socket=by_socket, **more), autocommit=True)

    def execute(self, statements: str) -> None:
        """Run a script of any number of statements."""
        with self.connect() as conn:
            conn.execute(statements.encode())

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        with self.connect() as conn:
            return conn.execute(query.encode()).fetchall()

    def value(self, query: str) -> Any:
        """The first column of the first row of a query."""
        return self.rows(query)[0][0]

    def client_program(self, name: str) -> str:
        """The path of psql, pg_dump or pg_restore: the server's own, or the newest where it came without."""
        return with_program(name, self.server.installation).program(name)

    def program(self, name: str, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run psql, pg_dump or pg_restore with arguments: the server's own, or the newest where it came without; what
        becomes of it is not checked."""
        return subprocess.run(
            [self.client_program(name), *arguments],
            input=stdin,
            env=clean_environment({}),
            capture_output=True,
            text=True,
            check=False,
        )


@contextlib.contextmanager
def fresh_database(server: Server, prefix: str = "db") -> Iterator[Database]:
    """A new empty database, dropped at the end with whatever is still connected to it."""
    name = f"{prefix}_{next(Database._numbers)}"
    admin = Database(server, "postgres")
    with admin.connect() as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield Database(server, name)
    finally:
        if server.running:
            with admin.connect() as conn:
                conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
