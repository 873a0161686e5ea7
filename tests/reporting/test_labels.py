"""Which images a label sheet shows, the sheet and its key."""

import csv
import io
import re
from collections import Counter
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from workflow_scripts.reporting.labels import captions_shown, items_of, key_file, sheet_name, sheet_page, stratified

SCRIPT = "<script>alert(1)</script> <img src=x onerror=alert(2)>"
CAPTIONS = {
    "k-one": {"original": "by u/some_body and @else", "generated": "a cat", "revised": "a cat", "shuffled": SCRIPT},
    "k-two": {"original": "", "generated": "x" * 300_000, "revised": "x" * 300_000, "shuffled": "a dog"},
}


def test_quintiles_are_equal_and_subreddits_are_covered_before_repeats() -> None:
    gain = np.arange(1000, dtype=np.float32)
    groups = ["rare" if row % 50 == 0 else "common" for row in range(1000)]
    drawn = stratified(gain, groups, 20, seed=0)
    assert Counter(row // 200 for row in drawn) == dict.fromkeys(range(5), 4)
    pairs = stratified(gain, groups, 10, seed=0)
    assert Counter((row // 200, groups[row]) for row in pairs) == {
        (quintile, group): 1 for quintile in range(5) for group in ("rare", "common")
    }


def test_rows_without_a_difference_are_never_drawn_and_none_is_drawn_twice() -> None:
    gain = np.array([0.0, np.nan, 1.0, np.inf, 2.0], dtype=np.float32)
    assert sorted(stratified(gain, ["a"] * 5, 200, seed=1)) == [0, 2, 4]
    assert stratified(np.full(3, np.nan), ["a"] * 3, 200, seed=1) == []


def test_only_the_seed_decides_the_sample() -> None:
    gain, groups = np.zeros(100), ["a"] * 100
    assert stratified(gain, groups, 10, 0) == stratified(gain, groups, 10, 0)
    assert stratified(gain, groups, 10, 0) != stratified(gain, groups, 10, 1)


@pytest.mark.parametrize("first", [0, 1])
def test_equal_differences_are_drawn_from_everywhere(first: int) -> None:
    """Ties are in random order: 100 of 1,000 equal rows are not all from one end."""
    rows = np.array(stratified(np.zeros(1000), ["a"] * 1000, 100, first))
    assert 400 < rows.mean() < 600  # the mean of 100 uniform rows has a deviation of 27


class Tags(HTMLParser):
    """The tags of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def page() -> str:
    items = items_of(CAPTIONS, seed=0)
    return sheet_page(items, [Image.new("RGB", (900, 600))] * 2, sheet_name(items), 480).decode()


def test_the_key_lists_every_arm_of_every_image_once() -> None:
    items = items_of(CAPTIONS, seed=0)
    rows = list(csv.DictReader(io.StringIO(key_file(items, "s").decode())))
    assert Counter((row["key"], row["arm"]) for row in rows) == Counter(
        (key, arm) for key, arms in CAPTIONS.items() for arm in arms
    )
    letters = {(row["key"], row["arm"]): row["caption"] for row in rows}
    assert letters["k-one", "generated"] == letters["k-one", "revised"]  # the same text is rated once
    texts = {(item.key, one.letter): one.text for item in items for one in item.captions}
    assert texts["k-one", letters["k-one", "generated"]] == "a cat"


def test_the_sheet_reveals_neither_keys_nor_arms(page: str) -> None:
    for word in ("k-one", "k-two", "original", "generated", "revised", "shuffled"):
        assert word not in page


def test_captions_are_escaped_masked_and_cut(page: str) -> None:
    tags = Tags(page).found
    assert [tag for tag, _ in tags].count("script") == 1
    assert [tag for tag, _ in tags].count("img") == 2
    assert all(not name.startswith("on") for _, attributes in tags for name in attributes)
    assert "some_body" not in page and "@else" not in page
    assert len(page) < 100_000
    assert "the caption has 300\u202f000 characters" in page
    assert page.count("empty caption") == 1


def test_the_sheet_loads_no_external_resources(page: str) -> None:
    tags = Tags(page).found
    addresses = [value or "" for _, attributes in tags for name, value in attributes.items() if name in ("src", "href")]
    assert addresses and all(address.startswith("data:") for address in addresses)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', page)
    assert "default-src &#39;none&#39;" in policy and "unsafe" not in policy and "http" not in policy


def test_every_caption_has_two_scales_and_every_image_a_preference(page: str) -> None:
    assert 'data-columns="sheet,rater,image,caption,faithful,specific,preferred"' in page
    names = Counter(attributes["name"] for tag, attributes in Tags(page).found if attributes.get("type") == "radio")
    assert sum(count == 4 for name, count in names.items() if not name.endswith("preferred")) == 2 * (3 + 3)
    assert names["i1-preferred"] == 3 + 1


def test_the_order_of_captions_is_random_and_seeded() -> None:
    arms = {"original": "one", "generated": "two"}
    first = [captions_shown(arms, f"k{number}", 0)[0].text for number in range(1000)]
    assert first == [captions_shown(arms, f"k{number}", 0)[0].text for number in range(1000)]
    assert 437 < first.count("one") < 563  # four deviations of 15.8 around 500
