"""Which bytes of a COPY stream are rows: every cut of every kind of stream, and data that looks like something else."""

from __future__ import annotations

import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clone_engine.running.copy_stream import (
    BINARY,
    READY,
    end_of_rows,
    estimated_rows,
    fields,
    frames,
    lost_error,
    rows_of_tag,
)


def frame(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


def row(text: bytes) -> bytes:
    return frame(b"d", text + b"\n")


END = frame(b"c", b"") + frame(b"C", b"COPY 3\0") + frame(b"Z", b"T")
ERROR = frame(b"E", b"SERROR\0VERROR\0C22012\0Mdivision by zero\0\0") + frame(b"Z", b"E")
# Rows whose length bytes hold `d`, newline and NUL: 0x0a6400 and, cut short, the start of 0x0a64....
UNLUCKY = 0x0A6400 - 5
STREAMS = {
    "nothing": b"",
    "one row": row(b"1"),
    "rows": row(b"1\tx") * 500,
    "zero columns": row(b"") * 700,
    "length is a newline": row(b"12345") * 400,
    "rows that end in d": row(b"d") * 300 + row(b"xd") * 300 + row(b"dd") * 300,
    "long rows": row(b"x" * 3000) * 3,
    "unlucky lengths": row(b"y" * UNLUCKY) * 2 + row(b"d") * 3 + row(b"y" * UNLUCKY) + row(b"z"),
    "looks like frames": row(b"\\nd c C COPY 1 Z I E S") * 300,
}


@pytest.mark.parametrize(
    "follows", [b"", END, ERROR, frame(b"N", b"Mhello\0\0")], ids=["more", "end", "error", "notice"]
)
@pytest.mark.parametrize("name", STREAMS)
def test_rows_end_where_the_next_frame_begins(name: str, follows: bytes) -> None:
    data = STREAMS[name]
    assert end_of_rows(bytearray(data + follows), 0, len(data + follows)) == len(data)


# A long stream is not cut into millions of chunks.
CUTS = [(n, c) for n in STREAMS for c in (1, 2, 3, 5, 7, 64, 1000, 70_000) if c >= 64 or len(STREAMS[n]) < 100_000]


@pytest.mark.parametrize(("name", "chunk"), CUTS)
def test_any_cut_gives_the_same_rows(name: str, chunk: int) -> None:
    data = STREAMS[name]
    assert relayed(data + END, chunk) == (data, END)


def relayed(stream: bytes, chunk: int) -> tuple[bytes, bytes]:
    """What the relay's loop sends on, and what it leaves, if `chunk` bytes arrive at a time."""
    sent, buffer, edge = bytearray(), bytearray(), 0
    for at in range(0, len(stream), chunk):
        buffer += stream[at : at + chunk]
        edge = end_of_rows(buffer, edge, len(buffer))
        whole = min(edge, len(buffer))
        sent += buffer[:whole]
        del buffer[:whole]
        edge -= whole
        if len(buffer) >= 5:
            return bytes(sent), bytes(buffer) + stream[at + chunk :]
    return bytes(sent), bytes(buffer)


text_rows = st.lists(
    st.text(alphabet=st.sampled_from("d\t\\NZCEcx"), max_size=14)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0\n")),
    max_size=60,
)


@given(text_rows, st.integers(1, 90))
@example(["d", "", "dd", "d"], 9)
def test_any_rows(texts: list[str], chunk: int) -> None:
    data = b"".join(row(text.encode()) for text in texts)
    assert relayed(data + END, chunk) == (data, END)
    assert not READY.search(data)
    assert max(0, len(texts) - 1) >= estimated_rows(data, 0, len(data)) >= max(0, len(texts) - 1) - 1


def test_the_end_is_told_from_rows() -> None:
    assert READY.search(END)
    assert READY.search(ERROR)
    assert [kind for kind, _ in frames(END)] == [b"c", b"C", b"Z"]


def test_an_error_that_imitates_a_row_is_found_without_its_frames() -> None:
    error = frame(b"E", b"SERROR\0C22P02\0Minvalid: \nd\0Dsome detail\0\0") + frame(b"Z", b"E")
    stream = row(b"x") * 100 + error
    assert end_of_rows(bytearray(stream), 0, len(stream)) > len(stream)  # it is taken in,
    assert READY.search(stream)  # but not for longer than this chunk
    assert lost_error(stream)["C"] == "22P02"
    assert lost_error(row(b"x") * 10) == {}


def test_fields_of_a_cut_error() -> None:
    assert fields(b"SERROR\0C22012\0Mdivision by ze") == {"S": "ERROR", "C": "22012", "M": "division by ze"}


@pytest.mark.parametrize("tag", [b"SELECT 3\0", b"COPY\0", b"COPY x\0", b""])
def test_no_copy_tag(tag: bytes) -> None:
    with pytest.raises(ValueError, match="unexpected command tag"):
        rows_of_tag(tag)


def test_copy_tag() -> None:
    assert rows_of_tag(b"COPY 12\0") == rows_of_tag(b"COPY 12") == 12


@given(st.lists(st.binary(max_size=40), max_size=20), st.binary(max_size=30), st.integers(0, 1000))
def test_binary_rows_may_hold_anything(rows: list[bytes], more: bytes, cut: int) -> None:
    stream = b"".join(frame(b"d", row) for row in rows) + frame(b"c", b"") + frame(b"C", more)
    have = min(cut, len(stream))
    edges = [0]
    for one in rows:
        edges.append(edges[-1] + 5 + len(one))
    # Behind the last row of which the head is there; or at what is no row, or not all of a head.
    expected = max((edge for edge, start in zip(edges[1:], edges, strict=False) if start + 5 <= have), default=0)
    assert BINARY.walk(stream, 0, have) == (expected, sum(1 for edge in edges[:-1] if edge + 5 <= have))
