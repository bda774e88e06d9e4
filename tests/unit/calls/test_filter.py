"""The two cheap questions: never no for a statement of ours, and no for nearly everything else."""

from __future__ import annotations

import pytest

from proxy.calls.filter import may_name_ours, names_ours
from proxy.calls.rewrite import rewrite

OURS = [
    "SELECT * FROM pgclone_jobs_view",
    "select PGCLONE_Progress(7)",
    "SELECT pgclone.schema_async('c', 's')",
    'SELECT "public" . "pgclone_version"()',
    'SELECT postgres.public.pgclone_version(), "a\\".pgclone.progress(7)',
    'SELECT U&"\\0070gclone_progress"(7)',
    "TABLE pgclone.jobs_view",
    "SELECT 1; SELECT pgclone_version()",
    "INSERT INTO pgclone_jobs_view VALUES (1)",
    "PREPARE p AS SELECT pgclone_version()",
]
NOT_OURS = [
    "SELECT 1",
    "SELECT 'pgclone_progress(7)'",
    'SELECT \'"relname":"pgclone_jobs_view"\', \'"funcname":[{"String":{"sval":"pgclone_x\'',
    "SELECT $$pgclone.progress$$ -- pgclone_version()",
    "SELECT 1 AS pgclone_progress",
    "SELECT * FROM t WHERE pgclone = 'pgclone_version()'",
    "SELECT pgclone_version( FROM",
    "EXECUTE p",
    "",
    "\ud800 pgclone",
]


@pytest.mark.parametrize("sql", OURS)
def test_ours(sql: str) -> None:
    assert may_name_ours(sql.encode(), prepared=False)
    assert names_ours(sql, prepared=frozenset())


@pytest.mark.parametrize("sql", NOT_OURS)
def test_not_ours(sql: str) -> None:
    assert not names_ours(sql, prepared=frozenset())
    assert rewrite(sql) == []


@pytest.mark.parametrize("sql", ["execute p(1)", "EXPLAIN EXECUTE p", 'CREATE TABLE t AS EXECUTE "p"'])
def test_execute_of_what_was_prepared(sql: str) -> None:
    assert may_name_ours(sql.encode(), prepared=True)
    assert not may_name_ours(sql.encode(), prepared=False)
    assert names_ours(sql, prepared=frozenset({"p"}))
    assert not names_ours(sql, prepared=frozenset({"q"}))


def test_bytes_of_any_encoding() -> None:
    assert may_name_ours("SELECT 'ソ', pgclone_version()".encode("shift_jis"), prepared=False)
    assert not may_name_ours(b"SELECT '\xff\x00'", prepared=False)
