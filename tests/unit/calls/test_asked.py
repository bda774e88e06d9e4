"""Which jobs a statement asks the progress of: those its text or its parameters name, else any."""

from __future__ import annotations

import pytest

from proxy.calls.asked import NOTHING, Asked, merged
from proxy.calls.rewrite import rewrite

ANY = None


@pytest.mark.parametrize(
    ("sql", "asked"),
    [
        ("SELECT pgclone_progress(7), pgclone.progress(-8)", Asked(frozenset({7, -8}))),
        ("SELECT pgclone_progress(job_id => 7::int)", Asked(frozenset({7}))),
        ("SELECT * FROM pgclone_progress($1)", Asked(parameters=(1,))),
        ("SELECT pgclone_progress($2::bigint) WHERE $1", Asked(parameters=(2,))),
        ("SELECT pgclone_progress($1), pgclone_progress(3), pgclone_progress($1)", Asked(frozenset({3}), (1,))),
        ("SELECT * FROM pgclone_jobs_view", NOTHING),
        ("SELECT pgclone_version()", NOTHING),
        ("SELECT pgclone_cancel(3), pgclone_progress(3)", Asked(frozenset({3}))),
        # What the text does not tell.
        ("SELECT pgclone_progress(job_id) FROM pgclone_jobs_view", ANY),
        ("SELECT pgclone_progress(7), pgclone_progress(x) FROM t", ANY),
        ("SELECT pgclone_progress($1 + 1)", ANY),
        ("SELECT pgclone_progress('7')", ANY),
        ("SELECT pgclone_progress(NULL)", ANY),
        ("SELECT pgclone_progress((SELECT 7))", ANY),
        ("SELECT pgclone_progress(pgclone_cancel(1)::int)", ANY),
        # Of another type than an integer, or perhaps so.
        ("SELECT pgclone_progress($1::text::int)", ANY),
        ("SELECT pgclone_progress($1::mine.int4)", ANY),
        ("SELECT $1::text, pgclone_progress($1)", ANY),
        # What EXECUTE will give.
        ("PREPARE p AS SELECT pgclone_progress($1)", NOTHING),
    ],
)
def test_what_is_asked(sql: str, asked: Asked | None) -> None:
    (statement,) = rewrite(sql)
    assert statement.asked == asked
    if statement.prepares:
        assert statement.prepares.asked is ANY


def test_execute_asks_any() -> None:
    (prepared,) = rewrite("PREPARE p AS SELECT pgclone_progress(7)")
    (executed,) = rewrite("EXECUTE p", prepared={"p": prepared})
    assert executed.asked is ANY


def test_parameters_and_statements_come_together() -> None:
    asked = Asked(frozenset({1}), (1, 2))
    assert merged([asked.with_numbers([5, 5]), NOTHING]) == {1, 5}
    assert merged([asked.with_numbers([5, None]), NOTHING]) is None
    assert merged([]) == frozenset()
