"""What becomes of statements on a target that is older than the source."""

from __future__ import annotations

import pytest

from clone_engine.ddl.definitions import parse_dump
from clone_engine.planning.older import Fitted, advice, fitted
from clone_engine.planning.selection import itemize
from clone_engine.planning.tolerance import Tolerance
from clone_engine.records.errors import PgError


def fit(script: str, target: int, source: int = 18) -> Fitted:
    return fitted(itemize(parse_dump(script)), source * 10000 + 4, target * 10000 + 10)


REFUSED = [
    (18, "virtual generated columns", "CREATE TABLE s.t (a int, b int GENERATED ALWAYS AS (a))"),
    (18, "keys WITHOUT OVERLAPS", "ALTER TABLE ONLY s.t ADD CONSTRAINT k PRIMARY KEY (a, b WITHOUT OVERLAPS)"),
    (18, "foreign keys with PERIOD",
     "ALTER TABLE s.t ADD CONSTRAINT f FOREIGN KEY (a, PERIOD b) REFERENCES s.u (a, PERIOD b)"),
    (18, "NOT NULL constraints that are NOT VALID", "ALTER TABLE s.t ADD CONSTRAINT n NOT NULL a NOT VALID"),
    (18, "NOT NULL constraints that are not inherited",
     "CREATE TABLE s.t (a int NOT NULL NO INHERIT); CREATE TABLE s.u () INHERITS (s.t)"),
    (18, "foreign keys of partitioned tables that are NOT VALID",
     "CREATE TABLE s.t (a int) PARTITION BY LIST (a); "
     "ALTER TABLE s.t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES s.u (a) NOT VALID"),
    (17, "exclusion constraints of partitioned tables",
     "CREATE TABLE s.t (a int) PARTITION BY LIST (a); "
     "ALTER TABLE ONLY s.t ADD CONSTRAINT e EXCLUDE USING gist (a WITH =)"),
    (17, "collations of the builtin provider", "CREATE COLLATION s.c (provider = builtin, locale = 'C.UTF-8')"),
    (17, "MERGE with NOT MATCHED BY SOURCE",
     "CREATE FUNCTION s.f() RETURNS void LANGUAGE sql BEGIN ATOMIC MERGE INTO s.t USING s.u ON t.a = u.a "
     "WHEN NOT MATCHED BY SOURCE THEN DELETE; END"),
    (17, "JSON_EXISTS, JSON_QUERY and JSON_VALUE", "CREATE VIEW s.v AS SELECT JSON_VALUE('{}', '$.a')"),
    (17, "JSON_TABLE", "CREATE VIEW s.v AS SELECT * FROM JSON_TABLE('[]', '$[*]' COLUMNS (a int PATH '$'))"),
    (16, "collations with rules", "CREATE COLLATION s.c (provider = icu, locale = 'und', rules = '&a < b')"),
    (16, "IS JSON", "CREATE TABLE s.t (a text, CHECK (a IS JSON))"),
    (15, "NULLS NOT DISTINCT", "ALTER TABLE ONLY s.t ADD CONSTRAINT k UNIQUE NULLS NOT DISTINCT (a)"),
    (15, "NULLS NOT DISTINCT", "CREATE UNIQUE INDEX i ON s.t USING btree (a) NULLS NOT DISTINCT"),
    (15, "ON DELETE SET of some columns",
     "ALTER TABLE ONLY s.t ADD CONSTRAINT f FOREIGN KEY (a, b) REFERENCES s.u (a, b) ON DELETE SET NULL (b)"),
    (15, "views with security_invoker", "CREATE VIEW s.v WITH (security_invoker='true') AS SELECT 1 AS a"),
    (15, "numeric with such a scale", "CREATE TABLE s.t (a numeric(2,-3))"),
    (15, "numeric with such a scale", "CREATE TABLE s.t (a numeric(2,5))"),
    (15, "MERGE",
     "CREATE FUNCTION s.f() RETURNS void LANGUAGE sql BEGIN ATOMIC MERGE INTO s.t USING s.u ON t.a = u.a "
     "WHEN MATCHED THEN DELETE; END"),
]  # fmt: skip
LEFT_OUT = [
    (18, "constraints that are NOT ENFORCED", "ALTER TABLE s.t ADD CONSTRAINT c CHECK (a > 1) NOT ENFORCED"),
    (18, "constraints that are NOT ENFORCED",
     "ALTER TABLE ONLY s.t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES s.u (a) NOT ENFORCED"),
    (18, "publications of generated columns", "CREATE PUBLICATION p WITH (publish_generated_columns = stored)"),
    (17, "event triggers on login", "CREATE EVENT TRIGGER e ON login EXECUTE FUNCTION s.f()"),
    (17, "access methods of partitioned tables", "ALTER TABLE s.t SET ACCESS METHOD heap"),
    (17, "privilege MAINTAIN", "GRANT MAINTAIN ON TABLE s.t TO one"),
    (17, "privilege MAINTAIN", "ALTER DEFAULT PRIVILEGES FOR ROLE one IN SCHEMA s GRANT MAINTAIN ON TABLES TO two"),
    (15, "publications of schemas", "ALTER PUBLICATION p ADD TABLES IN SCHEMA s"),
    (15, "publications of some rows or columns", "ALTER PUBLICATION p ADD TABLE ONLY s.t (a)"),
    (15, "publications of some rows or columns", "ALTER PUBLICATION p ADD TABLE ONLY s.t WHERE ((a > 1))"),
]  # fmt: skip
OLDER_WORDS = [
    (18, "CREATE TABLE s.t (a int CONSTRAINT n NOT NULL NO INHERIT)",
     ["CREATE TABLE s.t (a integer CONSTRAINT n NOT NULL)"]),
    (18, "CREATE TABLE s.t (b int, NOT NULL \"A\") INHERITS (s.u)",
     ["CREATE TABLE s.t (b integer) INHERITS (s.u)", 'ALTER TABLE ONLY "s"."t" ALTER COLUMN "A" SET NOT NULL']),
    (17, "GRANT SELECT,MAINTAIN ON TABLE s.t TO one", ["GRANT SELECT ON TABLE s.t TO one"]),
    (15, "CREATE UNLOGGED SEQUENCE s.q CACHE 1", ["CREATE SEQUENCE s.q CACHE 1"]),
]  # fmt: skip


