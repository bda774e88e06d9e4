"""Any bytes, split anywhere, go through the frame reader unchanged and in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.wire.frames import FrameReader

chunks = st.lists(
    st.binary(max_size=40) | st.sampled_from([b"Q\0\0\0\5\0", b"d\0\0\0\6ab", b"B\0\0\0\x30"]), max_size=30
)


@given(chunks, st.booleans())
def test_what_goes_in_comes_out(pieces: list[bytes], whole: bool) -> None:
    reader = FrameReader(frozenset(b"d"), frozenset(b"B"))
    out = b""
    for piece in pieces:
        reader.feed(piece)
        while (frame := reader.next(whole)) is not None:
            assert frame.start < frame.end
            out += reader.data[frame.start : frame.end]
    everything = b"".join(pieces)
    assert everything.startswith(out)
    assert len(everything) == len(out) + reader.waiting
