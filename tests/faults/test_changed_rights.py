"""Rights that are taken away in the middle of a clone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from proxy.embedded import Server
from tests.faults.stage import JOBS, Stage
from tests.harness.proxies import Proxies
from tests.harness.servers import Database

ROLE = "passing"


@pytest.fixture
def stage(proxies: Proxies, server: Server, source_database: Database, target_database: Database) -> Iterator[Stage]:
    target_database.execute(f"CREATE ROLE {ROLE} LOGIN; GRANT CREATE ON DATABASE {target_database.name} TO {ROLE}")
    yield Stage(source_database, target_database, proxies.start(server.conninfo()), ROLE)
    target_database.execute(f"DROP OWNED BY {ROLE} CASCADE; DROP ROLE {ROLE}")


def test_a_role_that_may_not_log_in_any_more(stage: Stage) -> None:
    job_id = stage.clone()
    stage.until_at_gates()
    stage.target.execute(f"ALTER ROLE {ROLE} NOLOGIN")
    print("  the role may not log in any more, and the job's sessions on the target are ended")
    stage.target.rows(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {JOBS} AND usename = '{ROLE}'")
    told = stage.ended(job_id)
    assert told.status == "failed" and "not permitted to log in" in told.message
    stage.target.execute(f"ALTER ROLE {ROLE} LOGIN")
    with stage.gate_open():
        assert stage.ended(stage.resume(job_id)).status == "completed"
    stage.assert_exactly()
