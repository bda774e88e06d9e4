"""Roles that the configuration denies: every statement of ours is refused, all others pass."""

from __future__ import annotations

import psycopg
import pytest

from tests.harness.proxies import Proxies, connect
from tests.harness.servers import Server

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
