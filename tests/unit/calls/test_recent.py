"""What is kept of statements that were rewritten: the last that only read."""

from __future__ import annotations

from proxy.calls.recent import LONGEST, MOST, Known, Recent, Seen
from proxy.calls.rewrite import references, rewrite

SEEN = Seen(frozenset(), frozenset(), frozenset(), False, False)


def known(sql: str) -> Known:
    return Known(references(sql), SEEN, rewrite(sql))


def test_the_last_statements_are_kept() -> None:
    recent = Recent()
    sent = [f"SELECT {number} FROM pgclone_jobs_view" for number in range(MOST + 1)]
    for sql in sent:
        recent.keep(sql, known(sql))
    assert recent.get(sent[0]) is None
    assert recent.get(sent[1]) == known(sent[1])
    recent.keep(sent[1], known(sent[1]))
    recent.keep(sent[0], known(sent[0]))
    assert recent.get(sent[2]) is None
    assert recent.get(sent[1]) is not None


def test_nothing_is_kept_that_may_hold_a_password() -> None:
    recent = Recent()
    for sql in (
        "SELECT pgclone_schema_async('host=h password=p', 's')",
        "SELECT * FROM pgclone_jobs_view; SELECT pgclone_schema_async('host=h password=p', 's')",
        "PREPARE p AS SELECT pgclone_schema_async('host=h password=p', 's')",
    ):
        recent.keep(sql, known(sql))
        assert recent.get(sql) is None


def test_what_depends_on_what_is_prepared_is_not_kept() -> None:
    recent = Recent()
    (prepared,) = rewrite("PREPARE p AS SELECT * FROM pgclone_jobs_view")
    for sql in ("EXECUTE p", "EXPLAIN EXECUTE p", "SELECT pgclone_version(); Execute other"):
        recent.keep(sql, Known(references(sql), SEEN, rewrite(sql, prepared={"p": prepared})))
        assert recent.get(sql) is None


def test_nothing_long_is_kept() -> None:
    recent = Recent()
    sql = f"SELECT '{'x' * LONGEST}' FROM pgclone_jobs_view"
    recent.keep(sql, known(sql))
    assert recent.get(sql) is None
