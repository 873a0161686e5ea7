"""What the index answers, against what the tables say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.browse.small_study import COUNT, GENERATED, ITM, LONG, ORIGINAL
from workflow_scripts.browse.build import MOST_CHARACTERS
from workflow_scripts.browse.index import Index, Neighbour
from workflow_scripts.browse.pages import partners
from workflow_scripts.browse.view import PER_PAGE, View, match_expression, view_of
from workflow_scripts.core.errors import PipelineError


def rows(index: Index, **view: str) -> list[int]:
    return index.find(view_of(view)).rows


@pytest.mark.parametrize(
    ("q", "arm", "expected"),
    [
        ("dog", "original", [3, 5]),
        ("DOG red", "original", [5]),
        ('"red dog"', "original", [5]),
        ('"dog red"', "original", []),
        ("gras*", "original", [3]),
        ("gra*", "original", []),  # too short: a word
        ("cafe", "original", [8]),
        ("script", "original", [4]),
        ("dog", "generated", [5]),
        ("dog", "", [3, 5]),
        ("dog", "shuffled", [2, 4]),  # captions of other images
        ("k7", "", [7]),
        ("some_one", "", []),  # names of people are masked
        ("!!", "", []),
        ("  ", "", list(range(COUNT))),
    ],
)
def test_full_text_search_finds_the_expected_rows(index: Index, q: str, arm: str, expected: list[int]) -> None:
    assert rows(index, q=q, arm=arm) == expected


@given(st.text())
def test_no_search_is_an_error(index: Index, q: str) -> None:
    rows(index, q=q[:300])


@given(st.text(alphabet="ab \"*'():-^+{}\\AND NOT OR NEAR", max_size=40))
def test_operators_of_full_text_search_are_words(index: Index, q: str) -> None:
    rows(index, q=q)


def test_search_words_are_quoted() -> None:
    assert match_expression('a"b NOT terrier* "x y*" ter*') == '"a""b" AND "NOT" AND "terrier*"* AND "x y*" AND "ter*"'


def test_filters_select_the_matching_rows(index: Index) -> None:
    assert rows(index, subreddit="a") == [0, 2, 4, 6, 8]
    assert rows(index, score="original/matcher itm", lowest="0.5", highest="1.5") == [5, 6, 7]
    assert rows(index, score="original/matcher itm", lowest="0.5", highest="1.5", subreddit="b") == [5, 7]
    assert rows(index, score="original/clip cosine") == [0, 5]  # others have no such score
    assert index.scores == [
        "generated/matcher itm",
        "generated/matcher itc",
        "original/matcher itm",
        "original/matcher itc",
        "original/clip cosine",
    ]


def test_rows_are_ordered_by_score_or_at_random(index: Index) -> None:
    assert rows(index, score="original/matcher itm", order="high") == list(range(COUNT))[::-1]
    assert rows(index, score="original/matcher itm", order="low") == list(range(COUNT))
    assert rows(index, score="original/matcher itm", order="near")[0] == int(np.abs(ITM).argmin())
    found = rows(index, order="random", seed="3")
    assert sorted(found) == list(range(COUNT)) and found == rows(index, order="random", seed="3")
    assert found != rows(index, order="random", seed="4")


def test_differences_are_of_scores_or_of_ranks(index: Index) -> None:
    same = index.values(View(score="original/matcher itm", versus="generated/matcher itm"))
    assert same is not None and np.array_equal(same, ITM - ITM[::-1])
    ranks = index.values(View(score="original/matcher itm", versus="original/matcher itc"))
    places = (np.arange(COUNT) + 0.5) / COUNT
    assert ranks is not None and np.allclose(ranks, places - places[::-1])
    assert rows(index, score="original/matcher itm", versus="original/matcher itc", order="far")[:2] == [0, 8]


def test_pages_hold_each_image_once(index: Index) -> None:
    view = View(score="generated/matcher itc", order="high")
    pages = [index.find(view.model_copy(update={"page": page}), 4).rows for page in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [4, 4, 1, 0]
    assert sorted(row for page in pages for row in page) == list(range(COUNT)) and PER_PAGE > 4


@pytest.mark.parametrize(
    "view",
    [
        {"score": "original/x"},
        {"arm": "x"},
        {"arm": "x", "q": "dog"},
        {"subreddit": "../a"},
        {"order": "high"},
        {"lowest": "1"},
        {"versus": "original/matcher itm"},
        {"score": "original/matcher itm", "lowest": "nan"},
        {"page": "0"},
        {"seed": "-1"},
        {"other": "1"},
        {"q": "x" * 301},
    ],
)
def test_invalid_views_are_refused(index: Index, view: dict[str, str]) -> None:
    with pytest.raises(PipelineError, match="invalid view"):
        rows(index, **view)


def test_a_view_is_encoded_in_its_address() -> None:
    view = View(q="a b&c", score="original/matcher itm", lowest=0.5, page=3)
    assert view.address(page=1) == "q=a+b%26c&score=original%2Fmatcher+itm&lowest=0.5"
    assert View().address() == ""


def test_captions_are_grouped_by_arm_cut_and_masked(index: Index) -> None:
    first, long, masked, empty = index.captions([5, 6, 7, 2])
    assert {one.arms: one.text for one in first} == {
        ("generated",): GENERATED[5],
        ("original",): ORIGINAL[5],
        ("shuffled",): LONG[: MOST_CHARACTERS - 1].rstrip() + "…",
    }
    (cut,) = (one for one in long if "original" in one.arms)
    assert len(cut.text) <= MOST_CHARACTERS and cut.characters == len(LONG.strip())
    assert [one.text for one in masked if "original" in one.arms] == ["seen by <usr>"]
    assert [one.text for one in empty if "original" in one.arms] == [""]


def test_an_image_has_its_scores_and_neighbours(index: Index) -> None:
    (image,) = index.images([5])
    assert {name: image[name] for name in ("key", "subreddit", "year", "shard")} == {
        "key": "k5",
        "subreddit": "b",
        "year": 2020,
        "shard": 1,
    }
    scores = index.scores_of(5)
    assert scores["original/clip cosine"] == 0.25 and "shuffled/matcher itm" not in scores
    assert scores["original/matcher itm"] == pytest.approx(float(ITM[5]))
    assert index.neighbours(0) == {"mpnet": [Neighbour(5, 1, pytest.approx(0.9)), Neighbour(1, 2, pytest.approx(0.8))]}
    assert index.neighbours(3) == {"mpnet": []}
    captions = [card["caption"].text for card in partners(index, 0)["mpnet"]]
    assert captions == [GENERATED[5], GENERATED[1]], "those of the arm that the pair table compares"
    with pytest.raises(PipelineError, match="unknown row"):
        index.images([COUNT])
