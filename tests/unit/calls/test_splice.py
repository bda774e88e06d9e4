"""Splicing and the way back: copied text maps exactly, spliced text to its anchor."""

from __future__ import annotations

import pytest

from proxy.calls.splice import DATA, Rendered, Splice, Template, join

SQL = "SELECT 'é', f(7), g"
TEMPLATE = Template.of(
    SQL,
    0,
    len(SQL),
    [Splice(15, 16, f")::{DATA})", 12), Splice(12, 14, f"(look({DATA}", 12), Splice(16, 16, " AS f", 12)],
)


def test_rendered_text() -> None:
    assert TEMPLATE.render("$1").text == "SELECT 'é', (look($17)::$1) AS f, g"


@pytest.mark.parametrize(
    "found, client",
    [
        ("SELECT", "SELECT"),
        ("look", "f(7)"),
        ("7)", "7"),
        ("::", "f(7)"),
        (" AS f", "f(7)"),
        (", g", ", g"),
        ("g", "g"),
    ],
)
def test_position(found: str, client: str) -> None:
    rendered = TEMPLATE.render("$1")
    assert rendered.client_position(rendered.text.index(found) + 1) == SQL.index(client) + 1


@pytest.mark.parametrize("position, client", [(0, 0), (-1, 0)])
def test_no_position(position: int, client: int) -> None:
    assert TEMPLATE.render("$1").client_position(position) == client
    assert Rendered("", ()).client_position(5) == 0


def test_end_of_text() -> None:
    rendered = TEMPLATE.render("$1")
    assert rendered.client_position(len(rendered.text) + 1) == len(SQL) + 1


def test_join() -> None:
    sql = "SELECT a; SELECT b"
    first = Template.of(sql, 0, 9, [Splice(7, 8, "much longer", 7)])
    both = join([first.render(""), Template.of(sql, 9, len(sql)).render("")])
    assert both.text == "SELECT much longer; SELECT b"
    assert both.client_position(both.text.index("b") + 1) == sql.index("b") + 1
