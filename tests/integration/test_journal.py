"""Where a job's journal may be, asked of a server."""

from __future__ import annotations

from clone_engine.servers.journal import PLACES
from tests.harness.servers import Database


def test_a_journal_is_not_made_where_another_role_could_exchange_it(target_database: Database) -> None:
    """It comes first of all schemas; its owner could drop the journal and make a table with a trigger instead."""
    with target_database.connect() as conn:
        conn.execute("BEGIN")
        conn.execute("CREATE ROLE pgclone_planter; CREATE ROLE pgclone_caller")
        conn.execute("CREATE SCHEMA aaa AUTHORIZATION pgclone_planter; CREATE SCHEMA own AUTHORIZATION pgclone_caller")
        conn.execute("GRANT CREATE ON SCHEMA aaa, public TO pgclone_caller; SET ROLE pgclone_caller")
        for schema_name, places in {"": ["own", "public"], "aaa": ["aaa", "own", "public"]}.items():
            answer = conn.execute(PLACES.encode(), (schema_name, schema_name)).fetchone()
            assert answer == (False, places)
        conn.execute("ROLLBACK")
