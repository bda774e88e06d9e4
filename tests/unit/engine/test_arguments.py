"""SQL arguments that become a request, and those that are refused."""

from __future__ import annotations

from typing import Any

import pytest

from clone_engine.asking.arguments import build_request
from clone_engine.records.errors import PgError
from clone_engine.records.request import CloneRequest, Kind, Options

TABLE = {"source_conninfo": "host=h", "schema_name": "s", "table_name": "t"}

TAKEN: list[tuple[Kind, dict[str, Any], CloneRequest]] = [
    ("table", TABLE, CloneRequest("table", "s", "t")),
    ("table", {**TABLE, "include_data": False}, CloneRequest("table", "s", "t", include_data=False)),
    ("table", {**TABLE, "include_data": None}, CloneRequest("table", "s", "t", include_data=True)),
    ("table", {**TABLE, "target_table_name": None, "options": None}, CloneRequest("table", "s", "t")),
    ("table", {**TABLE, "target_table_name": "", "options": ""}, CloneRequest("table", "s", "t")),
    ("table", {**TABLE, "target_table_name": "x"}, CloneRequest("table", "s", "t", "x")),
    ("table", {**TABLE, "schema_name": "Sch ema\n\"'", "table_name": "é" * 31},
     CloneRequest("table", "Sch ema\n\"'", "é" * 31)),
    ("table", {**TABLE, "options": '{"where": "true"}'},
     CloneRequest("table", "s", "t", options=Options(where="true"))),
    ("table", {**TABLE, "include_indexes": False, "include_constraints": None, "include_triggers": True},
     CloneRequest("table", "s", "t", options=Options(indexes=False))),
    ("schema", {"schema_name": "s", "include_data": True, "options": '{"parallel": 4}'},
     CloneRequest("schema", "s", options=Options(parallel=4))),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "arguments", "request_"), TAKEN)
def test_taken(kind: Kind, arguments: dict[str, Any], request_: CloneRequest) -> None:
    assert build_request(kind, arguments) == request_


REFUSED: list[tuple[Kind, dict[str, Any], str, str]] = [
    ("schema", {"schema_name": None}, "22004", "pgclone: schema_name must not be null"),
    ("schema", {"schema_name": ""}, "22023", "pgclone: schema_name must not be empty"),
    ("schema", {"schema_name": "x" * 64}, "42622", "pgclone: schema_name is too long"),
    ("table", {**TABLE, "table_name": None}, "22004", "pgclone: table_name must not be null"),
    ("table", {**TABLE, "table_name": ""}, "22023", "pgclone: table_name must not be empty"),
    ("table", {**TABLE, "table_name": "é" * 32}, "42622", "pgclone: table_name is too long"),
    ("table", {**TABLE, "target_table_name": "x" * 64}, "42622", "pgclone: target_table_name is too long"),
    ("schema", {"schema_name": "pg_catalog"}, "42939",
     'pgclone: "pg_catalog" is a schema of the system and cannot be cloned'),
    ("functions", {"schema_name": "information_schema"}, "42939",
     'pgclone: "information_schema" is a schema of the system and cannot be cloned'),
    ("table", {**TABLE, "schema_name": "pg_toast"}, "42939",
     'pgclone: "pg_toast" is a schema of the system and cannot be cloned'),
    ("schema", {"schema_name": "s", "options": '{"where": "a"}'}, "22023",
     'pgclone: option "where" must be an object of conditions by table'),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "arguments", "sqlstate", "message"), REFUSED)
def test_refused(kind: Kind, arguments: dict[str, Any], sqlstate: str, message: str) -> None:
    with pytest.raises(PgError) as caught:
        build_request(kind, arguments)
    assert (caught.value.sqlstate, caught.value.message) == (sqlstate, message)
    assert caught.value.hint
