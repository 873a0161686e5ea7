"""Rows of an annotation file, read piece by piece, against the standard library."""

import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workflow_scripts.acquisition.annotations import json_reader as annotation_json
from workflow_scripts.acquisition.annotations.json_reader import NoListError, Oversized, rows_of

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(values, max_size=6), info=values, first=st.booleans(), indent=st.sampled_from([None, 1]))
def test_rows_are_parsed_alike_for_any_piece_size(
    rows: list[Any], info: Any, first: bool, indent: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = {"annotations": rows, "info": info} if first else {"info": info, "annotations": rows}
    for ascii_only in (True, False):
        data = json.dumps(parts, indent=indent, ensure_ascii=ascii_only).encode(errors="surrogatepass")
        try:
            data.decode()
        except UnicodeDecodeError:
            continue
        for piece in (1, 3, 1 << 20):
            monkeypatch.setattr(annotation_json, "PIECE", piece)
            assert [row for row, _ in rows_of(io.BytesIO(data))] == rows


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"annotations": [1, 2',
        '{"annotations": [1 2]}',
        '{"annotations": []} x',
        '{"a" 1}',
        "{1: 2}",
        '{"annotations": [1,]}',
    ],
)
def test_invalid_json_is_an_error(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotation_json, "PIECE", 2)
    with pytest.raises(ValueError) as raised:
        list(rows_of(io.BytesIO(text.encode())))
    assert not isinstance(raised.value, NoListError)


@pytest.mark.parametrize(
    "text", ["[1]", "3", '{"a": []}', '{"annotations": {}}', '{"annotations": [], "annotations": []}']
)
def test_json_without_exactly_one_annotation_list_is_an_error(text: str) -> None:
    with pytest.raises(NoListError):
        list(rows_of(io.BytesIO(text.encode())))


def test_a_utf8_byte_order_mark_is_skipped() -> None:
    assert list(rows_of(io.BytesIO(b'\xef\xbb\xbf{"annotations": [{"a": 1}]}'))) == [({"a": 1}, 8)]


@pytest.mark.parametrize(
    "value",
    ['"' + 'a\\"\\\\' * 900_000 + '"', "[" + "[0]," * 400_000 + '{"]": 1}]', '{"caption": "' + "é" * 2_000_000 + '"}'],
)
def test_an_oversized_row_is_skipped_and_the_next_is_read(value: str) -> None:
    text = f'{{"info": {value}, "annotations": [1, {value}, {{"a": 2}}, {value}]}}'
    (one, _), (long, length), (two, _), (last, _) = rows_of(io.BytesIO(text.encode()))
    assert one == 1 and two == {"a": 2} and length == len(value)
    assert isinstance(long, Oversized) and isinstance(last, Oversized)


def test_malformed_json_is_not_taken_for_an_oversized_row() -> None:
    rows = ", ".join(['{"a": 1}'] * 400_000)
    for broken in ('{"a": tru}', "1" * 2_000_000, '{"a" 1}'):
        with pytest.raises(ValueError):
            list(rows_of(io.BytesIO(f'{{"annotations": [{broken}, {rows}]}}'.encode())))
    with pytest.raises(ValueError):
        list(rows_of(io.BytesIO(('{"annotations": ["' + "x" * 3_000_000).encode())))
