"""Every statement of the product as its users write it, over psql, psycopg and asyncpg, with real clones behind it."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

from proxy.embedded import SUPERUSER
from proxy.launch import ProxyProcess
from tests.harness.clients import Psycopg, SqlClient, SqlError
from tests.harness.compare import assert_same_schema
from tests.harness.servers import Database
from tests.harness.waiting import wait_until

SOURCE = """
CREATE TABLE public.large_table (id int PRIMARY KEY, payload text);
INSERT INTO public.large_table SELECT g, repeat('x', 20) FROM generate_series(1, 20000) g;
CREATE TABLE public.orders (id int PRIMARY KEY, status text, note text);
INSERT INTO public.orders SELECT g, CASE WHEN g % 2 = 0 THEN 'paid' ELSE 'open' END, 'n' FROM generate_series(1, 100) g;
CREATE INDEX orders_status ON public.orders (status);
CREATE SCHEMA sales;
CREATE TABLE sales.customers (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
INSERT INTO sales.customers (name) SELECT 'c' || g FROM generate_series(1, 1000) g;
CREATE TABLE sales.orders (id serial PRIMARY KEY, customer int NOT NULL REFERENCES sales.customers, total numeric);
INSERT INTO sales.orders (customer, total) SELECT 1 + g % 1000, g FROM generate_series(1, 5000) g;
CREATE INDEX orders_customer ON sales.orders (customer);
CREATE VIEW sales.totals AS SELECT customer, sum(total) FROM sales.orders GROUP BY customer;
CREATE FUNCTION sales.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE ON sales.orders FOR EACH ROW EXECUTE FUNCTION sales.touch();
"""

COLUMNS = (
    "job_id status op_type schema_name table_name current_phase current_table tables_total tables_completed "
    "rows_copied bytes_copied elapsed_ms start_time end_time error_message pct_complete progress_bar elapsed_time "
    "owner database rows_total bytes_total rows_per_second eta"
)


@pytest.fixture(scope="module", autouse=True)
def _one_proxy(proxy: ProxyProcess) -> ProxyProcess:
    return proxy


@pytest.fixture
def source(source_database: Database) -> Database:
    source_database.execute(SOURCE)
    return source_database


def conninfo(source: Database) -> str:
    return f"host=127.0.0.1 port={source.server.port} dbname={source.name} user={SUPERUSER}"


def finished(client: SqlClient, job: str | None) -> tuple[str | None, ...]:
    """Waits for a job; its status, error and row count as the view shows them."""

    def done() -> tuple[str | None, ...] | None:
        (row,) = client.rows(f"SELECT status, error_message, rows_copied FROM pgclone_jobs_view WHERE job_id = {job}")
        return row if row[0] not in ("pending", "running") else None

    return wait_until(done, 30, f"job {job} to end")


def call(client: SqlClient, sql: str, *values: Any) -> str | None:
    ((value,),) = client.rows(sql, *values)
    return value


def clone(client: SqlClient, sql: str, *values: Any) -> tuple[str | None, ...]:
    ended = finished(client, call(client, sql, *values))
    assert ended[0] == "completed", ended
    return ended


def test_table_async(client: SqlClient, source: Database, target_database: Database) -> None:
    clone(client, f"SELECT pgclone_table_async('{conninfo(source)}', 'public', 'large_table', true)")
    checksum = "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM public.large_table t"
    assert target_database.rows(checksum) == source.rows(checksum)


@pytest.mark.parametrize(
    "options",
    ["", """, '{"parallel": 4}'""", """, '{"parallel": 1}'"""],
    ids=["no options", "four copiers", "one copier"],
)
def test_schema_async(client: SqlClient, source: Database, target_database: Database, options: str) -> None:
    clone(client, f"SELECT pgclone_schema_async('{conninfo(source)}', 'sales', true{options})")
    assert_same_schema(source, target_database, "sales")


@pytest.mark.parametrize("parallel", [pytest.param(1, marks=pytest.mark.long), 4])
def test_the_sample_schema_of_the_demo(
    proxy: ProxyProcess, source_database: Database, target_database: Database, parallel: int
) -> None:
    source_database.execute(files("proxy").joinpath("sample_shop.sql").read_text(encoding="utf-8"))
    client = Psycopg(proxy, target_database)
    clone(
        client,
        "SELECT pgclone_schema_async($1, 'shop', true, $2)",
        conninfo(source_database), json.dumps({"parallel": parallel}),
    )  # fmt: skip
    client.close()
    assert_same_schema(source_database, target_database, "shop")


def test_the_conninfo_can_be_a_column(client: SqlClient, source: Database, target_database: Database) -> None:
    target_database.execute(f"CREATE TABLE public.sources AS SELECT '{conninfo(source)}' AS conn")
    clone(
        client,
        """SELECT pgclone_table_async(conn, 'public', 'orders', true, 'orders', '{"conflict": "skip"}')
           FROM public.sources""",
    )
    assert target_database.value("SELECT count(*) FROM public.orders") == 100


def test_tables_at_once_into_a_schema_that_is_not_there_yet(
    proxy: ProxyProcess, source: Database, target_database: Database
) -> None:
    # Each job finds that it has to make the schema; the one that comes second must not fail over it.
    client = Psycopg(proxy, target_database)
    with target_database.connect() as holder:
        holder.execute("BEGIN; CREATE SCHEMA sales")  # all of them have planned before one can go on
        sql = "SELECT pgclone_table_async($1, 'sales', n) FROM unnest($2::text[]) n"
        jobs = client.rows(sql, conninfo(source), ["customers", "orders"])
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        wait_until(lambda: target_database.value(waiting) == 2, 30, "both jobs to wait")
        holder.execute("ROLLBACK")
    assert [finished(client, job) for (job,) in jobs] == [("completed", None, "1000"), ("completed", None, "5000")]
    client.close()


def test_schema_async_with_several_options(client: SqlClient, source: Database, target_database: Database) -> None:
    statement = f"""SELECT pgclone_schema_async('{conninfo(source)}', 'sales', true,
                    '{{"parallel": 8, "conflict": "replace", "triggers": false}}')"""
    clone(client, statement)
    target_database.execute("DELETE FROM sales.orders WHERE id < 100")
    clone(client, statement)
    assert target_database.value("SELECT count(*) FROM sales.orders") == 5000
    assert target_database.value("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal") == 0


@pytest.mark.parametrize(("conflict", "orders", "old"), [("skip", 1, None), ("replace", 100, None), ("rename", 100, 1)])
def test_conflict(
    client: SqlClient, source: Database, target_database: Database, conflict: str, orders: int, old: int | None
) -> None:
    target_database.execute("CREATE TABLE public.orders (id int PRIMARY KEY); INSERT INTO public.orders VALUES (-1)")
    clone(
        client,
        f"""SELECT pgclone_table_async('{conninfo(source)}', 'public', 'orders', true, 'orders',
            '{{"conflict": "{conflict}"}}')""",
    )
    assert target_database.value("SELECT count(*) FROM public.orders") == orders
    if old is not None:
        assert target_database.value("SELECT count(*) FROM public.orders_old") == old


def test_without_a_conflict_option_an_existing_table_is_an_error(
    client: SqlClient, source: Database, target_database: Database
) -> None:
    target_database.execute("CREATE TABLE public.orders (id int); INSERT INTO public.orders VALUES (-1)")
    job = call(client, f"SELECT pgclone_table_async('{conninfo(source)}', 'public', 'orders')")
    status, error, _ = finished(client, job)
    assert status == "failed"
    assert "orders" in (error or "")
    assert target_database.value("SELECT count(*) FROM public.orders") == 1


def test_options_of_a_table(client: SqlClient, source: Database, target_database: Database) -> None:
    clone(
        client,
        "SELECT pgclone_table_async($1, $2, $3, true, $4, $5)",
        conninfo(source), "public", "orders", "paid_orders",
        '{"columns": ["id", "status"], "where": "status = \'paid\'", "indexes": false, "constraints": false}',
    )  # fmt: skip
    assert target_database.value("SELECT count(*) FROM public.paid_orders") == 50
    assert target_database.rows(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'paid_orders'::regclass AND attnum > 0 ORDER BY attnum"
    ) == [("id",), ("status",)]
    assert target_database.value("SELECT count(*) FROM pg_index WHERE indrelid = 'public.paid_orders'::regclass") == 0


def test_parameters(client: SqlClient, source: Database, target_database: Database) -> None:
    clone(client, "SELECT pgclone.schema_async($1, $2, $3)", conninfo(source), "sales", True)
    assert_same_schema(source, target_database, "sales")


def test_what_a_finished_job_shows(client: SqlClient, source: Database) -> None:
    job = call(client, f"SELECT pgclone_schema_async('{conninfo(source)}', 'sales', true)")
    finished(client, job)
    progress = json.loads(call(client, f"SELECT pgclone_progress({job})") or "")
    assert list(progress) == ["job_id", "status", "phase", "tables_completed", "tables_total", "rows_copied",
                              "current_table", "elapsed_ms", "pct_complete", "bytes_copied", "rows_total",
                              "bytes_total", "rows_per_second"]  # fmt: skip
    assert (progress["status"], progress["tables_completed"], progress["tables_total"]) == ("completed", 2, 2)
    assert progress["rows_copied"] == 6000
    listed = json.loads(call(client, "SELECT pgclone_jobs()") or "")
    (mine,) = [entry for entry in listed if str(entry["job_id"]) == job]
    assert list(mine) == ["job_id", "status", "schema", "table", "phase", "tables_completed", "tables_total"]
    ((number, status, schema, bar),) = client.rows(
        f"SELECT job_id, status, schema_name, progress_bar FROM pgclone_jobs_view WHERE job_id = {job}"
    )
    assert (number, status, schema) == (job, "completed", "sales")
    assert bar is not None
    assert bar.startswith("[████████████████████] 100.0% | 6000 rows | 00:00:0")
    assert bar.endswith(" elapsed")


def test_the_view_and_its_function_have_the_columns_in_order(client: SqlClient, source: Database) -> None:
    job = call(client, f"SELECT pgclone_table_async('{conninfo(source)}', 'public', 'orders')")
    finished(client, job)
    for relation in (
        "pgclone_jobs_view",
        "pgclone_progress_detail()",
        "pgclone.jobs_view",
        "pgclone.progress_detail()",
    ):
        (row,) = [r for r in client.rows(f"SELECT * FROM {relation}") if r[0] == job]
        assert len(row) == 24
        ((names,),) = client.rows(
            f"SELECT string_agg(k, ' ' ORDER BY n) FROM {relation} v, json_object_keys(row_to_json(v)) WITH ORDINALITY"
            f" AS x(k, n) WHERE v.job_id = {job}"
        )
        assert names == COLUMNS
        shown = dict(zip(COLUMNS.split(), row, strict=True))
        assert (shown["op_type"], shown["table_name"], shown["error_message"]) == ("table", "orders", None)
        assert int(shown["bytes_copied"] or 0) > 0
        assert shown["bytes_total"] == shown["bytes_copied"]
        assert (shown["rows_total"], shown["rows_copied"]) == ("100", "100")
        assert (shown["owner"], shown["eta"]) == (SUPERUSER, None)
        assert float(shown["rows_per_second"] or 0) > 0
        ((own,),) = client.rows(f"SELECT database = current_database() FROM {relation} WHERE job_id = {job}")
        assert own in ("t", "true", "True")


def test_filters_on_the_view(client: SqlClient, source: Database) -> None:
    good = call(client, f"SELECT pgclone_table_async('{conninfo(source)}', 'public', 'orders')")
    bad = call(client, f"SELECT pgclone_table_async('{conninfo(source)}', 'nosuch', 'orders')")
    finished(client, good)
    finished(client, bad)
    assert (
        client.rows("SELECT job_id, status, elapsed_time, pct_complete FROM pgclone_jobs_view WHERE status = 'running'")
        == []
    )
    failed = client.rows("SELECT job_id, schema_name, error_message FROM pgclone_jobs_view WHERE status = 'failed'")
    (mine,) = [row for row in failed if row[0] == bad]
    assert mine[1] == "nosuch"
    assert "nosuch" in (mine[2] or "")
    assert client.rows("SELECT status FROM pgclone_jobs_view WHERE job_id = $1::int", int(good or 0)) == [
        ("completed",)
    ]


def test_cancel_resume_and_clear(client: SqlClient, source: Database, target_database: Database) -> None:
    # A lock on the source holds the job in its first phase for as long as the test wants.
    with source.connect() as holder:
        holder.execute("BEGIN; LOCK TABLE public.large_table IN ACCESS EXCLUSIVE MODE")
        job = call(client, f"SELECT pgclone_table_async('{conninfo(source)}', 'public', 'large_table')")
        progress = wait_until(lambda: _running(client, job), 10, "the job to run")
        assert progress["status"] == "running"
        assert call(client, f"SELECT pgclone_cancel({job})") == "cancelled"
        assert finished(client, job)[0] == "cancelled"
        assert call(client, f"SELECT pgclone_cancel({job})") == "cancelled"
        holder.execute("ROLLBACK")
    resumed = call(client, f"SELECT pgclone_resume({job})")
    assert int(resumed or 0) > int(job or 0)
    assert finished(client, resumed)[0] == "completed"
    assert target_database.value("SELECT count(*) FROM public.large_table") == 20000
    with pytest.raises(SqlError) as refused:
        call(client, f"SELECT pgclone_resume({resumed})")
    assert refused.value.sqlstate == "55000"
    assert int(call(client, "SELECT pgclone_clear_jobs()") or 0) >= 2
    assert client.rows("SELECT * FROM pgclone_jobs_view") == []
    assert call(client, "SELECT pgclone_jobs()") == "[]"


def _running(client: SqlClient, job: str | None) -> dict[str, Any] | None:
    progress: dict[str, Any] = json.loads(call(client, f"SELECT pgclone_progress({job})") or "")
    return progress if progress["status"] == "running" else None


def test_version(client: SqlClient) -> None:
    assert (call(client, "SELECT pgclone_version()") or "").startswith("pgclone ")
    assert call(client, "SELECT pgclone.version()") == call(client, "SELECT public.pgclone_version()")


BAD = {
    "unknown function": ("SELECT pgclone_nosuch(1)", "42883"),
    "too few arguments": ("SELECT pgclone_progress()", "42883"),
    "too many arguments": ("SELECT pgclone_cancel(1, 2)", "42883"),
    "wrong type": ("SELECT pgclone_progress('abc')", "22P02"),
    "unknown job": ("SELECT pgclone_progress(999999)", "P0002"),
    "cancel of an unknown job": ("SELECT pgclone_cancel(999999)", "P0002"),
    "resume of an unknown job": ("SELECT pgclone_resume(999999)", "P0002"),
    "null conninfo": ("SELECT pgclone_table_async(NULL, 's', 't')", "22004"),
    "null schema": ("SELECT pgclone_schema_async('host=h', NULL)", "22004"),
    "malformed conninfo": ("SELECT pgclone_schema_async('host=h password=canary user', 's')", None),
    "malformed uri": ("SELECT pgclone_schema_async('postgresql://u:canary@[h/x', 's')", None),
    "forbidden keyword": ("SELECT pgclone_schema_async('host=h service=x', 's')", "22023"),
    "malformed options": ("SELECT pgclone_schema_async('host=h', 's', true, '{')", "22023"),
    "unknown option": ("SELECT pgclone_schema_async('host=h', 's', true, '{\"paralel\": 4}')", "22023"),
    "parallel 0": ("SELECT pgclone_schema_async('host=h', 's', true, '{\"parallel\": 0}')", "22023"),
    "parallel -1": ("SELECT pgclone_schema_async('host=h', 's', true, '{\"parallel\": -1}')", "22023"),
    "parallel 10^9": ("SELECT pgclone_schema_async('host=h', 's', true, '{\"parallel\": 1000000000}')", "22023"),
    "parallel as text": ("SELECT pgclone_schema_async('host=h', 's', true, '{\"parallel\": \"4\"}')", "22023"),
}
SAYS_WHAT_TO_DO = ("22004", "22023", "P0002")


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused_before_there_is_a_job(client: SqlClient, name: str) -> None:
    statement, sqlstate = BAD[name]
    before = client.rows("SELECT count(*) FROM pgclone_jobs_view")
    with pytest.raises(SqlError) as refused:
        client.rows(statement)
    assert sqlstate is None or refused.value.sqlstate == sqlstate, str(refused.value)
    assert "canary" not in str(refused.value) + refused.value.hint
    if refused.value.sqlstate in SAYS_WHAT_TO_DO:
        assert refused.value.hint
    assert client.rows("SELECT count(*) FROM pgclone_jobs_view") == before


@pytest.mark.parametrize(
    ("schema", "table", "words"),
    [("nosuch", "t", "nosuch"), ("public", "nosuch", "nosuch")],
    ids=["missing schema", "missing table"],
)
def test_what_only_the_source_knows_fails_the_job(
    client: SqlClient, source: Database, schema: str, table: str, words: str
) -> None:
    job = call(client, "SELECT pgclone_table_async($1, $2, $3)", conninfo(source), schema, table)
    status, error, _ = finished(client, job)
    assert status == "failed"
    assert words in (error or "")


def test_an_unreachable_source_fails_the_job_with_the_server_s_words(client: SqlClient) -> None:
    job = call(client, "SELECT pgclone_schema_async('host=127.0.0.1 port=1 dbname=x user=y password=canary', 's')")
    status, error, _ = finished(client, job)
    assert status == "failed"
    assert "Connection refused" in (error or "")
    assert "canary" not in (error or "")
