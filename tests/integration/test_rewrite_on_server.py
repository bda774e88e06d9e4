"""Statements as a server with real functions and a real view runs them, and as a bare server runs them rewritten.

Both are asked the same, on every version there is: rows, names and types of columns, which calls were made, errors and
where they point must agree.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import psycopg
import pytest

from proxy.calls.rewrite import rewrite
from proxy.calls.signatures import FUNCTIONS, VIEW_COLUMNS, Signature
from proxy.installations import installations
from tests.harness.corpus.recorder import one_row
from tests.harness.servers import Database, Servers, fresh_database
from tests.integration.two_passes import PROGRESS, SNAPSHOT, Outcome, Parameters, TwoPasses, outcome, plain, send

COLUMNS = ", ".join(f"{name} {type_}" for name, type_ in VIEW_COLUMNS)


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


SNAPSHOT_SQL = literal(json.dumps(SNAPSHOT)) + "::jsonb"
BODIES = {
    "progress": f"""
        SELECT d ->> job_id::text INTO result FROM (SELECT {SNAPSHOT_SQL} -> 'p') t(d);
        IF result IS NULL THEN RAISE 'pgclone: job % not found', job_id USING ERRCODE = 'P0002'; END IF;
        RETURN result;""",
    "jobs": f"RETURN {SNAPSHOT_SQL} ->> 'l';",
    "version": f"RETURN {SNAPSHOT_SQL} ->> 'v';",
}


def definition(signature: Signature) -> str:
    """The function as an extension would create it; an action only counts, like the two passes."""
    arguments = ", ".join(map(str, signature.arguments))
    if signature.columns and signature.role == "action":
        columns = ", ".join(map(" ".join, signature.columns))
        given = ", ".join(f"${number}" for number in range(1, len(signature.arguments) + 1))
        record = f"INSERT INTO calls(call) VALUES (jsonb_build_array('{signature.name}', {given})::text)"
        rows = literal(json.dumps([one_row(signature)]))
        query = f"{record}; SELECT * FROM jsonb_to_recordset({rows}) AS t({columns})"
        return (
            f"CREATE FUNCTION {signature.flat}({arguments}) RETURNS TABLE ({columns}) LANGUAGE sql STRICT VOLATILE"
            " SET search_path = public AS " + literal(query)
        )
    if signature.columns:
        return (
            f"CREATE FUNCTION {signature.flat}() RETURNS TABLE ({COLUMNS}) LANGUAGE sql STRICT VOLATILE"
            " SET search_path = public AS "
            + literal(f"SELECT * FROM jsonb_to_recordset({SNAPSHOT_SQL} -> 'd') AS t({COLUMNS})")
        )
    given = ", ".join(a.name for a in signature.arguments)
    record = f"INSERT INTO calls(call) VALUES (jsonb_build_array('{signature.name}', {given or 'NULL'})::text);"
    result = "nextval('job_numbers')" if signature.returns == "integer" else "'OK'"
    body = BODIES.get(signature.name, f"{record} RETURN {result};")
    return (
        f"CREATE FUNCTION {signature.flat}({arguments}) RETURNS {signature.returns} LANGUAGE plpgsql "
        f"{'STRICT' if signature.strict else ''} VOLATILE "
        "SET search_path = public, pg_catalog SET standard_conforming_strings = on AS "
        + literal(f"#variable_conflict use_column\nDECLARE result text; BEGIN {body} END")
    )


REAL = "\n".join(
    [
        "CREATE SEQUENCE job_numbers START 101; CREATE TABLE calls (number serial, call text);",
        *(definition(signature) + ";" for signature in FUNCTIONS),
        "CREATE VIEW pgclone_jobs_view AS SELECT * FROM pgclone_progress_detail();",
    ]
)
OWN = """
    CREATE TABLE t (a int, b text); INSERT INTO t SELECT i, 'x' || i FROM generate_series(1, 3) i;
    CREATE TABLE filled (job int NOT NULL UNIQUE CHECK (job > 0), name text);
