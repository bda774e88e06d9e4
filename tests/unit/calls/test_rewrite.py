"""What the rewriter says about a statement: kind, sites, sections, parameters, control.  Refusals: `test_refused.py`.

That the rewritten text does the right thing is tests/integration/test_rewrite_on_server.py.
"""

from __future__ import annotations

import pytest

from clone_engine.records.errors import PgError
from proxy.calls.rewrite import Reference, Rewritten, join, references, rewrite

VIEW = Reference("view", None, "pgclone_jobs_view")
VERSION = Reference("function", None, "pgclone_version")


def one(sql: str, **known: object) -> Rewritten:
    (statement,) = rewrite(sql, **known)  # type: ignore[arg-type]  # the table of a test
    return statement


@pytest.mark.parametrize(
    "sql, kind, sections, parameters",
    [
        ("SELECT * FROM pgclone_jobs_view WHERE job_id = $3", "read", "j", 3),
        ("SELECT * FROM pgclone_progress_detail()", "read", "d", 0),
        ("SELECT pgclone_progress($1), '$9', $2", "read", "p", 2),
        ("SELECT pgclone_version() FROM pgclone.jobs_view, pgclone.jobs()", "read", "jlv", 0),
        ("SELECT pgclone_cancel(job_id) FROM pgclone_jobs_view", "action", "j", 0),
        ("SELECT pgclone_progress(pgclone_resume(1))", "action", "p", 0),
        ("SELECT * FROM pgclone.verify($1)", "action", "", 1),
        ("EXPLAIN SELECT pgclone_cancel(1)", "read", "", 0),
        ("EXPLAIN (ANALYZE false, VERBOSE) SELECT pgclone_cancel($1)", "read", "", 1),
        ("EXPLAIN ANALYZE SELECT pgclone_version()", "read", "v", 0),
        ("EXECUTE whatever(pgclone_version())", "read", "v", 0),
        ("EXECUTE whatever(pgclone_cancel(1))", "action", "", 0),
        ("CALL p(pgclone_version())", "read", "v", 0),
        ("CREATE TABLE x AS SELECT pgclone_clear_jobs()", "action", "", 0),
    ],
)
def test_kinds(sql: str, kind: str, sections: str, parameters: int) -> None:
    statement = one(sql)
    assert (statement.kind, statement.sections, statement.parameters) == (kind, frozenset(sections), parameters)
    assert bool(statement.sites) == (kind == "action")


@pytest.mark.parametrize(
    "sql, parameter_ok",
    [
        ("SELECT pgclone_version()", True),
        ("DECLARE c CURSOR FOR TABLE pgclone_jobs_view", True),
        ("CREATE TABLE t AS TABLE pgclone_jobs_view", True),
        ("EXPLAIN TABLE pgclone_jobs_view", True),
        ("COPY (TABLE pgclone_jobs_view) TO STDOUT", False),
        ("EXECUTE p(pgclone_version())", False),
        ("PREPARE p AS SELECT pgclone_version()", False),
    ],
)
def test_data_as_parameter(sql: str, parameter_ok: bool) -> None:
    assert one(sql).parameter_ok == parameter_ok


def test_sites() -> None:
    statement = one(
        "SELECT pgclone_schema_async(schema_name => x, source_conninfo => 'c'), pgclone_cancel(f(1)) FROM t"
    )
    first, second = statement.sites
    assert (first.index, first.signature.name, first.harmless) == (0, "schema_async", True)
    assert first.arguments == ("schema_name", "source_conninfo", "include_data", "options")
    assert (second.index, second.arguments, second.harmless) == (1, ("job_id",), False)


@pytest.mark.parametrize(
    "argument, harmless",
    [("b || 'x'", True), ("upper(b)", True), ("random()::text", False), ("CURRENT_TIMESTAMP::text", False),
     ("(SELECT max(now())::text)", False), ("$1", True)],
)  # fmt: skip
def test_harmless_arguments(argument: str, harmless: bool) -> None:
    assert one(f"SELECT pgclone_schema_async('c', {argument}) FROM t").sites[0].harmless == harmless


def test_equal_calls_are_one_site() -> None:
    statement = one(
        "SELECT pgclone_cancel(a), pgclone_cancel(b) FROM t GROUP BY pgclone_cancel( a ), pgclone_cancel(b)"
    )
    assert len(statement.sites) == 2


