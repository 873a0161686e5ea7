"""One annotation row: its fields, its year, and why it is unfit."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.acquisition.zips import row
from workflow_scripts.acquisition.annotations.rows import ROWS, Apart, cut, host_of, is_cut, read_row

UNFIT = [
    *((thing, Apart.MALFORMED_ROW) for thing in (None, 3, "text", ["list"])),
    *((row("a1", **{name: 7}), Apart.MALFORMED_ROW) for name in ("url", "caption", "raw_caption", "permalink")),
    *((row(one), Apart.MALFORMED_ROW) for one in (7, ["a"], {})),
    *(
        (row("a1", created_utc=one), Apart.MALFORMED_ROW)
        for one in (True, "2020", -1, 1e30, 1.5, float("nan"), 10**400)
    ),
    *((row(one), Apart.BAD_ID) for one in (None, "", "../x", "a" * 65, "é", "a\n", "a.b")),
    *((row("a1", url=one), Apart.NO_URL) for one in (None, "")),
    *(
        (row("a1", url=one), Apart.BAD_URL)
        for one in ("i.redd.it/a.jpg", "ftp://a/b", "http://", "http://[x/", "http://a:x/")
    ),
]


@pytest.mark.parametrize(("raw", "reason"), UNFIT)
def test_unfit_rows_have_a_reason(raw: Any, reason: Apart) -> None:
    assert read_row(raw, "pics", 2020)[1] is reason


def test_fields_of_a_good_row() -> None:
    created = int(datetime(2018, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
    fields, reason = read_row(row("a1", created_utc=float(created), extra=1), "pics", 2020)
    assert reason is None
    assert set(fields) == set(ROWS.names)
    assert (fields["year"], fields["created_utc"], fields["subreddit"]) == (2018, created, "pics")
    assert read_row(row("a1"), "pics", 2020)[0]["year"] == 2020
    assert "author" not in fields


def test_lone_surrogates_can_be_stored() -> None:
    fields, _ = read_row(row("a1", caption="a \ud83d cat"), "pics", 2020)
    assert fields["caption"] == "a \ufffd cat"


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("", ""),
        ("a small cat", "a small cat"),
        ("a smallish cat", "a smallish "),
        ("a small cat and", "a small cat"),
        ("by somebody@mail.example", "by"),
        ("unspeakable", "unspeakable"),
        ("unspeakably long", "unspeakably"),
        ("Donaudampfschifffahrt", "Donaudampfs"),
        ("family 👨‍👩‍👧‍👦", "family"),
        (" " * 20, " " * 11),
    ],
)
def test_where_a_caption_is_cut(text: str, start: str) -> None:
    assert cut(text, 11) == start


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.integers(1, 20))
def test_a_cut_caption_is_a_start_that_can_be_stored(text: str, most: int) -> None:
    start = cut(text, most)
    assert len(start) <= most and text.startswith(start)
    start.encode()
    assert is_cut({"caption": text}, most) == (len(text) > most)
    assert cut(text, None) == text


def test_a_name_across_the_limit_is_not_left_in() -> None:
    fields, _ = read_row(row("a1", caption="thanks to somebody@mail.example for this"), "pics", 2020, 18)
    assert fields["caption"] == "thanks to"


def test_hosts() -> None:
    assert host_of("HTTPS://I.Redd.it/a.jpg") == "i.redd.it"
    assert host_of("http://127.0.0.1:8731/a.jpg") == "127.0.0.1:8731"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda x: st.lists(x) | st.dictionaries(st.text(), x),
)
names = st.sampled_from(["image_id", "url", "caption", "raw_caption", "permalink", "created_utc"])


@given(json_values | st.dictionaries(names, json_values))
def test_any_json_gives_a_row_of_the_schema(raw: Any) -> None:
    fields, _ = read_row(raw, "pics", 2020)
    assert pa.Table.from_pylist([fields], schema=ROWS).num_rows == 1
