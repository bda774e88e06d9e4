"""What the rewriter says about a statement: kind, sites, sections, parameters, control, refusals.

That the rewritten text does the right thing is tests/integration/test_rewrite_on_server.py.
"""

from __future__ import annotations

import pytest

from clone_engine.records.errors import PgError
from proxy.calls.names import functions
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


def test_deep_nesting_is_forwarded() -> None:
    """pglast's nodes for this would overflow the C stack."""
    assert rewrite("SELECT pgclone_version()" + " UNION SELECT 1" * 20_000) == []


def test_a_string_of_very_many_tokens_is_left_to_the_server() -> None:
    assert rewrite("SELECT pgclone_version() WHERE true" + " AND true" * 100_001) == []
    assert rewrite("SELECT pgclone_version()" + "::text" * 5_000) == []


def test_long_chains_are_rewritten() -> None:
    assert len(one("SELECT pgclone_cancel(1)" + " UNION ALL SELECT pgclone_cancel(2)" * 900).sites) == 2
    assert one("SELECT pgclone_version()" + " || 'x'" * 900).kind == "read"


@pytest.mark.parametrize("sql", [case[3] for case in REFUSED if case[1] == "stored definition"])
def test_stored_definitions_are_left_to_a_server_with_stubs(sql: str) -> None:
    assert rewrite(sql, stubs=references(sql)) == []
    assert rewrite(f"{sql}; SELECT pgclone_jobs()", stubs=references(sql))[0].kind == "plain"
    view = Reference("view", None, "pgclone_jobs_view")
    # Every name has to be known to the server.
    with pytest.raises(PgError, match="stored definition"):
        rewrite("CREATE VIEW v AS SELECT pgclone.version() FROM pgclone_jobs_view", stubs=frozenset({view}))
