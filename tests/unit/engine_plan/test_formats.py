"""Which tables are copied in binary format."""

from __future__ import annotations

import pytest

from clone_engine.planning.formats import Ends, Format, binary
from clone_engine.records.names import Name
from clone_engine.servers.source import Column, Table

ALIKE = Ends(180000, 180000)
TYPES = {"id": 23, "scan": 17, "tags": 1009, "kind": 16999, "plan": 142, "colour": 16998, "spans": 1187}


def table(rows: int | None = 1000, size: int = 1 << 20) -> Table:
    columns = tuple(Column(name, False, f"1 {oid} -1", enum=name == "colour") for name, oid in TYPES.items())
    return Table(Name("s", "t"), "r", size, 128, rows, "heap", None, columns)


@pytest.mark.parametrize(
    ("columns", "wanted", "found"),
    [
        (["id", "scan", "tags"], "auto", True),
        (["id", "scan", "tags"], "text", False),
        (["id", "colour"], "auto", True),
        (["id", "scan", "kind"], "auto", False),
        (["id", "kind"], "binary", False),
        (["id", "plan"], "binary", False),
        ([], "binary", False),
    ],
)
def test_only_types_that_travel_alike_are(columns: list[str], wanted: Format, found: bool) -> None:
    assert binary(table(), columns, wanted, ALIKE) == found


@pytest.mark.parametrize(
    ("rows", "size", "auto"), [(1000, 128_000, True), (1000, 127_000, False), (None, 1 << 30, False), (0, 0, False)]
)
def test_by_itself_only_wide_rows_are(rows: int | None, size: int, auto: bool) -> None:
    assert binary(table(rows, size), ["id"], "auto", ALIKE) == auto
    assert binary(table(rows, size), ["id"], "binary", ALIKE)


@pytest.mark.parametrize(
    ("columns", "ends", "found"),
    [
        (["id"], Ends(180000, 140000), True),
        (["id"], Ends(180000, 180000, same_types=False), False),
        (["id"], Ends(180000, 180000, same_enums=False), True),
        (["id", "colour"], Ends(180000, 180000, same_enums=False), False),
        (["spans"], Ends(180000, 160000), False),
        (["id", "spans"], Ends(170000, 160000), False),
        (["spans"], Ends(160000, 180000), True),
        (["spans"], Ends(180000, 170000), True),
    ],
)
def test_both_sides_must_read_bytes_in_the_same_way(columns: list[str], ends: Ends, found: bool) -> None:
    """PostgreSQL 17 has infinite intervals, which older servers take for very long ones."""
    assert binary(table(), columns, "auto", ends) == binary(table(), columns, "binary", ends) == found


def test_rows_of_an_extension_are_text() -> None:
    assert not binary(table()._replace(extension="postgis"), ["id"], "binary", ALIKE)
