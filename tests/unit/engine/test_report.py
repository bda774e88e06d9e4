"""The report of a job: words taken apart, and one row for each object."""

from __future__ import annotations

import pytest

from clone_engine.ddl.definitions import parse_statement
from clone_engine.records.jobs import Job, Outcome
from clone_engine.records.report import COLUMNS, Named, named, object_rows
from clone_engine.records.request import CloneRequest, Conninfo

JOB = Job(7, "alice", "app", CloneRequest("schema", "s"), Conninfo({}), status="completed")

STATEMENTS = {
    "CREATE TABLE s.t (i int)": ("table", "s", "t"),
    'CREATE TABLE s."a.b on c" (i int)': ("table", "s", "a.b on c"),
    'CREATE TABLE "s.t"."u" (i int)': ("table", "s.t", "u"),
    "CREATE FUNCTION s.f(a int, b other.t) RETURNS int LANGUAGE sql AS 'SELECT 1'": (
        "function", "s", "f(integer, other.t)",
    ),
    "CREATE TRIGGER tr AFTER INSERT ON s.t EXECUTE FUNCTION s.f()": ("trigger", "s", "tr on t"),
    "ALTER TABLE ONLY s.t ADD CONSTRAINT k FOREIGN KEY (a) REFERENCES s.u (b)": ("foreign key", "s", "k on t"),
    "ALTER TABLE ONLY s.t ADD CONSTRAINT k PRIMARY KEY (a)": ("constraint", "s", "k on t"),
    "CREATE MATERIALIZED VIEW s.m AS SELECT 1": ("materialized view", "s", "m"),
    "COMMENT ON TABLE s.t IS 'x'": ("comment", "s", "t"),
    "COMMENT ON TRIGGER tr ON s.t IS 'x'": ("comment", "s", "tr on t"),
    "ALTER TABLE s.t OWNER TO someone": ("owner", "s", "t"),
    "GRANT SELECT ON TABLE s.t TO someone": ("privileges", "s", "t"),
    "CREATE SCHEMA s": ("schema", "", "s"),
    "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION s.f()": ("event trigger", "", "e"),
    "ALTER EVENT TRIGGER e DISABLE": ("state", "", "event trigger e"),
    "CREATE TEXT SEARCH CONFIGURATION s.c (PARSER = pg_catalog.default)": ("text search configuration", "s", "c"),
    "CREATE PUBLICATION p": ("publication", "", "p"),
    "CREATE CAST (s.a AS s.b) WITHOUT FUNCTION": ("cast", "", "s.a AS s.b"),
}  # fmt: skip


@pytest.mark.parametrize("sql", STATEMENTS)
def test_the_words_for_a_statement_are_taken_apart(sql: str) -> None:
    assert named(parse_statement(sql).label, ("public", "s.t", "s")) == Named(*STATEMENTS[sql])


@pytest.mark.parametrize(
    ("words", "apart"),
    [
        ("table new.t", ("table", "new", "t")),
        ("trigger a on new.t", ("trigger", "new", "a on t")),
        ("option parallel", ("option", "", "parallel")),
        ("large object 16400", ("large object", "", "16400")),
        ("snapshot", ("snapshot", "", "")),
        ("version of extension x.y", ("version", "", "extension x.y")),
    ],
)
def test_without_knowing_the_schema(words: str, apart: tuple[str, str, str]) -> None:
    assert named(words) == Named(*apart)


def states(*outcomes: Outcome, job: Job = JOB) -> list[tuple[str, str, str]]:
    rows = object_rows(job, outcomes)
    assert all(tuple(row) == COLUMNS for row in rows)
    return [(row["object_name"], row["state"], row["message"]) for row in rows]


def test_what_is_done_is_done_once_in_the_order_of_its_first_report() -> None:
    said = [Outcome("table s.b", "done"), Outcome("table s.a", "done"), Outcome("table s.b", "done", "", "5 rows")]
    assert states(*said, Outcome("table s.b", "done")) == [("b", "done", "5 rows"), ("a", "done", "")]


def test_a_failure_leaves_nothing_else_of_the_object() -> None:
    said = [Outcome("table s.a", "done"), Outcome("table s.a", "failed", "22012", "division by zero")]
    assert states(*said) == [("a", "failed", "division by zero")]


def test_what_was_made_with_less_is_told_twice() -> None:
    said = [Outcome("table s.a", "skipped", "", "does not inherit"), Outcome("table s.a", "done")] * 2
    assert states(*said) == [("a", "done", ""), ("a", "skipped", "does not inherit")]


def test_rows_are_those_of_the_table_under_its_new_name() -> None:
    job = Job(7, "alice", "app", CloneRequest("table", "s", "a", "b"), Conninfo({}), status="running")
    assert states(Outcome("table s.b", "done"), Outcome("table s.a", "done", "", "5 rows"), job=job) == [
        ("b", "done", "5 rows")
    ]


@pytest.mark.parametrize(
    ("status", "sqlstate", "error", "last"),
    [
        ("failed", "42P07", "exists\nHINT:  no", ("job", "", "7", "failed", "42P07", "exists")),
        ("cancelled", "", "", ("job", "", "7", "failed", "57014", "the job was cancelled")),
    ],
)
def test_a_job_that_did_not_complete_is_its_last_row(
    status: str, sqlstate: str, error: str, last: tuple[str, ...]
) -> None:
    job = Job(7, "alice", "app", JOB.request, JOB.source, status=status, sqlstate=sqlstate, error=error)  # type: ignore[arg-type]
    rows = [tuple(row.values()) for row in object_rows(job, [Outcome("table s.a", "done")])]
    assert rows == [("table", "s", "a", "done", "", ""), last]
