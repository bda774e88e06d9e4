"""What each statement of a dump makes, and which relation it belongs to; and that its text is kept."""

from __future__ import annotations

import pytest

from clone_engine.ddl.definitions import parse_dump
from clone_engine.records.errors import PgError

STATEMENTS = [
    ("CREATE SCHEMA app", "schema app", None),
    ("ALTER SCHEMA app OWNER TO bob", "owner of app", None),
    ("CREATE TYPE app.e AS ENUM ('a')", "type app.e", None),
    ("CREATE DOMAIN app.d AS integer", "type app.d", None),
    ("ALTER DOMAIN app.d ADD CONSTRAINT c CHECK (VALUE > 0) NOT VALID", "domain constraint app.d.c", None),
    ("CREATE TYPE app.c AS (a integer)", "type app.c", None),
    ("CREATE TYPE app.r AS RANGE (subtype = float8)", "type app.r", None),
    ("COMMENT ON TYPE app.c IS 'x'", "comment on app.c", None),
    ("COMMENT ON CONSTRAINT c ON DOMAIN app.d IS 'x'", "comment on app.d.c", None),
    ("CREATE FUNCTION app.f(i integer, OUT o text) RETURNS text LANGUAGE sql AS 'x'", "function app.f(integer)", None),
    ("ALTER FUNCTION app.f(i integer, OUT o text) OWNER TO bob", "owner of app.f(integer)", None),
    ("CREATE PROCEDURE app.p() LANGUAGE sql AS ''", "procedure app.p()", None),
    ("CREATE AGGREGATE app.g(integer) (SFUNC = int4pl, STYPE = integer)", "aggregate app.g(integer)", None),
    ("CREATE AGGREGATE app.g(*) (SFUNC = int8inc, STYPE = bigint)", "aggregate app.g()", None),
    ("CREATE OPERATOR app.=== (FUNCTION = f, LEFTARG = text, RIGHTARG = text)", "operator app.===(text, text)", None),
    ("ALTER OPERATOR app.=== (integer, integer) OWNER TO bob", "owner of app.===(integer, integer)", None),
    ("CREATE TABLE app.t (id integer)", "table app.t", "app.t"),
    ("ALTER TABLE app.t OWNER TO bob", "owner of app.t", "app.t"),
    ("COMMENT ON COLUMN app.t.id IS 'x'", "comment on app.t", "app.t"),
    ("ALTER TABLE ONLY app.t ALTER COLUMN id SET STATISTICS 5", "table app.t", "app.t"),
    ("CREATE SEQUENCE app.s", "sequence app.s", "app.s"),
    ("ALTER SEQUENCE app.s OWNED BY app.t.id", "sequence app.s", "app.s"),
    ("ALTER TABLE ONLY app.t ATTACH PARTITION app.p DEFAULT", "partitions of app.t", "app.t"),
    ("CREATE VIEW app.v AS SELECT 1", "view app.v", "app.v"),
    ("CREATE MATERIALIZED VIEW app.m AS SELECT 1 WITH NO DATA", "materialized view app.m", "app.m"),
    ("ALTER TABLE ONLY app.t ADD CONSTRAINT k PRIMARY KEY (id)", "constraint k on app.t", "app.t"),
    ("COMMENT ON CONSTRAINT k ON app.t IS 'x'", "comment on k on app.t", "app.t"),
    ("ALTER TABLE app.t ADD CONSTRAINT c CHECK ((id > 0)) NOT VALID", "constraint c on app.t", "app.t"),
    ("ALTER TABLE ONLY app.t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES app.u(b)", "foreign key f on app.t", "app.t"),
    ("CREATE UNIQUE INDEX i ON app.t USING btree (id)", "index app.i", "app.t"),
    ("ALTER INDEX app.i ATTACH PARTITION app.j", "partitions of index app.i", "app.i"),
    ("ALTER INDEX app.i ALTER COLUMN 1 SET STATISTICS 5", "index alteration app.i", "app.i"),
    ("CREATE STATISTICS app.x ON a, b FROM app.t", "statistics app.x", "app.t"),
    ("CREATE TRIGGER g BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.f()", "trigger g on app.t", "app.t"),
    ("ALTER TABLE app.t DISABLE TRIGGER g", "trigger state g on app.t", "app.t"),
    ("CREATE RULE r AS ON DELETE TO app.t DO INSTEAD NOTHING", "rule r on app.t", "app.t"),
    ("CREATE POLICY p ON app.t USING (true)", "policy p on app.t", "app.t"),
    ("ALTER TABLE app.t ENABLE ROW LEVEL SECURITY", "row security app.t", "app.t"),
    ("GRANT SELECT(id) ON TABLE app.t TO PUBLIC", "privileges on app.t", "app.t"),
    ("GRANT ALL ON FUNCTION app.f(i integer) TO PUBLIC", "privileges on app.f(integer)", None),
    ("GRANT USAGE ON SCHEMA app TO PUBLIC", "privileges on app", None),
    ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO bob", "privileges on default privileges", None),
    ("CREATE EXTENSION IF NOT EXISTS hstore WITH SCHEMA app", "extension hstore", None),
    ("COMMENT ON EXTENSION hstore IS 'x'", "comment on hstore", None),
    ("CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION app.f()", "event trigger e", None),
    ("ALTER EVENT TRIGGER e DISABLE", "state of event trigger e", None),
    ("COMMENT ON EVENT TRIGGER e IS 'x'", "comment on event trigger e", None),
    ("CREATE ACCESS METHOD a TYPE TABLE HANDLER app.f", "access method a", None),
    ("COMMENT ON ACCESS METHOD a IS 'x'", "comment on access method a", None),
    ("CREATE PROCEDURAL LANGUAGE l HANDLER app.f", "language l", None),
    ("ALTER PROCEDURAL LANGUAGE l OWNER TO bob", "owner of language l", None),
    ("CREATE FOREIGN DATA WRAPPER w", "foreign data wrapper w", None),
    ("GRANT ALL ON FOREIGN DATA WRAPPER w TO PUBLIC", "privileges on foreign data wrapper w", None),
    ("CREATE SERVER s FOREIGN DATA WRAPPER w", "server s", None),
    ("COMMENT ON SERVER s IS 'x'", "comment on server s", None),
    ("CREATE USER MAPPING FOR bob SERVER s", "user mapping bob SERVER s", None),
    ("CREATE USER MAPPING FOR public SERVER s", "user mapping public SERVER s", None),
    ("CREATE CAST (app.e AS integer) WITH INOUT", "cast app.e AS integer", None),
    ("COMMENT ON CAST (app.e AS integer) IS 'x'", "comment on cast app.e AS integer", None),
    ("CREATE TRANSFORM FOR app.e LANGUAGE l (FROM SQL WITH FUNCTION f(internal))", "transform app.e LANGUAGE l", None),
    ("CREATE PUBLICATION p FOR ALL TABLES", "publication p", None),
    ("ALTER PUBLICATION p ADD TABLE ONLY app.t", "tables of publication p", "app.t"),
    ("ALTER OPERATOR FAMILY app.f USING btree OWNER TO bob", "owner of operator family app.f.btree", None),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "label", "relation"), STATEMENTS)