def test_several_statements() -> None:
    sql = (
        "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY; /* é */ TABLE pgclone_jobs_view;; SELECT nosuch; COMMIT -- end"
    )
    statements = rewrite(sql)
    assert [(s.kind, s.control) for s in statements] == [
        ("plain", "BEGIN"), ("read", ""), ("plain", ""), ("plain", "COMMIT"),
    ]  # fmt: skip
    assert statements[0].modes == "ISOLATION LEVEL SERIALIZABLE, READ ONLY"
    whole = join(statement.render("$1") for statement in statements)
    assert whole.text.startswith("BEGIN") and whole.text.endswith("; SELECT nosuch; COMMIT -- end")
    assert whole.client_position(whole.text.index("nosuch") + 1) == sql.index("nosuch") + 1
    alone = statements[2].render("$1")
    assert alone.client_position(alone.text.index("nosuch") + 1) == sql.index("nosuch") + 1


@pytest.mark.parametrize(
    "sql, control",
    [
        ("START TRANSACTION", "BEGIN"), ("END", "COMMIT"), ("ABORT", "ROLLBACK"), ("SAVEPOINT a", "SAVEPOINT"),
        ("RELEASE a", "RELEASE"), ("ROLLBACK TO a", "ROLLBACK TO"), ("COMMIT AND CHAIN", "COMMIT AND CHAIN"),
        ("PREPARE TRANSACTION 'x'", "PREPARE TRANSACTION"), ("VACUUM", ""), ("SET TRANSACTION READ ONLY", ""),
    ],
)  # fmt: skip
def test_control(sql: str, control: str) -> None:
    assert rewrite(f"{sql}; SELECT pgclone_version()")[0].control == control


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SELECT pgclone_nosuch(1), pgclone.nosuch(), other.pgclone_version(), a.b.public.pgclone_version()",
        'SELECT "PgClone_Version"(), pgclone_version',
        "SELECT * FROM other.pgclone_jobs_view, a.other.pgclone_jobs_view, jobs_view",
        "SELECT pgclone.version FROM pgclone",
        "WITH pgclone_jobs_view AS (SELECT 1) TABLE pgclone_jobs_view",
        "SELECT public.pgclone_jobs_view.job_id FROM t AS pgclone_jobs_view",
        "CREATE TABLE pgclone_jobs_view (a int)",
        "SELECT 1 INTO pgclone_jobs_view",
        "DROP VIEW pgclone_jobs_view",
        "GRANT SELECT ON pgclone_jobs_view TO public",
        "LOCK TABLE pgclone_jobs_view",
        "COMMENT ON VIEW pgclone_jobs_view IS 'pgclone_version()'",
        "CREATE FUNCTION pgclone_version() RETURNS text LANGUAGE sql AS 'SELECT 1'",
        "DROP FUNCTION pgclone_version()",
        "DO $$BEGIN PERFORM pgclone_version(); END$$",
        "CALL pgclone_schema_async('c', 'x')",
        "EXECUTE p",
        "SELECT pgclone_version(); SELEC 1",
        "SELECT pgclone_version() \ud800",
    ],
)
def test_left_to_the_server(sql: str) -> None:
    assert rewrite(sql) == []


def test_several_statements_in_parse_are_left_to_the_server() -> None:
    assert rewrite("SELECT 1; SELECT pgclone_version()", extended=True) == []


def test_names_of_the_users_own() -> None:
    sql = "SELECT pgclone_version() FROM pgclone_jobs_view"
    assert references(sql) == {VIEW, VERSION}
    assert rewrite(sql, left_alone=frozenset({VIEW, VERSION})) == []
    text = one(sql, left_alone=frozenset({VIEW})).render("$1").text
    assert text.endswith("FROM pgclone_jobs_view")
    text = one(sql, left_alone=frozenset({VERSION})).render("$1").text
    assert text.startswith("SELECT pgclone_version() FROM (")
    assert rewrite("DELETE FROM pgclone_jobs_view", left_alone=frozenset({VIEW})) == []


def test_queries_are_rewritten_with_stubs_too() -> None:
    sql = "CREATE TABLE t AS SELECT pgclone_version() FROM pgclone_jobs_view"
    assert one(sql, stubs=references(sql)).kind == "read"


def test_references() -> None:
    sql = "INSERT INTO public.pgclone_jobs_view SELECT pgclone.cancel(1); COPY pgclone.jobs_view TO STDOUT"
    assert references(sql) == {
        Reference("view", "public", "pgclone_jobs_view"),
        Reference("function", "pgclone", "cancel"),
        Reference("view", "pgclone", "jobs_view"),
    }
    assert references("SELECT pgclone_version(") == frozenset()


