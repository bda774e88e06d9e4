"""Statements that name something of ours and cannot be rewritten: why, and what is advised."""

from __future__ import annotations

import pytest

from clone_engine.records.errors import PgError
from proxy.calls.names import functions
from proxy.calls.rewrite import Reference, references, rewrite
from tests.unit.calls.test_rewrite import one

PREPARED = {"p": one("PREPARE p AS SELECT pgclone_cancel($1)")}
REFUSED = [
    # SQLSTATE, what the message says, what the position points at ("" for none), statement
    ("55000", 'cannot modify view "pgclone_jobs_view"', "pgclone", "INSERT INTO pgclone_jobs_view VALUES (1)"),
    ("55000", 'cannot modify view "pgclone.jobs_view"', "pgclone", "UPDATE pgclone.jobs_view SET status = 'x'"),
    ("55000", "cannot modify view", "public", "WITH d AS (DELETE FROM public.pgclone_jobs_view RETURNING 1) TABLE d"),
    ("55000", "cannot modify view", "pgclone", "MERGE INTO pgclone_jobs_view USING t ON true WHEN MATCHED THEN DELETE"),
    ("42809", 'cannot copy from view "pgclone_jobs_view"', "", "COPY pgclone_jobs_view TO STDOUT"),
    ("42809", "cannot copy to view", "", "COPY pgclone_jobs_view FROM STDIN"),
    ("42601", "TABLESAMPLE", "pgclone", "SELECT * FROM pgclone_jobs_view TABLESAMPLE system (1)"),
    ("0A000", "stored definition", "pgclone", "CREATE VIEW v AS TABLE pgclone_jobs_view"),
    ("0A000", "stored definition", "pgclone", "CREATE MATERIALIZED VIEW v AS TABLE pgclone_jobs_view"),
    ("0A000", "stored definition", "pgclone", "CREATE TABLE t (a text DEFAULT pgclone_version())"),
    ("0A000", "stored definition", "pgclone", "CREATE RULE r AS ON INSERT TO t DO SELECT pgclone_cancel(1)"),
    ("0A000", "stored definition", "pgclone", "CREATE INDEX ON t (pgclone_version())"),
    ("0A000", "stored definition", "pgclone", "ALTER TABLE t ALTER a SET DEFAULT pgclone_version()"),
    ("0A000", "stored definition", "pgclone",
     "CREATE FUNCTION f() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT pgclone_version(); END"),
    ("0A000", "EXPLAIN ANALYZE", "pgclone", "EXPLAIN ANALYZE SELECT pgclone_cancel(1)"),
    ("0A000", "EXPLAIN ANALYZE", "pgclone", "EXPLAIN (ANALYZE 1, COSTS) SELECT pgclone_cancel(1)"),
    ("0A000", "EXPLAIN ANALYZE", "", "EXPLAIN ANALYZE EXECUTE p(1)"),
    ("0A000", "in a cursor", "pgclone", "DECLARE c CURSOR FOR SELECT pgclone_cancel(1)"),
    ("0A000", "in COPY", "pgclone", "COPY (SELECT pgclone_cancel(1)) TO STDOUT"),
    ("0A000", "in the arguments of CALL", "pgclone", "CALL p(pgclone_cancel(1))"),
    ("0A000", "nested", "pgclone_cancel", "SELECT pgclone_resume(length(pgclone_cancel(1)))"),
    ("0A000", "nested", "pgclone", "EXECUTE p(pgclone_resume(1))"),
    ("0A000", "only supported in FROM", "pgclone", "SELECT pgclone_progress_detail()"),
    ("0A000", "only supported in FROM", "pgclone", "SELECT pgclone_verify('c')"),
    ("0A000", "in a cursor", "pgclone", "DECLARE c CURSOR FOR SELECT * FROM pgclone_verify('c')"),
    ("0A000", "only supported in FROM", "pgclone", "SELECT (pgclone.progress_detail()).status"),
    ("0A000", "only supported in FROM", "pgclone", "SELECT * FROM pgclone_progress_detail() WITH ORDINALITY"),
    ("0A000", "only supported in FROM", "pgclone", "SELECT * FROM ROWS FROM (f(), pgclone_version())"),
    ("42809", "DISTINCT specified", "pgclone", "SELECT pgclone_cancel(DISTINCT 1)"),
    ("42809", "OVER specified", "pgclone", "SELECT pgclone_cancel(1) OVER ()"),
    ("42809", "VARIADIC", "pgclone", "SELECT pgclone_cancel(VARIADIC ARRAY[1])"),
    ("42883", "function pgclone_progress() does not exist", "pgclone", "SELECT 'é', pgclone_progress()"),
    ("42883", "function pgclone.cancel(integer, boolean) does not exist", "pgclone", "SELECT pgclone.cancel(7, true)"),
    ("42883", "function pgclone_cancel(nosuch => unknown) does not", "pgclone", "SELECT pgclone_cancel(nosuch => '7')"),
    ("42883", "function pgclone_cancel(numeric) does not exist", "pgclone", "SELECT pgclone_cancel(7.5)"),
    ("42883", "pgclone_cancel(integer, job_id => integer)", "pgclone", "SELECT pgclone_cancel(7, job_id => 7)"),
    ("42883", "function pgclone_version(text) does not exist", "pgclone", "SELECT pgclone_version('x'::text)"),
    ("42601", "used more than once", "job_id := 8", "SELECT pgclone_cancel(job_id => 7, job_id := 8)"),
    ("42601", "positional argument", "'s'", "SELECT pgclone_schema_async(source_conninfo => 'c', 's')"),
    ("42601", "wrong number of parameters", "", "EXECUTE p"),
]  # fmt: skip


