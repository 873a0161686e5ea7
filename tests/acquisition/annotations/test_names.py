"""Names of people in titles and links."""

import json
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.acquisition.annotations.names import bare_permalink, mask

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
def test_names_are_masked(text: str, expected: str) -> None:
    assert mask(text) == expected


@pytest.mark.parametrize("text", LEFT)
def test_the_rest_stays(text: str) -> None:
    assert mask(text) == text


@given(st.text(alphabet="ab_-/@u .\\", max_size=40))
def test_twice_is_once(text: str) -> None:
    assert mask(mask(text)) == mask(text)


def test_links() -> None:
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
