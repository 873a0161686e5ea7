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


def read_all(text: bytes) -> int:
    stream = BoundedStream(io.BytesIO(text))
    return sum(len(piece) for piece in iter(lambda: stream.read(PIECE), b""))


@pytest.mark.parametrize("form", ["[%s]", '{"annotations": [%s]}', '{"a": [1], "annotations": [%s]}'])
def test_a_row_that_fills_a_piece_is_refused(form: str) -> None:
    row = json.dumps({f"field {number}": "text" for number in range(200_000)})
    with pytest.raises(ValueError, match="a row of more than 1048576 bytes"):
        read_all((form % f'{{"a": "b"}}, {row}').encode())


def test_many_short_rows_are_read() -> None:
    texts = {f"key {number}": "a text" for number in range(200_000)}
    rows = [{"id": number, "caption": ["a", "b"]} for number in range(60_000)]
    for content in (texts, rows, {"annotations": rows}):
        text = json.dumps(content).encode()
        assert read_all(text) == len(text) > 2 * PIECE
