"""What servers, databases and roles are set to changes neither the values that arrive nor what is made for them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from clone_engine.records.request import CloneRequest, Options
from tests.clone.serial import contents, schema_definitions
from tests.harness.servers import Database
from tests.integration.job_runs import Clone, cloning

SCHEMA = CloneRequest("schema", "app")
VALUES = r"""
CREATE SCHEMA app;
CREATE TYPE app.pair AS (a text, b timestamptz);
CREATE DOMAIN app.positive AS numeric CHECK (VALUE > 0);
CREATE TABLE app.t (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, f4 real, f8 float8, n numeric, d date, ts timestamptz, i interval,
    b bytea, m money DEFAULT '-1234567.89', texts text[] CHECK (texts <> '{}' OR NULL = texts), bounds int[],
    p app.pair, positive app.positive, r tstzrange, mr datemultirange, v tsvector, o oid, txt text,
    g text GENERATED ALWAYS AS (txt || '!') STORED);
INSERT INTO app.t (f4, f8, n, d, ts, i, b, texts, bounds, p, positive, r, mr, v, o, txt) VALUES
    (0.1, 0.1::float8 + 0.2, 'NaN', '0044-03-15 BC', '1883-11-18 12:00:00+00', '-1 year 2 mons -3 days 04:05:06.789',
     '\x00ff5c0a', '{NULL,"NULL","","a\"b\\"}', '[-1:1]={1,2,3}', ROW ('x, "y"', '2001-02-03 04:05+06'), 0.5,
     '[2001-02-03 04:05+06,infinity)', '{[2001-02-03,2001-03-04)}', $$'a b':1A 'it''s':2$$, 4294967295,
     E'\\.\r\n\t\\N\\'),
    ('-Infinity', 'NaN', 'Infinity', 'infinity', '-infinity', '-00:00:00.000001', '', '{}', NULL, ROW (NULL, NULL),
     NULL, 'empty', '{}', '', 0, '');
CREATE VIEW app.none AS SELECT count(*) FROM app.t WHERE txt = NULL;
CREATE INDEX ON app.t (txt);
"""
ODD = {
    "source": "datestyle 'SQL, DMY'|intervalstyle 'sql_standard'|extra_float_digits -15|bytea_output 'escape'"
    "|timezone 'Asia/Kathmandu'|lc_monetary 'POSIX'|row_security off|quote_all_identifiers on"
    "|search_path 'app'|standard_conforming_strings off|synchronize_seqscans on",
    "target": "datestyle 'German'|intervalstyle 'iso_8601'|extra_float_digits 0|timezone 'America/St_Johns'"
    "|array_nulls off|transform_null_equals on|search_path 'app'|standard_conforming_strings off"
    "|default_tablespace 'elsewhere'|default_transaction_isolation 'serializable'|statement_timeout '1ms'"
    "|check_function_bodies on|lc_monetary 'POSIX'|row_security off",
}


@pytest.fixture
def clone(source_database: Database, target_database: Database, tmp_path: Path) -> Iterator[Clone]:
    with cloning(source_database, target_database, tmp_path) as clone:
        yield clone


@pytest.fixture
def elsewhere(target_database: Database) -> Iterator[None]:
    """A tablespace of the target, empty again at the end."""
    with target_database.connect() as connection:
        connection.execute("SET allow_in_place_tablespaces = on")
        connection.execute("CREATE TABLESPACE elsewhere LOCATION ''")
    yield
    target_database.execute("DROP SCHEMA IF EXISTS app CASCADE")
    target_database.execute("DROP TABLESPACE elsewhere")


def change_settings(database: Database, settings: str) -> None:
    admin = Database(database.server, "postgres")
    for setting in settings.split("|"):
        name, value = setting.split(" ", 1)
        admin.execute(f"ALTER DATABASE {database.name} SET {name} = {value}")


@pytest.mark.usefixtures("elsewhere")
def test_values_and_definitions_do_not_depend_on_the_settings_of_databases(clone: Clone) -> None:
    """Guards against NULLs of arrays that became texts, and tables in the tablespace that a role happens to use."""
    clone.source.execute(VALUES)
    change_settings(clone.source, ODD["source"])
    change_settings(clone.target, ODD["target"])
    ended = clone.request(SCHEMA).wait()
    for database in (clone.source, clone.target):
        Database(database.server, "postgres").execute(f"ALTER DATABASE {database.name} RESET ALL")
    assert ended.error == ""
    assert contents(clone.target, "app") == contents(clone.source, "app")
    assert schema_definitions(clone.target, "app") == schema_definitions(clone.source, "app")
    assert clone.target.value("SELECT texts[1] IS NULL FROM app.t WHERE id = 1")


def test_rows_move_with_one_lc_monetary(clone: Clone) -> None:
    """An amount's text depends on it, and another server may read that as another amount."""
    clone.source.execute(
        "SET lc_monetary = 'C'; CREATE SCHEMA app;"
        "CREATE DOMAIN app.looked_at AS int CHECK (current_setting('lc_monetary') = 'C');"
        "CREATE TABLE app.t (v app.looked_at); INSERT INTO app.t VALUES (1)"
    )
    for database in (clone.source, clone.target):
        change_settings(database, "lc_monetary 'POSIX'")
    request = CloneRequest("table", "app", "t", options=Options(where="current_setting('lc_monetary') = 'C'"))
    assert clone.request(request).wait().error == ""
    assert clone.target.value("SELECT count(*) FROM app.t") == 1


def test_a_target_that_is_set_to_read_only_is_left_alone_and_said(clone: Clone) -> None:
    clone.source.execute("CREATE SCHEMA app; CREATE TABLE app.t (id int)")
    change_settings(clone.target, "default_transaction_read_only on")
    ended = clone.request(SCHEMA).wait()
    assert (ended.status, ended.sqlstate) == ("failed", "25006")
    assert "read-only transaction" in ended.error
    assert clone.target.rows("SELECT FROM pg_namespace WHERE nspname = 'app'") == []
