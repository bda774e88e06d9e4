"""What pg_dump begins with is what turns out to be wanted, in the usual case."""

from __future__ import annotations

import pytest

from clone_engine.planning.dumping import likely, selections
from clone_engine.records.names import Name
from clone_engine.records.request import CloneRequest, Options
from clone_engine.servers.needs import Needs
from clone_engine.servers.source import Source, Table

ORDERS, PART = Name("shop", "orders"), Name("parts", "orders_1")


def source(*names: Name) -> Source:
    return Source(150000, tables={name: Table(name, "r", 0, 0, None, "heap", None, ()) for name in names})


@pytest.mark.parametrize(
    "request_",
    [CloneRequest("schema", "shop"), CloneRequest("functions", "shop"), CloneRequest("table", "shop", "orders")],
)
def test_what_is_likely_is_wanted_where_nothing_is_needed(request_: CloneRequest) -> None:
    assert likely(request_) == selections(request_, source(ORDERS), Needs())


@pytest.mark.parametrize(
    ("needs", "others", "sequences"),
    [
        (Needs(schemas=("other",)), ("-n", '"other"', "-T", '"other".*'), ()),
        (Needs(extensions=("citext",)), ("-e", '"citext"'), ()),
        (Needs(sequences=(Name("other", "ids"),)), (), ("-t", '"other".("ids")')),
    ],
)
def test_what_is_needed_elsewhere_is_with_a_schema_and_beside_a_table(
    needs: Needs, others: tuple[str, ...], sequences: tuple[str, ...]
) -> None:
    schema, table = CloneRequest("schema", "shop"), CloneRequest("table", "shop", "orders")
    assert selections(schema, source(ORDERS), needs) == (("-n", '"shop"', *others), (), sequences)
    assert selections(table, source(ORDERS), needs) == (*likely(table)[:1], others, sequences)


def test_a_table_with_partitions_is_more_than_is_likely() -> None:
    table = CloneRequest("table", "shop", "orders")
    assert selections(table, source(ORDERS, PART), Needs()).clone == (
        "-t",
        '"parts".("orders_1")',
        "-t",
        '"shop".("orders")',
    )


@pytest.mark.parametrize("options", [Options(tables=("a",)), Options(exclude_tables=("a",))])
def test_nothing_is_likely_where_options_choose(options: Options) -> None:
    request = CloneRequest("schema", "shop", options=options)
    assert likely(request) == ((), (), ())
    wanted = selections(request, source(ORDERS)._replace(left_out={PART: "why"}), Needs())
    assert wanted.clone == ("-n", '"shop"', "-T", '"parts".("orders_1")')
