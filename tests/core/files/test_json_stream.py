"""Streams of large JSON files."""

import io
import json

import pytest

from workflow_scripts.core.files.json_stream import PIECE, BoundedStream


@pytest.mark.parametrize("size", [1, 2, 3, 7, 4096])
def test_nesting_is_counted_across_pieces(size: int) -> None:
    text = json.dumps([{"a": "[" * 200 + '"\\' + "]" * 300 + "\\"}, json.loads("[" * 98 + "]" * 98)]).encode()
    stream = BoundedStream(io.BytesIO(text))
    assert b"".join(iter(lambda: stream.read(size), b"")) == text
    stream = BoundedStream(io.BytesIO(text[:-1] + b"," + b"[" * 100 + b"]" * 101))
    with pytest.raises(ValueError, match="nested more than 100 levels deep"):
        list(iter(lambda: stream.read(size), b""))


def test_a_byte_order_mark_is_skipped() -> None:
    assert BoundedStream(io.BytesIO(b"\xef\xbb\xbf[1]")).read(9) == BoundedStream(io.BytesIO(b"[1]")).read(9) == b"[1]"


def test_a_text_that_fills_a_piece_is_refused() -> None:
    stream = BoundedStream(io.BytesIO(b'["' + b"x" * 3 * PIECE))
    assert len(stream.read(PIECE)) == PIECE
    with pytest.raises(ValueError, match="more than 1048576 bytes without a quotation mark"):
        stream.read(PIECE)