@pytest.mark.parametrize("sqlstate, message, at, sql", REFUSED)
def test_refused(sqlstate: str, message: str, at: str, sql: str) -> None:
    with pytest.raises(PgError) as raised:
        rewrite(sql, prepared=PREPARED)
    error = raised.value
    assert (error.sqlstate, error.position) == (sqlstate, sql.index(at) + 1 if at else 0)
    assert message in error.message


@pytest.mark.parametrize("sql", ["EXECUTE p(1)", "CREATE TABLE t AS EXECUTE p(1)", "EXECUTE q(pgclone_cancel(1))"])
def test_execute_of_an_action_in_parse(sql: str) -> None:
    with pytest.raises(PgError, match="simple protocol only") as raised:
        rewrite(sql, prepared=PREPARED, extended=True)
    assert raised.value.sqlstate == "0A000"
    assert one("EXPLAIN EXECUTE p(1)", prepared=PREPARED, extended=True).kind == "read"


def test_wrong_arguments_have_the_declaration_as_hint() -> None:
    with pytest.raises(PgError) as raised:
        rewrite("SELECT pgclone.schema_async('c')")
    declared = (
        "pgclone.schema_async(source_conninfo text, schema_name text, include_data boolean DEFAULT true,"
        " options text DEFAULT NULL)"
    )
    assert raised.value.hint == f"It is declared as {declared}."


OVERLOADS = [
    ("pgclone_table('c', 's', 't')", 4),
    ("pgclone_table('c', 's', 't', false)", 4),
    ("pgclone.table('c', 's', 't', false, 'x')", 5),
    ("pgclone_table('c', 's', 't', false, NULL, '{}')", 6),
    ("pgclone_table(table_name => 't', schema_name => 's', source_conninfo => 'c')", 4),
    ("pgclone_table('c', 's', 't', target_table_name => 'x', include_data => true)", 5),
    ("pgclone_table('c', 's', 't', target_table_name => 'x', include_data => true, options => '')", 6),
    ("pgclone_table_ex('c', 's', 't', true, 'x')", 8),
    ("public.pgclone_table_ex('c', 's', 't', true, 'x', include_triggers => false)", 8),
    ("pgclone_schema('c', 's')", 3),
    ("pgclone_schema('c', 's', options => '{}', include_data => true)", 4),
    ("pgclone_schema_ex('c', 's', true, false)", 6),
]


@pytest.mark.parametrize("call, arguments", OVERLOADS)
def test_the_function_is_found_by_number_and_names_of_the_arguments(call: str, arguments: int) -> None:
    (site,) = one(f"SELECT {call}").sites
    assert len(site.signature.arguments) == len(site.arguments) == arguments
    assert site.signature.strict == (arguments < 5 and "options" not in call and "_ex" not in call)


@pytest.mark.parametrize(
    "call",
    [
        "pgclone_table('c', 's')",
        "pgclone_table('c', 's', 't', options => '{}')",
        "pgclone_table('c', 's', 't', true, NULL, NULL, NULL)",
        "pgclone_table_ex('c', 's', 't', true)",
        "pgclone_schema('c', 's', '{}'::text, true, 1)",
        "pgclone_schema_ex('c', 's')",
    ],
)
def test_a_call_that_fits_none_is_told_all_forms(call: str) -> None:
    with pytest.raises(PgError) as raised:
        rewrite(f"SELECT {call}")
    name = call.partition("(")[0]
    assert (raised.value.sqlstate, raised.value.position) == ("42883", 8)
    assert raised.value.hint.count(f"{name}(source_conninfo text, ") == len(functions(None, name))


@pytest.mark.parametrize("sql", [case[3] for case in REFUSED if case[1] == "stored definition"])
def test_stored_definitions_are_left_to_a_server_with_stubs(sql: str) -> None:
    assert rewrite(sql, stubs=references(sql)) == []
    assert rewrite(f"{sql}; SELECT pgclone_jobs()", stubs=references(sql))[0].kind == "plain"
    view = Reference("view", None, "pgclone_jobs_view")
    # Every name has to be known to the server.
    with pytest.raises(PgError, match="stored definition"):
        rewrite("CREATE VIEW v AS SELECT pgclone.version() FROM pgclone_jobs_view", stubs=frozenset({view}))
