"""A server whose roles log in in different ways, and the ways in which clients do."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable, Mapping
from typing import NamedTuple

import asyncpg
import psycopg
from psycopg.conninfo import conninfo_to_dict

from proxy.embedded import Server
from proxy.installations import Installation
from tests.harness.servers import Database, Servers

PASSWORD = "canary-pässwörd 5b1e"
LOGINS = {
    "lg_trusted": "trust",
    "lg_clear": "password",
    "lg_md5": "md5",
    "lg_scram": "scram-sha-256",
}
"""Roles, and how pg_hba.conf has them log in over TCP."""
ASKED = tuple(role for role, method in LOGINS.items() if method != "trust")

HBA = "\n".join(
    (
        *(f"host all {role} 127.0.0.1/32 {method}" for role, method in LOGINS.items()),
        "host all lg_rejected 127.0.0.1/32 reject",
        "local all lg_peer peer map=of_the_tests",
        "local all all scram-sha-256",
        "host all all 127.0.0.1/32 scram-sha-256",
        "host replication all 127.0.0.1/32 scram-sha-256",
    )
)
ROLES = f"""
    DROP ROLE IF EXISTS lg_trusted, lg_clear, lg_md5, lg_scram, lg_rejected, lg_peer, lg_nologin, lg_expired;
    CREATE ROLE lg_trusted LOGIN;
    CREATE ROLE lg_clear LOGIN PASSWORD '{PASSWORD}';
    CREATE ROLE lg_scram LOGIN REPLICATION PASSWORD '{PASSWORD}';
    CREATE ROLE lg_rejected LOGIN PASSWORD '{PASSWORD}';
    CREATE ROLE lg_peer LOGIN;
    CREATE ROLE lg_nologin NOLOGIN PASSWORD '{PASSWORD}';
    CREATE ROLE lg_expired LOGIN PASSWORD '{PASSWORD}' VALID UNTIL '2001-01-01';
    SET password_encryption = 'md5';
    CREATE ROLE lg_md5 LOGIN PASSWORD '{PASSWORD}';
"""


def with_roles(
    servers: Servers, installation: Installation | None = None, settings: Mapping[str, str] | None = None
) -> Server:
    """The server, whose roles are there."""
    server = servers.get(installation, auth="scram-sha-256", name="logins", settings=settings)
    postgres = Database(server, "postgres")
    postgres.execute(ROLES)
    (server.data / "pg_hba.conf").write_text(HBA + "\n")
    (server.data / "pg_ident.conf").write_text(f"of_the_tests {getpass.getuser()} lg_peer\n")
    postgres.execute("SELECT pg_reload_conf()")
    return server


def verifier(server: Server, role: str) -> str:
    """What the server keeps of a role's password."""
    kept = Database(server, "postgres").value(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'")
    assert isinstance(kept, str)
    return kept


class Refused(NamedTuple):
    """What a client is told that does not get in."""

    sqlstate: str
    message: str


def by_libpq(conninfo: str) -> str | Refused:
    """The role as which libpq gets in."""
    try:
        with psycopg.connect(conninfo) as connection:
            return _text(connection.execute("SELECT current_user").fetchone())
    except psycopg.OperationalError as error:
        # libpq does not tell the SQLSTATE of a refused login.
        return Refused("", str(error).partition("FATAL:")[2].strip() or str(error))


def by_asyncpg(conninfo: str) -> str | Refused:
    """The role as which asyncpg gets in."""
    given = {k: str(v) for k, v in conninfo_to_dict(conninfo).items() if v is not None}

    async def role() -> str:
        connection = await asyncpg.connect(
            host=given["host"],
            port=int(given["port"]),
            user=given["user"],
            database=given["dbname"],
            password=given.get("password"),
            ssl=given.get("sslmode", "disable"),
        )
        try:
            return str(await connection.fetchval("SELECT current_user"))
        finally:
            await connection.close()

    try:
        return asyncio.run(role())
    except asyncpg.PostgresError as error:
        return Refused(error.sqlstate or "", str(error))


def _text(row: tuple[object, ...] | None) -> str:
    assert row is not None
    return str(row[0])


CLIENTS: dict[str, Callable[[str], str | Refused]] = {"libpq": by_libpq, "asyncpg": by_asyncpg}
