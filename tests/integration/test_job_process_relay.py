"""Both ways of relaying a COPY, on real servers: every way it can end."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise

import psycopg
import pytest

from clone_engine.records.errors import PgError
from clone_engine.running import relay_libpq, relay_raw
from clone_engine.running.copy_stream import Copying, Moved
from clone_engine.running.relay import Copied, relay
from clone_engine.servers.connect import connect
from tests.harness.servers import Database
from tests.integration.job_runs import as_conninfo

Way = Callable[..., Copied]
Pair = tuple[psycopg.Connection, psycopg.Connection]
MANY = "generate_series(1, 300000) i"


@pytest.fixture
def pair(source_database: Database, target_database: Database) -> Iterator[Pair]:
    target_database.execute("CREATE TABLE t (i int, x text)")
    with (
        closing(connect(as_conninfo(source_database), "source", 1)) as source,
        closing(connect(as_conninfo(target_database), "target", 1)) as target,
    ):
        target.execute("BEGIN")
        yield source, target


@pytest.fixture(params=["raw", "libpq"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Way:
    """The relay of one COPY in either of its ways, whatever the connections are like."""
    only = {"raw": relay_raw.relay, "libpq": relay_libpq.relay}[request.param]
    monkeypatch.setattr(relay_raw, "relay", only)
    return copy


def copy(
    source: psycopg.Connection,
    target: psycopg.Connection,
    copy_out: str,
    copy_in: str,
    moved: Moved,
    *,
    binary: bool = False,
) -> Copied:
    """`relay` of one COPY."""
    (copied,) = relay(source, target, [Copying(copy_out, copy_in, binary)], moved)
    return copied


def out(query: str) -> str:
    return f"COPY ({query}) TO STDOUT"


def nothing(_rows: int, _size: int) -> None:
    pass


IN = "COPY public.t FROM STDIN"


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT 1, 'a' WHERE false", 0),
        ("SELECT 1, 'all in one read'", 1),
        ("SELECT i, repeat('x', i % 200) || E'\\t\\n\\\\.' FROM generate_series(1, 100000) i", 100_000),
        ("SELECT i, repeat('x', 680956 - 3) FROM generate_series(1, 5) i", 5),
        ("SELECT i, repeat('y', 20000000) FROM generate_series(1, 2) i", 2),
        ("SELECT NULL::int, 'd' FROM generate_series(1, 5000) i", 5000),
    ],
    ids=["none", "one", "many", "unlucky length", "huge", "d"],
)
def test_all_rows_arrive_and_both_connections_can_go_on(pair: Pair, way: Way, query: str, rows: int) -> None:
    source, target = pair
    moved: list[int] = []
    copied = way(source, target, out(query), IN, lambda _rows, n: moved.append(n))
    assert copied.rows == rows
    assert sum(moved) >= copied.bytes >= rows
    target.execute("COMMIT")
    checksum = "count(*), sum(hashtext(t::text)::bigint)"
    expected = source.execute(f"SELECT {checksum} FROM ({query}) t".encode()).fetchall()
    assert target.execute(f"SELECT {checksum} FROM public.t".encode()).fetchall() == expected


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("SELECT 1, 'a' WHERE false", 0),
        ("SELECT 1, 'all in one read'", 1),
        ("SELECT i, repeat('x', i % 200) FROM generate_series(1, 100000) i", 100_000),
        ("SELECT i, repeat(E'd\\nc\\tCOPY Z', 20000) FROM generate_series(1, 50) i", 50),
        # The bytes of ReadyForQuery, of a row's head and of CopyDone, as numbers.
        ("SELECT x, 'Z' FROM unnest(ARRAY[1509949440, 1677721600, 1660944384]) x, generate_series(1, 5000)", 15_000),
        ("SELECT i, repeat('y', 20000000) FROM generate_series(1, 2) i", 2),
    ],
    ids=["none", "one", "many", "wide", "looks like frames", "huge"],
)
def test_binary_rows_arrive_too(pair: Pair, way: Way, query: str, rows: int) -> None:
    source, target = pair
    moved: list[int] = []
    copied = way(
        source,
        target,
        f"{out(query)} (FORMAT binary)",
        f"{IN} (FORMAT binary)",
        lambda rows, _size: moved.append(rows),
        binary=True,
    )
    assert copied.rows == rows <= sum(moved) <= rows + 1  # the end of the data is a frame as well
    target.execute("COMMIT")
    checksum = "count(*), sum(hashtext(t::text)::bigint)"
    expected = source.execute(f"SELECT {checksum} FROM ({query}) t".encode()).fetchall()
    assert target.execute(f"SELECT {checksum} FROM public.t".encode()).fetchall() == expected


def test_a_source_that_fails_in_the_middle_of_binary_rows_is_heard(pair: Pair, way: Way) -> None:
    query = "SELECT 1 / (900 - i), repeat('x', 1000) FROM generate_series(1, 1000) i"
    with pytest.raises(PgError, match="division by zero"):
        way(*pair, f"{out(query)} (FORMAT binary)", f"{IN} (FORMAT binary)", nothing, binary=True)


def test_rows_that_come_slowly_are_told_as_they_come(pair: Pair, way: Way) -> None:
    told: list[int] = []
    query = "SELECT i, repeat('x', 1000) FROM generate_series(1, 300) i WHERE pg_sleep(0.001) IS NOT NULL"
    assert way(*pair, out(query), IN, lambda rows, _size: told.append(rows)).rows == 300
    assert len(told) >= 10  # of some ten rows each: what the source sends at once
    assert max(told) < 100


def test_one_long_row_is_told_piece_by_piece(pair: Pair) -> None:
    # Encrypted connections tell of it when it is there: libpq gives whole rows.
    told: list[int] = []
    query = "SELECT 1, repeat('y', 20000000)"
    assert copy(*pair, out(query), IN, lambda _rows, size: told.append(size)).rows == 1
    assert len(told) >= 10


@pytest.mark.parametrize(
    ("query", "sqlstate", "words"),
    [
        ("SELECT nothing_there", "42703", 'column "nothing_there" does not exist'),
        ("SELECT 1 / (i - 1), 'x' FROM generate_series(1, 9) i", "22012", "division by zero"),
        (f"SELECT 1 / (i - 200000), repeat('x', 100) FROM {MANY}", "22012", "division by zero"),
        (
            f"SELECT CASE i WHEN 200000 THEN repeat('z', 900000)::int ELSE 1 END, 'x' FROM {MANY}",
            "22P02",
            'invalid input syntax for type integer: "zzzz',
        ),
        (
            f"SELECT CASE i WHEN 200000 THEN E'x\\nd'::int ELSE 1 END, 'x' FROM {MANY}",
            "22P02",
            'invalid input syntax for type integer: "x\nd',
        ),
    ],
    ids=["at once", "first row", "in the middle", "longer than any buffer", "text that looks like a row"],
)
def test_a_source_that_fails_is_quoted_and_nothing_can_be_committed(
    pair: Pair, way: Way, query: str, sqlstate: str, words: str, target_database: Database
) -> None:
    source, target = pair
    with pytest.raises(PgError) as failure:
        way(source, target, out(query), IN, nothing)
    assert failure.value.sqlstate == sqlstate
    assert failure.value.message.startswith(words)
    assert target_database.value("SELECT count(*) FROM public.t") == 0


@pytest.mark.parametrize(
    ("prepare", "query", "sqlstate", "words"),
    [
        ("DROP TABLE public.t", "SELECT 1, 'x'", "42P01", 'relation "public.t" does not exist'),
        (
            "SELECT 1",
            f"SELECT 'no number', i FROM {MANY}",
            "22P02",
            'invalid input syntax for type integer: "no number"',
        ),
        ("ALTER TABLE public.t ADD UNIQUE (i)", f"SELECT i / 2, 'x' FROM {MANY}", "23505", "duplicate key value"),
        ("ALTER TABLE public.t ADD UNIQUE (i)", "SELECT 1, i FROM generate_series(1, 2) i", "23505", "duplicate key"),
        ("ALTER TABLE public.t ADD CHECK (i < 290000)", f"SELECT i, 'x' FROM {MANY}", "23514", "new row for relation"),
    ],
    ids=["no table", "first row", "in the middle", "last row", "late"],
)
def test_a_target_that_fails_is_quoted(
    pair: Pair, way: Way, prepare: str, query: str, sqlstate: str, words: str, target_database: Database
) -> None:
    source, target = pair
    target.execute(prepare.encode())
    with pytest.raises(PgError) as failure:
        way(source, target, out(query), IN, nothing)
    assert failure.value.sqlstate == sqlstate
    assert failure.value.message.startswith(words)
    assert source.closed
    assert target.closed
    assert target_database.value("SELECT count(*) FROM public.t") == 0


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_server_that_dies_in_the_middle(
    pair: Pair, way: Way, side: str, source_database: Database, target_database: Database
) -> None:
    source, target = pair
    victim, database = (source, source_database) if side == "source" else (target, target_database)
    ended = False

    def end_it(_rows: int, _size: int) -> None:
        nonlocal ended
        if not ended:
            ended = True
            database.execute(f"SELECT pg_terminate_backend({victim.info.backend_pid}, 5000)")

    with pytest.raises(PgError) as failure:
        way(source, target, out(f"SELECT i, repeat('x', 500) FROM {MANY}"), IN, end_it)
    # A backend that is blocked in sending ends without a word.
    if failure.value.sqlstate == "08006":
        assert "connection" in failure.value.message
    else:
        assert failure.value.sqlstate == "57P01"
        assert failure.value.message == "terminating connection due to administrator command"
    assert target_database.value("SELECT count(*) FROM public.t") == 0


def test_a_source_that_is_cut_off_within_a_row(pair: Pair, way: Way, target_database: Database) -> None:
    """Nothing can be said to the target in the middle of a frame: waiting for its answer would be for ever."""
    source, target = pair
    cut = False

    def cut_off(_rows: int, _size: int) -> None:
        nonlocal cut
        if not cut:
            cut = True
            with socket.socket(fileno=os.dup(source.fileno())) as plain:
                plain.shutdown(socket.SHUT_RDWR)

    with pytest.raises(PgError) as failure:
        way(source, target, out("SELECT i, repeat('x', 3000000) FROM generate_series(1, 5) i"), IN, cut_off)
    assert failure.value.sqlstate == "08006"
    assert target_database.value("SELECT count(*) FROM public.t") == 0


@pytest.mark.parametrize("notice_per", [1, 1000])
def test_messages_between_rows(pair: Pair, notice_per: int, source_database: Database) -> None:
    """INFO is sent whatever client_min_messages is.  A notice within a chunk is noticed by the target, never stored."""
    source_database.execute(
        "CREATE FUNCTION public.tell(i int) RETURNS int LANGUAGE plpgsql AS $$"
        f"BEGIN IF i % {notice_per} = 0 THEN RAISE INFO 'row %', i; END IF; RETURN i; END $$"
    )
    source, target = pair
    query = out("SELECT public.tell(i), 'x' FROM generate_series(1, 3000) i")
    try:
        assert copy(source, target, query, IN, nothing).rows == 3000
    except PgError as error:
        assert error.sqlstate == "08P01"


def test_servers_that_disagree_fail_the_copy(pair: Pair) -> None:
    source, target = pair
    target.execute(
        "CREATE FUNCTION public.drop_even() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN RETURN CASE NEW.i % 2 WHEN 1 THEN NEW END; END $$"
    )
    target.execute("CREATE TRIGGER t BEFORE INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION public.drop_even()")
    with pytest.raises(PgError, match="the source sent 10 rows, but the target stored 5"):
        copy(source, target, out("SELECT i, 'x' FROM generate_series(1, 10) i"), IN, nothing)


def test_another_format_than_was_asked_for_is_refused(pair: Pair) -> None:
    source, target = pair
    with pytest.raises(PgError) as failure:
        copy(source, target, "COPY (SELECT 1, 'x') TO STDOUT (FORMAT binary)", IN, nothing)
    assert failure.value.sqlstate == "0A000"


@pytest.fixture
def several(target_database: Database) -> list[Copying]:
    """COPYs of tables that differ in everything, the first and the last without rows."""
    queries = {
        "none": ("SELECT 1, 'x' WHERE false", False),
        "few": ("SELECT i, 'few' FROM generate_series(1, 3) i", False),
        "as_binary": ("SELECT i, repeat('d', i % 50) FROM generate_series(1, 2000) i", True),
        "many": ("SELECT i, repeat(E'\\n', i % 60) FROM generate_series(1, 20000) i", False),
        "wide": ("SELECT i, repeat('y', 900000) FROM generate_series(1, 3) i", False),
        "empty": ("SELECT 1, 'x' WHERE false", True),
    }
    target_database.execute("; ".join(f"CREATE TABLE public.{name} (i int, x text)" for name in queries))
    suffix = {False: "", True: " (FORMAT binary)"}
    return [
        Copying(out(query) + suffix[binary], f"COPY public.{name} FROM STDIN{suffix[binary]}", binary)
        for name, (query, binary) in queries.items()
    ]


def test_several_tables_follow_each_other(
    pair: Pair, way: Way, several: list[Copying], target_database: Database
) -> None:
    assert way is copy
    source, target = pair
    copied = relay(source, target, several, nothing)
    assert [each.rows for each in copied] == [0, 3, 2000, 20_000, 3, 0]
    target.execute("COMMIT")
    for name, each in zip(("few", "as_binary", "many", "wide"), several[1:], strict=False):
        query = each.out.removeprefix("COPY ").partition(" TO STDOUT")[0]
        checksum = "count(*), sum(hashtext(t::text)::bigint)"
        expected = source.execute(f"SELECT {checksum} FROM {query} t".encode()).fetchall()
        assert target.execute(f"SELECT {checksum} FROM public.{name} t".encode()).fetchall() == expected
    assert source.execute("SELECT 1").fetchone() == target.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("at", [0, 2, 5])
@pytest.mark.parametrize("side", ["source", "target"])
def test_of_several_tables_one_that_fails_fails_all(
    pair: Pair, way: Way, several: list[Copying], at: int, side: str, target_database: Database
) -> None:
    assert way is copy
    if side == "source":
        several[at] = several[at]._replace(out=out("SELECT 1 / (i - 3), 'x' FROM generate_series(1, 9) i"))
        if several[at].binary:
            several[at] = several[at]._replace(out=several[at].out + " (FORMAT binary)")
    else:
        several[at] = several[at]._replace(into="COPY public.nowhere FROM STDIN")
    with pytest.raises(PgError) as failure:
        relay(*pair, several, nothing)
    assert failure.value.sqlstate == {"source": "22012", "target": "42P01"}[side]
    assert all(connection.closed for connection in pair)
    assert target_database.value("SELECT count(*) FROM public.few") == 0


def test_of_several_tables_rows_that_the_target_refuses_are_its_error(
    pair: Pair, way: Way, several: list[Copying], target_database: Database
) -> None:
    assert way is copy
    target_database.execute("ALTER TABLE public.many ADD CHECK (i < 15000)")
    with pytest.raises(PgError) as failure:
        relay(*pair, several, nothing)
    assert failure.value.sqlstate == "23514"


def test_progress_of_a_plain_relay(pair: Pair) -> None:
    source, target = pair
    totals = [(0, 0)]

    def add(rows: int, size: int) -> None:
        totals.append((totals[-1][0] + rows, totals[-1][1] + size))

    copied = copy(source, target, out(f"SELECT i, repeat('x', i % 90) FROM {MANY}"), IN, add)
    assert copied == Copied(300_000, copied.bytes)
    assert all(before <= after for before, after in pairwise(totals))
    assert abs(totals[-1][0] - 300_000) < 15_000  # an estimate
    assert totals[-1][1] == copied.bytes + 5 * 300_000  # with frame headers