def test_names_with_a_database() -> None:
    sql = 'SELECT "a.b".public.pgclone_jobs_view.status, a.pgclone.version() FROM a.public.pgclone_jobs_view'
    view, version = (
        Reference("view", "public", "pgclone_jobs_view", "a"),
        Reference("function", "pgclone", "version", "a"),
    )
    elsewhere = Reference("view", "public", "pgclone_jobs_view", "a.b")
    assert references(sql) == {view, version, elsewhere}
    text = one(sql).render("$1").text
    assert text.startswith('SELECT "pgclone_jobs_view".status, ') and text.endswith(') AS "pgclone_jobs_view"')
    text = one(sql, left_alone=frozenset({version, elsewhere})).render("$1").text
    assert text.startswith('SELECT "a.b".public.pgclone_jobs_view.status, a.pgclone.version() FROM (')


def test_prepare_and_execute() -> None:
    prepare = one("PREPARE p (int) AS SELECT pgclone_cancel($1), $2::text")
    assert (prepare.kind, prepare.prepare_name, prepare.sections) == ("read", "p", frozenset())
    assert prepare.prepares and prepare.prepares.kind == "action"
    text = prepare.render("never seen").text
    assert text.startswith("PREPARE p (int, unknown, pg_catalog.jsonb) AS") and "$3::pg_catalog.jsonb" in text
    known = {"p": prepare}
    execute = one("EXECUTE p(7, 'x')", prepared=known)
    assert (execute.kind, execute.execute_name, execute.sites) == ("action", "p", prepare.prepares.sites)
    assert execute.render("D").text == "EXECUTE p(7, 'x', D)"
    explain = one("EXPLAIN EXECUTE p(7, 'x')", prepared=known)
    assert (explain.kind, explain.sites, explain.execute_name) == ("read", (), "p")
    created = one("CREATE TABLE execute AS EXECUTE P (7, 'x') WITH NO DATA", prepared=known)
    assert created.render("D").text == "CREATE TABLE execute AS EXECUTE P (7, 'x', D) WITH NO DATA"
    assert rewrite("EXECUTE q(7, 'x')", prepared=known) == []


@pytest.mark.parametrize(
    "name, written", [("p", "p"), ("execute", "execute"), ('a "b', '"a ""b"'), ("p", 'U&"\\0070"')]
)
def test_execute_without_arguments(name: str, written: str) -> None:
    prepare = one(f"PREPARE {written} AS SELECT count(*) FROM pgclone_jobs_view")
    assert prepare.prepare_name == name
    execute = one(f"EXECUTE {written} -- end", prepared={name: prepare})
    assert execute.render("D").text == f"EXECUTE {written}(D) -- end"
    assert (execute.kind, execute.sections) == ("read", frozenset("j"))


def test_prepare_and_execute_in_one_string() -> None:
    prepare, execute = rewrite("PREPARE p AS SELECT pgclone_cancel($1); EXECUTE p(7)")
    assert (prepare.kind, execute.kind) == ("read", "action")
    *_, last = rewrite("PREPARE p AS SELECT pgclone_cancel($1); DEALLOCATE ALL; EXECUTE p(7)")
    assert last.kind == "plain"


def test_void_parameters_are_dropped() -> None:
    statement = one("SELECT * FROM pgclone_schema_async($1, $2, 's') AS result", void_parameters=frozenset({1}))
    assert "$1" not in statement.render("D").text
    assert (statement.parameters, statement.sites[0].arguments[:2]) == (2, ("source_conninfo", "schema_name"))
    assert one("SELECT pgclone_cancel(7, $1)", void_parameters=frozenset({1})).kind == "action"


def test_old_strings() -> None:
    assert one("SELECT pgclone_version(), 'a'", old_strings=True).kind == "read"
    with pytest.raises(PgError, match="standard_conforming_strings"):
        rewrite(r"SELECT pgclone_version(), 'a\b'", old_strings=True)
    assert rewrite(r"SELECT 'a\b'", old_strings=True) == []


def test_deep_nesting_is_forwarded() -> None:
    """pglast's nodes for this would overflow the C stack."""
    assert rewrite("SELECT pgclone_version()" + " UNION SELECT 1" * 20_000) == []


def test_a_string_of_very_many_tokens_is_left_to_the_server() -> None:
    assert rewrite("SELECT pgclone_version() WHERE true" + " AND true" * 100_001) == []
    assert rewrite("SELECT pgclone_version()" + "::text" * 5_000) == []


def test_long_chains_are_rewritten() -> None:
    assert len(one("SELECT pgclone_cancel(1)" + " UNION ALL SELECT pgclone_cancel(2)" * 900).sites) == 2
    assert one("SELECT pgclone_version()" + " || 'x'" * 900).kind == "read"
