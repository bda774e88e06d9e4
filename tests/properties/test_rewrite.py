"""For any text: a list or the one documented error; what is not ours is left alone; positions map in order."""

from __future__ import annotations

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from clone_engine.records.errors import PgError
from proxy.calls.filter import may_name_ours, names_ours
from proxy.calls.recording import parse_log
from proxy.calls.rewrite import join, references, rewrite

WORDS = """
SELECT FROM WHERE AS WITH RECURSIVE TABLE ONLY INSERT INTO VALUES UPDATE SET RETURNING EXPLAIN ANALYZE
PREPARE p EXECUTE COPY TO STDOUT DECLARE c CURSOR FOR CASE WHEN THEN ELSE END UNION ALL LATERAL JOIN ON
true ( ( ) ) , , ; . :: => [ ] * + $1 7 'x' 'é' NULL text a b v pgclone public pgclone_jobs_view
pgclone.jobs_view pgclone_progress(7) pgclone_cancel( pgclone_version() pgclone_progress_detail()
pgclone_schema_async('c', job_id U&"\\0070" /*c*/ --d $$q$$
"""
SCRAPS = st.lists(st.sampled_from([*WORDS.split(), "\n"]), max_size=15).map(" ".join)
EXPRESSIONS = st.recursive(
    st.sampled_from(["7", "'é'", "a", "pgclone_version()", "pgclone_cancel(1)", "v.job_id"]),
    lambda inner: st.one_of(
        inner.map("pgclone_progress({})".format),
        inner.map("({})::text".format),
        st.tuples(inner, inner).map("CASE WHEN true THEN {0[0]} ELSE {0[1]} END".format),
        st.tuples(inner, inner).map("f({0[0]}, x => {0[1]})".format),
        inner.map("(SELECT {} FROM public.pgclone_jobs_view v)".format),
    ),
    max_leaves=8,
)
STATEMENTS = st.lists(EXPRESSIONS, min_size=1, max_size=3).map(
    lambda items: f"SELECT {', '.join(items)} FROM t, pgclone_jobs_view"
)


@given(st.one_of(st.text(), SCRAPS, SCRAPS.map("SELECT {}".format)), st.booleans())
@settings(deadline=None)
def test_any_text(text: str, extended: bool) -> None:
    found = references(text)
    with contextlib.suppress(PgError):
        statements = rewrite(text, extended=extended)
        assert found or not statements
        untouched = [piece for each in statements if each.kind == "plain" for piece in each.template.pieces]
        assert all(piece.copied for piece in untouched)


@given(SCRAPS.filter(lambda text: "pgclone" not in text and "U&" not in text))
@settings(deadline=None)
def test_without_our_names_nothing_is_ours(text: str) -> None:
    assert rewrite(text) == []
    assert not may_name_ours(text.encode(), prepared=False)


@given(st.one_of(SCRAPS.map("SELECT {}".format), STATEMENTS))
@settings(deadline=None)
def test_what_is_rewritten_passes_the_filter(text: str) -> None:
    if references(text):
        assert may_name_ours(text.encode(), prepared=False)
        assert names_ours(text, prepared=frozenset())


@given(STATEMENTS)
@settings(deadline=None)
def test_positions(text: str) -> None:
    with contextlib.suppress(PgError):
        rendered = join(each.render("$1::pg_catalog.jsonb") for each in rewrite(text))
        end, offset, last = len(rendered.text), 0, 0
        for piece in rendered.pieces:
            if piece.copied:
                places = [rendered.client_position(offset + i + 1) for i in range(len(piece.text))]
                assert "".join(text[place - 1] for place in places) == piece.text
                assert places == sorted(places) and places[0] > last
                last = places[-1]
            offset += len(piece.text)
        assert offset == end
        assert all(0 < rendered.client_position(position) <= len(text) for position in range(1, end + 1))


@given(st.one_of(st.text(), st.from_regex(r"([0-9a-f]{32} \[[0-2],? ?.{0,5}\]\n){0,3}", fullmatch=True)))
@settings(deadline=None)
def test_any_log(log: str) -> None:
    (statement,) = rewrite("SELECT pgclone_cancel(1), pgclone_schema_async('c', 's')")
    with contextlib.suppress(PgError):
        for call in parse_log(log, statement.sites):
            assert list(call.arguments) == [argument.name for argument in call.signature.arguments]
