"""CREATE TABLE narrowed to some columns, without its checks, without its parents."""

from __future__ import annotations

import pytest

from clone_engine.ddl.columns import narrowed_table, standing_alone, ungenerated, uses, without_checks
from clone_engine.ddl.definitions import parse_statement
from clone_engine.records.errors import PgError
from clone_engine.records.names import Name

OWN = frozenset({Name("app", "t")})


@pytest.mark.parametrize(
    ("table", "narrowed", "notes"),
    [
        ("(a integer, b text)", "(b text)", 0),
        ("(a integer, b text, CONSTRAINT c CHECK (a > 0))", "(b text)", 1),
        ("(a integer, b text, CONSTRAINT c CHECK (b > 'a'))", "(b text, CONSTRAINT c CHECK (b > 'a'))", 0),
        ("(a integer, b integer GENERATED ALWAYS AS (a * 2) STORED)", "(b integer)", 1),
        ("(a integer, b integer CHECK (b > a) NOT NULL)", "(b integer NOT NULL)", 1),
        ("(a integer)", "()", 0),
    ],
)
def test_narrowed_table(table: str, narrowed: str, notes: int) -> None:
    ddl, words = narrowed_table(parse_statement(f"CREATE TABLE app.t {table}"), frozenset({"a"}))
    assert ddl.node == parse_statement(f"CREATE TABLE app.t {narrowed}").node
    assert len(words) == notes


def test_the_partition_key_cannot_be_left_out() -> None:
    with pytest.raises(PgError) as caught:
        narrowed_table(parse_statement("CREATE TABLE app.t (a int, b int) PARTITION BY RANGE (a)"), frozenset({"a"}))
    assert caught.value.sqlstate == "42703"


def test_ungenerated() -> None:
    ddl = parse_statement(
        "CREATE TABLE app.t (a int, b int GENERATED ALWAYS AS (a) STORED, c int GENERATED ALWAYS AS (1) STORED)"
    )
    assert ungenerated(ddl, frozenset({"a"})) == {"b"}


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("CREATE INDEX i ON app.t (a)", True),
        ("CREATE INDEX i ON app.t (b) INCLUDE (a)", True),
        ("CREATE INDEX i ON app.t ((lower(a)))", True),
        ("CREATE INDEX i ON app.t (b) WHERE a > 0", True),
        ("CREATE INDEX a ON app.t (b)", False),
        ("ALTER TABLE app.t ADD CONSTRAINT a UNIQUE (b)", False),
        ("ALTER TABLE app.t ADD CONSTRAINT u UNIQUE (b) INCLUDE (a)", True),
        ("ALTER TABLE app.t ADD EXCLUDE USING gist (a WITH =)", True),
        ("ALTER TABLE app.t ADD FOREIGN KEY (b) REFERENCES app.u (a)", False),
        ("ALTER TABLE app.t ADD FOREIGN KEY (b) REFERENCES app.t (a)", True),
        ("CREATE TRIGGER g BEFORE UPDATE OF a ON app.t EXECUTE FUNCTION f()", True),
        ("CREATE TRIGGER g BEFORE UPDATE ON app.t FOR EACH ROW WHEN (new.a > 0) EXECUTE FUNCTION f()", True),
        ("CREATE TRIGGER a BEFORE UPDATE OF b ON app.t EXECUTE FUNCTION f('a')", False),
        ("CREATE STATISTICS app.s ON a, b FROM app.t", True),
        ("CREATE POLICY p ON app.t USING (a = 1)", True),
        ("GRANT SELECT (a) ON app.t TO PUBLIC", True),
    ],
)
def test_uses(sql: str, expected: bool) -> None:
    assert uses(parse_statement(sql).node, frozenset({"a"}), OWN) is expected


def test_without_checks() -> None:
    ddl = parse_statement("CREATE TABLE app.t (a int CHECK (a > 0) NOT NULL, CONSTRAINT c CHECK (a < 9))")
    assert without_checks(ddl).sql == "CREATE TABLE app.t (a integer NOT NULL)"


def test_standing_alone() -> None:
    ddl = parse_statement("CREATE TABLE app.t (c int, b text DEFAULT 'x') INHERITS (app.p)")
    inherited = [("a", "a integer NOT NULL"), ("b", "b text NOT NULL"), ("", "CONSTRAINT k CHECK (a > 0)")]
    alone = standing_alone(ddl, ["a", "b", "c"], inherited)
    assert alone.sql == (
        "CREATE TABLE app.t (a integer NOT NULL, b text DEFAULT 'x' NOT NULL, c integer, CONSTRAINT k CHECK (a > 0))"
    )
