"""One annotation row: its fields, its year, and why it is unfit."""

import json
import re
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.acquisition.zips import row
from workflow_scripts.acquisition.annotations.rows import (
    ROWS,
    Apart,
    bare_permalink,
    cut,
    host_of,
    is_cut,
    mask,
    read_row,
)

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


def test_a_valid_row_gives_all_fields() -> None:
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
def test_captions_are_cut_at_a_word_boundary_where_possible(text: str, start: str) -> None:
    assert cut(text, 11) == start


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), st.integers(1, 20))
def test_a_cut_caption_is_a_start_that_can_be_stored(text: str, most: int) -> None:
    start = cut(text, most)
    assert len(start) <= most and text.startswith(start)
    start.encode()
    assert is_cut({"caption": text}, most) == (len(text) > most)
    assert cut(text, None) == text


def test_an_address_across_the_caption_limit_is_dropped_entirely() -> None:
    fields, _ = read_row(row("a1", caption="thanks to somebody@mail.example for this"), "pics", 2020, 18)
    assert fields["caption"] == "thanks to"


def test_hosts_are_lower_case_and_keep_their_port() -> None:
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


MASKED = {
    "thanks u/666atan for the seeds": "thanks <usr> for the seeds",
    "/u/Some_body's cat!": "<usr>'s cat!",
    r"by /u/some\_body_": "by <usr>",
    "_u/name_": "_<usr>",
    "see https://imgur.com/user/gilligan72": "see https://imgur.com/<usr>",
    "r/u_somebody": "<usr>",
    "insta: @jane.doe_1, more there.": "insta: <usr>, more there.",
    "a@b": "a<usr>",
    "mail joe.b+x@mail.example.org now": "mail <usr> now",
    "＠wide": "<usr>",
}
LEFT = ["salt & pepper @ 250 f", "f@&$!", "an a@<usr>", "[USR]", "menu/food", "r/pics", "24/7 u/ s", "you/me", "<usr>@"]


@pytest.mark.parametrize(("text", "expected"), MASKED.items())
def test_names_of_people_are_masked(text: str, expected: str) -> None:
    assert mask(text) == expected


@pytest.mark.parametrize("text", LEFT)
def test_text_without_names_is_left_unmasked(text: str) -> None:
    assert mask(text) == text


@given(st.text(alphabet="ab_-/@u .\\", max_size=40))
def test_a_second_application_changes_nothing(text: str) -> None:
    assert mask(mask(text)) == mask(text)


def test_user_names_are_removed_from_permalinks() -> None:
    assert bare_permalink("/r/pics/comments/abc12/thanks_u_joe/") == "/r/pics/comments/abc12/"
    assert (
        bare_permalink("https://www.reddit.com/r/pics/comments/abc12") == "https://www.reddit.com/r/pics/comments/abc12"
    )
    assert bare_permalink("/r/u_joe/comments/abc12/title/") == "<usr>/comments/abc12/"
    assert bare_permalink("/user/joe_b/comments/abc12/title/").startswith("<usr>/")


@pytest.mark.shared
def test_no_name_is_left_in_real_titles(shared_data: Path) -> None:
    found = 0
    with zipfile.ZipFile(shared_data / "redcaps_annotations" / "redcaps_explore_dev_annotations.zip") as archive:
        for name in archive.namelist():
            for row in json.loads(archive.read(name))["annotations"] if name.endswith(".json") else []:
                text = mask(row["caption"] or "")
                found += text != row["caption"]
                assert not re.search(r"(^|[\s(])/?u/[A-Za-z0-9_-]{3}|@\w", text), text
    assert found > 100