def test_what_a_statement_is_about(sql: str, label: str, relation: str | None) -> None:
    (ddl,) = parse_dump(f"--\n-- Name: x; Type: Y\n--\n\n{sql};\n")
    assert ddl.sql == sql
    assert ddl.label == label
    assert (str(ddl.relation) if ddl.relation else None) == relation


def test_all_statements_of_a_dump_in_its_order_with_their_text() -> None:
    dump = ";\n\n-- é ; comment\n".join(sql for sql, _, _ in STATEMENTS)
    assert [ddl.sql for ddl in parse_dump(dump + ";\n")] == [sql for sql, _, _ in STATEMENTS]


def test_comments_find_their_object() -> None:
    texts = ["ALTER TABLE app.t ADD CONSTRAINT k UNIQUE (a)", "COMMENT ON CONSTRAINT k ON app.t IS 'x'"]
    key, comment = parse_dump(";".join(texts))
    assert key.identity == comment.identity


BODY = "CREATE FUNCTION app.f() RETURNS void LANGUAGE plpgsql AS $$\nBEGIN\n\\restrict x\n\\unrestrict x\nEND $$"


@pytest.mark.parametrize(
    "frame", ["--\n-- head\n--\n\n\\restrict k3y\n\n{}\n--\n-- end\n--\n\n\\unrestrict k3y\n\n", "{}"]
)
def test_only_the_frame_for_psql_is_taken_away(frame: str) -> None:
    (ddl,) = parse_dump(frame.format(BODY + ";\n"))
    assert ddl.sql == BODY


def test_what_is_no_sql_is_an_error() -> None:
    with pytest.raises(PgError) as caught:
        parse_dump("CREATE TABEL x ();")
    assert caught.value.sqlstate == "XX000"


@pytest.mark.parametrize(
    ("sql", "left"),
    [
        ("ALTER TABLE ONLY s.t ALTER COLUMN id SET (pg_attver=22094208)", []),
        ("ALTER FOREIGN TABLE ONLY s.t ALTER COLUMN id SET (pg_attver=22094208)", []),
        (
            "ALTER TABLE ONLY s.t ALTER COLUMN id SET (n_distinct=5, pg_attver=22094208)",
            ["ALTER TABLE ONLY s.t ALTER COLUMN id SET (n_distinct = 5)"],
        ),
        (
            "ALTER TABLE ONLY s.t ALTER COLUMN id SET (n_distinct=5)",
            ["ALTER TABLE ONLY s.t ALTER COLUMN id SET (n_distinct=5)"],
        ),
    ],
)
def test_what_servers_note_for_themselves_is_not_cloned(sql: str, left: list[str]) -> None:
    assert [ddl.sql for ddl in parse_dump(f"{sql};\n")] == left
