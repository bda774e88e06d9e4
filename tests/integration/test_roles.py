"""Roles that the configuration denies: every statement of ours is refused, all others pass.

A role that is allowed is so together with those that have its rights, for as long as they have them.
"""

from __future__ import annotations

import psycopg
import pytest
from psycopg import pq

from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Database, Server

STATEMENTS = (
    "SELECT * FROM pgclone_jobs_view",
    "SELECT pgclone_version()",
    "SELECT pgclone_cancel(1)",
    "SELECT pgclone_schema_async('host=127.0.0.1 port=1', 's')",
)


@pytest.mark.parametrize("lists", [{"deny_roles": ["postgres"]}, {"allow_roles": ["somebody"]}], ids=str)
def test_a_denied_role(proxies: Proxies, server: Server, lists: dict[str, list[str]]) -> None:
    with connect(proxies.start(server.conninfo(), {"jobs": lists})) as connection:
        for statement in STATEMENTS:
            for prepare in (False, True):
                with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
                    connection.execute(statement, prepare=prepare)
                assert caught.value.diag.message_hint
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with connect(proxies.start(server.conninfo(), {"jobs": {"allow_roles": ["postgres"]}})) as connection:
        assert connection.execute("SELECT count(*) FROM pgclone_jobs_view").fetchone() == (0,)


def test_who_has_the_rights_of_an_allowed_role_is_allowed(proxies: Proxies, server: Server) -> None:
    Database(server, "postgres").execute(
        "DROP ROLE IF EXISTS cloners, cloning; CREATE ROLE cloners; CREATE ROLE cloning LOGIN IN ROLE cloners"
    )
    proxy = proxies.start(server.conninfo(), {"jobs": {"allow_roles": ["cloners"]}})
    with connect(proxy, user="cloning") as connection:
        statement = "SELECT count(*) FROM pgclone_jobs_view"
        connection.pgconn.prepare(b"kept", statement.encode())
        assert connection.execute(statement).fetchone() == (0,)
        Database(server, "postgres").execute("REVOKE cloners FROM cloning")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)
        result = connection.pgconn.exec_prepared(b"kept", None)
        assert result.error_field(pq.DiagnosticField.SQLSTATE) == b"42501"
    with connect(proxy) as superuser:  # has the rights of all roles
        assert superuser.execute(statement).fetchone() == (0,)