@pytest.mark.parametrize(("since", "lacking", "script"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_the_clone_cannot_do_without_is_refused_by_name(since: int, lacking: str, script: str) -> None:
    with pytest.raises(PgError, match=f"PostgreSQL {since - 1} has no {lacking}$") as refused:
        fit(script, since - 1)
    assert refused.value.sqlstate == "0A000"
    assert fit(script, since).notes == []


@pytest.mark.parametrize(("since", "lacking", "script"), LEFT_OUT, ids=lambda value: str(value)[:40])
def test_what_changes_no_row_is_left_out_and_noted(since: int, lacking: str, script: str) -> None:
    older = fit(script, since - 1)
    assert older.items == []
    assert [reason for _, reason in older.notes] == [f"PostgreSQL {since - 1} has no {lacking}"]
    assert len(fit(script, since).items) == 1


@pytest.mark.parametrize(("since", "script", "made"), OLDER_WORDS, ids=lambda value: str(value)[:40])
def test_older_words(since: int, script: str, made: list[str]) -> None:
    assert [item.ddl.sql for item in fit(script, since - 1).items] == made
    assert [item.ddl.sql for item in fit(script, since).items] == [script]


@pytest.mark.parametrize(
    ("target", "script"),
    [
        (14, "CREATE EVENT TRIGGER e ON login EXECUTE FUNCTION s.f(); COMMENT ON EVENT TRIGGER e IS 'x'; "
             "ALTER EVENT TRIGGER e OWNER TO one; ALTER EVENT TRIGGER e DISABLE"),
        (17, "CREATE PUBLICATION p WITH (publish_generated_columns = stored); ALTER PUBLICATION p ADD TABLE ONLY s.t"),
        (17, "ALTER TABLE s.t ADD CONSTRAINT c CHECK (a > 1) NOT ENFORCED; COMMENT ON CONSTRAINT c ON s.t IS 'x'"),
    ],
)  # fmt: skip
def test_what_hangs_on_it_goes_with_it(target: int, script: str) -> None:
    older = fit(script, target)
    assert older.items == []
    assert len(older.notes) == 1


def test_comments_on_constraints_without_names_are_noted() -> None:
    table = "CREATE TABLE s.t (a int CONSTRAINT n NOT NULL); COMMENT ON CONSTRAINT n ON s.t IS 'x'"
    assert fit(table, 17).notes == [("comment on n on s.t", "PostgreSQL 17 has no names for NOT NULL constraints")]
    domain = "CREATE DOMAIN s.d AS int CONSTRAINT n NOT NULL; COMMENT ON CONSTRAINT n ON DOMAIN s.d IS 'x'"
    assert len(fit(domain, 16).items) == 1
    assert len(fit(domain, 17).items) == 2


def test_a_property_of_a_table_is_not_called_the_table() -> None:
    older = fit("ALTER TABLE s.t SET ACCESS METHOD heap", 16)
    assert older.notes == [("access method of s.t", "PostgreSQL 16 has no access methods of partitioned tables")]
    (item,) = fit("ALTER TABLE ONLY s.t ALTER COLUMN a SET COMPRESSION lz4", 16).items
    assert item.ddl.label == "compression of s.t"
    assert Tolerance(frozenset(), {}).some(item.ddl) == ("0A000",)


def test_all_that_is_refused_is_named() -> None:
    script = ";".join(f"CREATE TABLE s.t{i} (a int, b int GENERATED ALWAYS AS (a))" for i in range(30))
    with pytest.raises(PgError) as refused:
        fit(script, 17)
    assert "table s.t19: virtual generated columns\nand 10 more" in refused.value.detail


def test_nothing_is_looked_at_for_a_target_that_is_no_older() -> None:
    script = "CREATE TABLE s.t (a int, b int GENERATED ALWAYS AS (a))"
    assert len(fit(script, 15, source=15).items) == len(fit(script, 16, source=15).items) == 1


def test_advice_is_for_older_targets_only() -> None:
    assert advice(150018, 150002) == advice(150018, 160001) == ""
    assert "into PostgreSQL 18 or newer" in advice(180004, 170010)