"""


class Sides(NamedTuple):
    """One connection to a database with nothing in it of pgclone, and one to a database with all of it."""

    bare: psycopg.Connection[Any]
    real: psycopg.Connection[Any]


@pytest.fixture(scope="module", params=installations(), ids=lambda each: str(each.major))
def databases(request: pytest.FixtureRequest, servers: Servers) -> Iterator[tuple[Database, Database]]:
    server = servers.get(request.param)
    with fresh_database(server, "bare") as bare, fresh_database(server, "real") as real:
        bare.execute(OWN)
        real.execute(OWN + REAL)
        yield bare, real


@pytest.fixture
def sides(databases: tuple[Database, Database]) -> Iterator[Sides]:
    """Both in a transaction that is rolled back."""
    with databases[0].connect() as bare, databases[1].connect() as real:
        yield Sides(bare, real)


def both(sides: Sides, sql: str, parameters: Parameters = None) -> tuple[Outcome, Outcome]:
    """The outcomes of one string on both sides; checks that the same calls were made, unless it failed."""
    passes = TwoPasses(sides.bare.pgconn)
    sides.bare.execute("TRUNCATE filled")
    sides.real.execute("TRUNCATE calls, filled; SELECT setval('job_numbers', 101, false)")
    rewritten = passes.run(sql, parameters)
    real = outcome(lambda: send(sides.real.pgconn, plain(sql), parameters))
    if not real.sqlstate:
        recorded = sides.real.execute("SELECT call FROM calls ORDER BY number").fetchall()
        calls = [[call.signature.name, *(call.arguments.values() or [None])] for call in passes.performed]
        assert calls == [json.loads(call) for (call,) in recorded]
    return rewritten, real


SAME = [
    # the view
    "SELECT * FROM pgclone_jobs_view ORDER BY job_id",
    "TABLE pgclone_jobs_view LIMIT 1",
    "TABLE ONLY pgclone_jobs_view ORDER BY 1 DESC",
    "SELECT job_id FROM ONLY (public.pgclone_jobs_view) WHERE status = 'running'",
    "SELECT v.a, v.status FROM pgclone_jobs_view * v(a, status) WHERE a = 8",
    'SELECT "public"."pgclone_jobs_view"."status", public.pgclone_jobs_view.* FROM "public"."pgclone_jobs_view"'
    " ORDER BY public.pgclone_jobs_view.job_id",
    "SELECT row_to_json(v)::text FROM pgclone_jobs_view v ORDER BY job_id",
    "SELECT v::text FROM pgclone_jobs_view v ORDER BY v",
    "WITH pgclone_jobs_view AS (SELECT count(*) c FROM pgclone_jobs_view) SELECT c FROM pgclone_jobs_view",
    "WITH RECURSIVE pgclone_jobs_view AS (SELECT 1 AS c UNION ALL SELECT c + 1 FROM pgclone_jobs_view WHERE c < 3)"
    " SELECT c FROM pgclone_jobs_view",
    "WITH pgclone_jobs_view AS (SELECT 1 c) SELECT job_id, c FROM public.pgclone_jobs_view v, pgclone_jobs_view",
    "WITH a AS (SELECT 1), b AS (WITH pgclone_jobs_view AS (SELECT 2 AS job_id) TABLE pgclone_jobs_view)"
    " SELECT v.job_id FROM pgclone_jobs_view v, b WHERE v.job_id > b.job_id ORDER BY 1",
    "(SELECT job_id FROM pgclone_jobs_view) UNION ALL (SELECT job_id FROM pgclone_jobs_view) ORDER BY 1 LIMIT 3",
    "TABLE pgclone_jobs_view EXCEPT TABLE pgclone_jobs_view",
    "SELECT i, v.status FROM generate_series(6, 8) i LEFT JOIN (pgclone_jobs_view AS v) ON v.job_id = i ORDER BY 1",
    "SELECT k.i, (SELECT status FROM pgclone_jobs_view WHERE job_id = k.i) FROM generate_series(6, 8) k(i) ORDER BY 1",
    "SELECT job_id FROM pgclone_jobs_view WHERE job_id = 7 FOR UPDATE",
    "SELECT job_id FROM pgclone_jobs_view WHERE job_id = 7 FOR UPDATE OF pgclone_jobs_view NOWAIT",
    "SELECT exists(SELECT FROM pgclone_jobs_view), array(SELECT job_id FROM pgclone_jobs_view ORDER BY 1)",
    "SELECT pgclone_jobs_view.a FROM (SELECT 3 AS a) pgclone_jobs_view",
    "COPY (SELECT job_id FROM pgclone_jobs_view) TO STDOUT",
    "INSERT INTO t SELECT job_id, status FROM pgclone_jobs_view RETURNING a, b",
    "UPDATE t SET b = v.status FROM pgclone_jobs_view v WHERE t.a = v.job_id RETURNING t.*",
    "DELETE FROM t USING public.pgclone_jobs_view v WHERE t.a = v.job_id RETURNING v.job_id",
    "MERGE INTO t USING pgclone_jobs_view ON a = job_id WHEN NOT MATCHED THEN INSERT VALUES (job_id, status)",
    "DELETE FROM t WHERE a > 6",
    # names of columns
    "SELECT pgclone_progress(7), public.pgclone_progress(8), pgclone_progress(7) x, pgclone_progress(8) AS y",
    "SELECT pgclone_progress(7)::jsonb, CAST(pgclone_progress(7) AS json)::text, (pgclone_progress(7))",
    "SELECT pgclone_progress(7) COLLATE \"C\", (pgclone_progress(7)::jsonb)['job_id']",
    "SELECT CASE WHEN false THEN 'x' ELSE pgclone_progress(7) END, CASE WHEN true THEN pgclone_progress(7) END",
    "SELECT CASE WHEN 1 IS DISTINCT FROM 2 THEN '' ELSE CASE WHEN true THEN 'a' ELSE pgclone_version() END END FROM t",
    "SELECT pgclone_progress(7) IS DISTINCT FROM 'x', pgclone_progress(7) || 'x', upper(pgclone_progress(7))",
    "SELECT coalesce(pgclone_progress(7), ''), NOT pgclone_progress(7) IS NULL, -length(pgclone_version())",
    "SELECT '2020-01-01'::timestamp with time zone, pgclone_version()::text, (SELECT pgclone_version())",
    "SELECT 'x' || left(pgclone_version(), 0)::text, (SELECT pgclone_version() UNION SELECT pgclone_version())",
    "SELECT pgclone_version() /* pgclone_version(), */ , -- , FROM\n pgclone_version() -- end",
    "SELECT pgclone_progress /* c( */ ( 7 -- ) end\n )",
    "SELECT DISTINCT pgclone_progress(job_id) FROM pgclone_jobs_view ORDER BY pgclone_progress(job_id)",
    "SELECT pgclone_progress(job_id) FROM pgclone_jobs_view GROUP BY pgclone_progress(job_id)"
    " ORDER BY pgclone_progress(job_id)",
    "SELECT pgclone_progress(7) UNION SELECT 'b' ORDER BY pgclone_progress",
    "SELECT * FROM (SELECT pgclone_progress(7)) s",
    "INSERT INTO t VALUES (9, pgclone_version()) RETURNING pgclone_version()",
    "UPDATE t SET b = pgclone_version() WHERE a = 9 RETURNING pgclone_version(), a",
    "DELETE FROM t WHERE b = pgclone_version() RETURNING pgclone_version()::text",
    "VALUES (pgclone_version())",
    # arguments
    "SELECT pgclone_progress(job_id => 7), pgclone_progress(job_id := 8)",
    "SELECT pgclone_progress(min(job_id))::json->>'job_id' FROM pgclone_jobs_view",
    "SELECT pgclone_progress((pgclone_progress(7)::json->>'job_id')::int)",
    "SELECT pgclone_progress(NULL), pgclone_progress(CASE WHEN true THEN NULL ELSE 7 END)",
    "SELECT pgclone_progress(k[2]) FROM (VALUES (ARRAY[1, 7])) v(k)",
    "SELECT i, CASE WHEN i IN (7, 8) THEN pgclone_progress(i) END FROM generate_series(1, 8) i ORDER BY i",
    "SELECT job_id FROM pgclone_jobs_view WHERE pgclone_progress(job_id) LIKE '%running%'",
    'SELECT U&"\\0070gclone_progress"(7), U&"!0070gclone_version" UESCAPE \'!\' ()',
    "SELECT PGCLONE_Version() AS v",
    # functions in FROM
    "SELECT * FROM pgclone_progress(7)",
    "SELECT * FROM pgclone_progress(7) AS p",
    "SELECT * FROM pgclone_progress(7) AS p(c)",
    "SELECT p, p.p, pgclone_version FROM pgclone_progress(7) p, pgclone_version()",
    "SELECT v.job_id, p FROM pgclone_jobs_view v, LATERAL pgclone_progress(v.job_id) p ORDER BY 1",
    "SELECT i, p FROM generate_series(7, 8) i LEFT JOIN pgclone_progress(i) p ON true ORDER BY 1",
    "SELECT * FROM pgclone_progress_detail() ORDER BY 1",
    "SELECT d.a, d.status FROM public.pgclone_progress_detail() AS d(a) ORDER BY 1",
    "SELECT pgclone_progress_detail FROM pgclone_progress_detail() ORDER BY job_id",
    "SELECT i, d.job_id FROM t, LATERAL pgclone_progress_detail() d, generate_series(1, a) i WHERE a < 3 ORDER BY 1, 2",
    "SELECT * FROM ROWS FROM (generate_series(1, 2), unnest(ARRAY[pgclone_version()])) WITH ORDINALITY",
    # actions
    "SELECT pgclone_schema_async('c', 'sales', true)",
    "SELECT pgclone_schema_async('c', 'sales', true, '{\"parallel\": 4}')",
    "SELECT pgclone_schema_async(schema_name => 'n', include_data => false, source_conninfo => 'c')",
    "SELECT pgclone_table_async('c', 's', 't', target_table_name := 'é''\\', options => NULL) AS j",
    "SELECT pgclone_table_async('c', 's', 't', NULL)",
    "SELECT pgclone_clear_jobs(), pgclone_resume(7), pgclone_cancel(8)",
    "SELECT pgclone_cancel(NULL), pgclone_cancel(7)",
    "SELECT a, pgclone_table_async('c', 's', b) FROM t ORDER BY a",
    "SELECT coalesce(pgclone_schema_async('c', 'a'), pgclone_schema_async('c', 'b'))",
    "SELECT coalesce(1, pgclone_schema_async('c', 'a')), CASE WHEN false THEN pgclone_schema_async('c', 'a') END",
    "SELECT pgclone_schema_async('c', b) FROM t WHERE false",
    "SELECT pgclone_schema_async('c', b) FROM t LIMIT 0",
    "SELECT pgclone_schema_async('c', b) FROM t LIMIT 2",
    "SELECT b, j FROM t, pgclone_schema_async('c', b) j ORDER BY b",
    "SELECT i, j FROM generate_series(1, 3) i LEFT JOIN pgclone_schema_async('c', 'once') j ON true ORDER BY i",
    "SELECT i, j FROM generate_series(1, 3) i CROSS JOIN pgclone_schema_async('c', 'once') AS j(n)",
    "SELECT * FROM pgclone_schema_async('c', 'x') WHERE pgclone_schema_async > 0",
    "WITH q AS (SELECT pgclone_schema_async('c', 'cte') j) SELECT 1",
    "WITH q AS (SELECT pgclone_schema_async('c', 'cte') j) SELECT j, j FROM q",
    "SELECT pgclone_schema_async('c', 'one'), pgclone_schema_async('c', 'one')",
    "SELECT pgclone_cancel(a) FROM t GROUP BY pgclone_cancel(a) ORDER BY pgclone_cancel(a)",
    "SELECT pgclone_schema_async('c', 'a, b) -- no', /* x, y) */ true -- tail )\n ) > 0",
    "SELECT pgclone_schema_async('c', max(relname::text)) > 0 FROM pg_class HAVING count(*) < 1",
    "INSERT INTO filled SELECT pgclone_table_async('c', 's', b), b FROM t ORDER BY a RETURNING job, name",
    "INSERT INTO filled VALUES (pgclone_schema_async('c', 'x'), 'x') RETURNING *",
    "UPDATE t SET b = b || pgclone_cancel(a) WHERE a = 1 RETURNING a, pgclone_resume(a)",
    "CREATE TEMP TABLE started AS SELECT pgclone_schema_async('c', 'ctas') AS j",
    "SELECT pgclone_progress(pgclone_schema_async('c', 'x') - 94)",
    "SELECT count(pgclone_cancel(a)), pgclone_cancel(7) FROM t",
    "SELECT 1 FROM t WHERE pgclone_cancel(a) = 'OK' ORDER BY a FETCH FIRST (length(pgclone_cancel(1))) ROWS ONLY",
    "SELECT sum(a) OVER (ORDER BY pgclone_resume(a)) FROM t",
    "EXPLAIN (COSTS OFF, ANALYZE off) SELECT 1 WHERE false AND pgclone_cancel(7) IS NULL",
    # actions with rows
    "SELECT * FROM pgclone_verify('c')",
    "SELECT v.*, pgclone_verify FROM public.pgclone_verify(schema_name => 's', source_conninfo => 'c'), (SELECT 1) v",
    "SELECT d.a, d.match FROM pgclone_verify('c', NULL) AS d(a)",
    "SELECT a, v.source_rows, match FROM t LEFT JOIN pgclone_verify(b) v ON true ORDER BY a",
    "SELECT match FROM pgclone_verify('c') UNION ALL SELECT match FROM pgclone_verify('c', 's')",
    "SELECT v.match, job_id FROM pgclone_verify('c') v, pgclone_jobs_view ORDER BY job_id",
    "SELECT * FROM pgclone_verify('c') WHERE match = 'nothing'",
    "SELECT * FROM t, pgclone_verify('c') WHERE a < 0",
    "SELECT * FROM pgclone_verify('c') LIMIT 0",
    "WITH v AS (SELECT * FROM pgclone_verify('c')) SELECT v.table_name FROM v, v w",
    "INSERT INTO filled SELECT source_rows, match FROM pgclone_verify('c') RETURNING *",
    "CREATE TEMP TABLE verified AS SELECT * FROM pgclone_verify('c')",
    "SELECT row_to_json(v)::text FROM pgclone_verify('c') v",
    "SELECT * FROM pgclone_verify()",
    "SELECT nosuch FROM pgclone_verify('c')",
    # several functions of one name
    "SELECT pgclone_table('c', 's', 't', true), pgclone_table('c', 's', b, true, b) FROM t ORDER BY a",
    "SELECT pgclone_table('c', 's', 't', NULL), pgclone_table('c', 's', 't', NULL, NULL)",
    "SELECT pgclone_table('c', NULL, 't'), pgclone_schema(NULL, 's'), pgclone_schema('c', 's', NULL, NULL)",
    "SELECT pgclone_table(options => '{}', target_table_name => 'x', include_data => false, table_name => 't',"
    " schema_name => 's', source_conninfo => 'c')",
    "SELECT pgclone_table_ex('c', 's', 't', true, NULL, include_triggers => false)",
    "SELECT * FROM pgclone_schema_ex('c', 's', true, false, NULL)",
    "SELECT pgclone_table('c', 's')",
    "SELECT 1, pgclone_table('c', 's', 't', target_table_name => 'x')",
    "SELECT pgclone_schema('c', 's', true, '{}', 1)",
    # errors
    "SELECT pgclone_progress(99)",
    "SELECT pgclone_progress(-99)",
    "SELECT pgclone_progress('abc')",
    "SELECT pgclone_progress()",
    "SELECT 1, pgclone_progress(nosuch => 7)",
    "SELECT pgclone_progress(7.5)",
    "SELECT pgclone_progress(7, job_id => 7)",
    "SELECT pgclone_schema_async(schema_name => 'x', 'c')",
    "SELECT pgclone_schema_async('c', schema_name => 'x', schema_name => 'y')",
    "SELECT pgclone_schema_async('c', 'x', 1)",
    "SELECT pgclone_cancel(7, 8)",
    "SELECT pgclone_cancel(DISTINCT 7)",
    "SELECT 'é', pgclone_cancel(7) OVER ()",
    "SELECT pgclone_cancel(*)",
    "SELECT pgclone_version(*)",
    "SELECT pgclone_cancel(7 ORDER BY 1)",
    "SELECT pgclone_cancel('7'::text, true, 7, 3.5)",
    "SELECT pgclone_version() FILTER (WHERE true)",
    "SELECT '日本語é', nosuch FROM pgclone_jobs_view",
    "SELECT a.job_id FROM pgclone_jobs_view a, pgclone_jobs_view b WHERE a.job_id = b.nosuch",
    "SELECT 1 FROM pgclone_jobs_view, nosuchrel",
    "SELECT pgclone_schema_async('c', 'x') AS j, nosuch FROM pg_class",
    "SELECT pgclone_schema_async('c', 'x'), 1 / (count(*) - count(*)) FROM pg_class",
    "SELECT pgclone_schema_async('c', nosuch) FROM t",
    "SELECT * FROM pgclone_progress(7) AS p(a text)",
    "SELECT * FROM pgclone_jobs_view FOR UPDATE OF nosuch",
    "SELECT pgclone_nosuch(1)",
    'SELECT "PgClone_Progress"(7)',
    "COPY pgclone_jobs_view TO STDOUT",
]


@pytest.mark.parametrize("sql", SAME)
@pytest.mark.parametrize("parameters", [None, ()], ids=["simple", "extended"])
def test_like_the_real_functions(sides: Sides, sql: str, parameters: Parameters) -> None:
    rewritten, real = both(sides, sql, parameters)
    assert rewritten == real


SESSIONS = {
    "prepared": [
        "PREPARE p (text) AS SELECT pgclone_schema_async($1, $2)",
        "EXECUTE p('c', 'x')",
        "EXECUTE p('c', 'y')",
        "EXECUTE p('c', 'y', 'z')",
        "CREATE TEMP TABLE made AS EXECUTE p('c', 'z')",
        "PREPARE q AS SELECT count(*), pgclone_version() FROM pgclone_jobs_view; EXECUTE q",
        "EXECUTE q;",
        "DEALLOCATE q; EXECUTE q",
        "PREPARE r AS SELECT pgclone_progress($1); EXECUTE r (7)",
        "EXECUTE r(99)",
        "EXECUTE r((pgclone_progress(8)::json->>'job_id')::int)",
    ],
    "cursor": [
        "BEGIN; DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT * FROM pgclone_jobs_view ORDER BY 1; FETCH 1 IN c",
        "FETCH ALL FROM c",
        "FETCH FIRST FROM c",
        "COMMIT; MOVE LAST IN c; CLOSE c",
    ],
    "read only": [
        "BEGIN READ ONLY",
        "SELECT job_id FROM pgclone_jobs_view ORDER BY 1",
        "SELECT pgclone_progress(7)",
        "SELECT pgclone_cancel(7) WHERE false",
        "ROLLBACK",
    ],
    "failed transaction": [
        "BEGIN",
        "SELECT 1/0",
        "SELECT * FROM pgclone_jobs_view",
        "SELECT pgclone_schema_async('c', 'x')",
        "ROLLBACK",
    ],
    "one transaction": [
        "BEGIN",
        "SELECT pgclone_table_async('c', 's', b) FROM t ORDER BY a",
        "SELECT pgclone_schema_async('c', 'x'), pgclone_cancel(8)",
        "SELECT pgclone_schema_async('c', 'x')",
        "COMMIT",
    ],
    "look-alikes first in the search path": [
        "CREATE SCHEMA IF NOT EXISTS mine",
        "CREATE OR REPLACE FUNCTION mine.md5(text) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
        "CREATE OR REPLACE FUNCTION mine.set_config(text, text, bool) RETURNS text LANGUAGE sql AS 'SELECT NULL::text'",
        "CREATE DOMAIN mine.text AS pg_catalog.int4",
        "SET search_path = mine, public, pg_catalog",
        "SELECT pgclone_progress(7), pgclone_schema_async('c', 'x')",
        "SELECT count(*) FROM pgclone_jobs_view",
        "DROP SCHEMA mine CASCADE",
    ],
    "old strings": [
        "SET standard_conforming_strings = off",
        "SELECT pgclone_progress(8), pgclone_cancel(7)",
    ],
}


@pytest.mark.parametrize("session", SESSIONS)
def test_sessions_like_the_real_functions(sides: Sides, session: str) -> None:
    passes = TwoPasses(sides.bare.pgconn)
    sides.real.execute("SELECT setval('job_numbers', 101, false)")
    for sql in SESSIONS[session]:
        real = outcome(partial(send, sides.real.pgconn, plain(sql)))
        assert (sql, passes.run(sql)) == (sql, real)


EXTENDED = [
    ("SELECT pgclone_progress($1)", ["7"]),
    ("SELECT pgclone_progress($1::text::int)", ["7"]),
    ("SELECT pgclone_progress($2), $1::text", ["x", "8"]),
    ("SELECT pgclone_progress($1)", [None]),
    ("SELECT pgclone_progress($1)", ["99"]),
    ("SELECT job_id FROM pgclone_jobs_view WHERE status = $1 ORDER BY job_id LIMIT $2", ["running", "1"]),
    ("SELECT pgclone_table_async($1, $2, $3, $4)", ["c", "s", "t", "f"]),
    ("SELECT pgclone_schema_async($1, b) FROM t WHERE a < $2 ORDER BY a", ["c", "3"]),
    ("SELECT 1 FROM pgclone_schema_async($1, options => $2, schema_name => 'x') WHERE true", ["c", "{}"]),
    ("INSERT INTO filled VALUES (pgclone_schema_async($1, 'x'), $2) RETURNING *", ["c", "x"]),
    ("COPY (SELECT job_id FROM pgclone_jobs_view) TO STDOUT", []),
    ("SELECT nosuch, $1::int FROM pgclone_jobs_view", ["1"]),
]


@pytest.mark.parametrize("sql, parameters", EXTENDED)
def test_parameters_like_the_real_functions(sides: Sides, sql: str, parameters: list[str | None]) -> None:
    rewritten, real = both(sides, sql, parameters)
    assert rewritten == real


BARE = [
    # what only two passes can get wrong: statement, SQLSTATE, message, number of calls
    ("SELECT pgclone_table_async('c', 's', 't', true, 'copy_' || random()::text)", "", "", 1),
    ("SELECT pgclone_table_async('c', 's', x::text) FROM (SELECT random() AS x) q", "", "", 1),
    ("SELECT pgclone_table_async('c', 's', x::text) FROM (SELECT random() x FROM t) q", "0A000", "change at every", 0),
    ("SELECT pgclone_table_async('c', 's', random()::text) FROM t", "", "", 3),
    ("SELECT pgclone_schema_async('c', clock_timestamp()::text), pgclone_cancel(7)", "", "", 2),
    ("SELECT x, pgclone_table_async('c', 's', x::text) j FROM generate_series(1, 9) x ORDER BY random()", "", "", 9),
    ("SELECT pgclone_cancel(i) FROM generate_series(1, 1001) i", "54000", "too many", 0),
    ("SELECT pgclone_cancel(i) FROM generate_series(1, 1000) i", "", "", 1000),
    ("SELECT pgclone_cancel(j) FROM (SELECT pgclone_schema_async('c', 'x') j OFFSET 0) q", "0A000", "nested", 0),
    ("SELECT pgclone_schema_async('c', 'x') FROM pgclone_schema_async('bad', 'x')", "08001", "cannot connect", 2),
    ("SELECT pgclone_cancel(generate_series(1, 2))", "0A000", "set-returning functions are not allowed in CASE", 0),
    ("SELECT pgclone_progress(generate_series(7, 8))", "0A000", "set-returning functions are not allowed in CASE", 0),
    ("BEGIN READ ONLY; SELECT pgclone_cancel(7)", "25006", "cannot execute pgclone_cancel() in a read-only", 0),
    ("INSERT INTO filled SELECT 5 FROM t WHERE pgclone_cancel(a) > ''", "23505", "duplicate key", 0),
    ("SELECT pgclone_cancel(1) FROM pgclone_verify('c')", "0A000", "cannot depend on the rows of another", 1),
    ("SELECT 1 FROM pgclone_verify('c') a, pgclone_verify('d') b", "0A000", "cannot depend on the rows of another", 1),
    ("SELECT pgclone_cancel(1) FROM pgclone_verify('c') v WHERE match IS NULL", "", "", 1),
    ("BEGIN READ ONLY; SELECT * FROM pgclone_verify('c'); COMMIT", "", "", 1),
    ("SET pgclone_proxy.n = 'x'; SELECT pgclone_version()", "", "", 0),
]


@pytest.mark.parametrize("sql, sqlstate, message, calls", BARE)
def test_two_passes(sides: Sides, sql: str, sqlstate: str, message: str, calls: int) -> None:
    passes = TwoPasses(sides.bare.pgconn)
    result = passes.run(sql)
    assert (result.sqlstate, len(passes.performed)) == (sqlstate, calls)
    assert message in result.message


def test_results_land_on_their_rows(sides: Sides) -> None:
    """Whatever the order of the rows is in the second pass."""
    passes = TwoPasses(sides.bare.pgconn)
    result = passes.run(
        "SELECT x, pgclone_table_async('c', 's', x::text)"
        " FROM (SELECT x FROM generate_series(1, 9) x ORDER BY random()) q"
    )
    started = {call.arguments["table_name"]: str(number) for number, call in enumerate(passes.performed, 101)}
    assert {row[0]: row[1] for row in result.rows} == started


def test_void_parameter(sides: Sides) -> None:
    """How JDBC sends {? = call f(?)}: the OUT parameter comes first, declared as void."""
    (statement,) = rewrite("SELECT * FROM pgclone_progress($1, $2) AS result", void_parameters=frozenset({1}))
    sent = statement.render("$3::pg_catalog.jsonb")
    result = outcome(lambda: send(sides.bare.pgconn, sent, [None, "7", json.dumps(SNAPSHOT)], [2278, 0, 3802]))
    assert (result.columns, result.rows) == (("result",), ((PROGRESS["7"],),))


def test_planning_while_the_settings_are_unset(sides: Sides) -> None:
    """The planner evaluates current_setting for its estimates, also after they were set and rolled back."""
    passes = TwoPasses(sides.bare.pgconn)
    for _ in range(2):
        explained = "EXPLAIN SELECT * FROM t WHERE pgclone_cancel(a) = 'OK' AND pgclone_progress(a) LIKE 'x%'"
        assert passes.run(explained).sqlstate == ""
        assert passes.run("SELECT pgclone_cancel(7)").sqlstate == ""
