"""Captions and titles: what they name, how often they repeat, and which pairs they make."""

import re
from collections import Counter

import numpy as np
import pytest

from tests.demo.captions import caption_of
from workflow_scripts.demo.world.settings import World
from workflow_scripts.demo.world.texts import KINDS, PATTERNS, SHARES, TOPICS, described, title, title_of, words
from workflow_scripts.demo.world.vocabulary import WORDINGS, named, spec_of
from workflow_scripts.demo.world.world import scene_of

COUNT = 3000
SUBREDDITS = list(TOPICS)


@pytest.fixture(scope="module")
def captions():
    return [caption_of(0, "post", index) for index in range(COUNT)]


@pytest.fixture(scope="module")
def titles():
    return [title_of(0, "post", index, SUBREDDITS[index % 4]) for index in range(COUNT)]


def test_texts_depend_only_on_seed_split_and_index(captions, titles):
    for index in (0, 7, 400):
        scene_of(0, "post", index)  # pictures have streams of their own
        assert caption_of(0, "post", index) == captions[index]
        assert title_of(0, "post", index, SUBREDDITS[index % 4]) == titles[index]
    others = [caption_of(1, "post", 7), caption_of(0, "masks", 7), caption_of(0, "post", 19)]
    assert captions[7].text not in {one.text for one in others}
    assert spec_of(0, "post", 7) == scene_of(0, "post", 7, 16)[0]


def test_no_wording_holds_one_of_another_value():
    for name, of_property in WORDINGS.items():
        for value, wordings in of_property.items():
            assert 4 <= len(set(wordings)) == len(wordings) <= 5
            for wording in wordings:
                found = {one: values for one, values in named(wording).items() if values}
                assert found == {name: {value}}, wording


def test_texts_name_exactly_what_they_say_they_name(captions, titles):
    for text in [*captions, *(text for _, text in titles)]:
        found = {name: values for name, values in named(text.text).items() if values}
        assert found == {name: {value} for name, value in text.told.items()}, text


def test_captions_hardly_repeat_and_use_all_patterns_and_wordings(captions):
    texts = [text.text for text in captions]
    assert len(set(texts)) > 0.99 * COUNT
    used = {word for text in texts for word in text.split()}
    assert 130 <= len(used) <= 160 and 7.5 < np.mean([len(text.split()) for text in texts]) < 9
    articles = [re.findall(r"\b(an?) (\w)", text)[-1] for text in texts if re.search(r"\ban? ", text)]
    assert len(articles) == COUNT and all((article == "an") == (letter in "aeiou") for article, letter in articles)
    starts = {pattern.partition("{")[0] for pattern in PATTERNS} - {""}
    assert all(any(text.startswith(start) for text in texts) for start in starts)


def test_titles_have_their_shares_and_few_repeat(titles):
    shares = Counter(kind for kind, _ in titles)
    assert [shares[kind] / COUNT for kind in KINDS] == pytest.approx(SHARES, abs=0.03)
    for index, (kind, text) in enumerate(titles):
        wrong = text.wrong(spec_of(0, "post", index))
        assert ("concept" in text.told, "concept" in wrong) == (kind in ("truthful", "wrong"), kind == "wrong")
        assert kind != "truthful" or (not wrong and len(text.told) <= 2)
    counts = Counter(text.text for _, text in titles)
    assert sum(count for count in counts.values() if count > 1) / COUNT < 0.08
    used = {word.strip("[],") for text in counts for word in text.split()}
    assert 340 <= len(used) <= 420


def test_a_topical_title_is_about_its_subreddit():
    spec = spec_of(0, "post", 0)
    for subreddit, topics in TOPICS.items():
        drawn = [title(np.random.default_rng(seed), spec, "topical", subreddit).text for seed in range(60)]
        assert all(text.startswith(topics) for text in drawn) and len(set(drawn)) > 40


def test_every_word_is_listed():
    every = World(scenes=list(WORDINGS["scene"]), colours=list(WORDINGS["colour"]))
    used = {
        word.strip("[],")
        for index in range(2000)
        for text in (
            caption_of(2, "post", index, every).text,
            title_of(2, "post", index, SUBREDDITS[index % 4], every)[1].text,
        )
        for word in text.split()
    }
    assert used <= set(words()) and len(used) > 0.97 * len(words())


def cell(coverage, precision, seed=0, count=600):
    """The described pictures and their captions."""
    specs = [spec_of(0, "post", index) for index in range(count)]
    return [(spec, described(seed, f"i{n}", spec, coverage, precision)) for n, spec in enumerate(specs)]


@pytest.mark.parametrize(("coverage", "count"), [(0, 1), (0.33, 2), (0.5, 3), (0.67, 4), (1, 6)])
@pytest.mark.parametrize("precision", [0.5, 0.75, 1])
def test_described_captions_name_and_get_right_the_stated_shares(coverage, count, precision):
    captions = cell(coverage, precision)
    assert {len(text.told) for _, text in captions} == {count}
    assert all("concept" in text.told for _, text in captions)
    right = 1 - np.mean([len(text.wrong(spec)) / count for spec, text in captions])
    assert abs(right - precision) < 3 * (precision * (1 - precision) / (600 * count)) ** 0.5 + 1e-9
    for _, text in captions:
        found = {name: values for name, values in named(text.text).items() if values}
        assert found == {name: {value} for name, value in text.told.items()}


def test_described_captions_keep_their_draws_across_coverage_and_precision():
    for (spec, less), (_, more) in zip(cell(0.33, 0.5), cell(0.67, 0.75), strict=True):
        assert less.told.keys() < more.told.keys()
        again_wrong = {name for name in more.wrong(spec) if name in less.told}
        assert again_wrong <= set(less.wrong(spec))
        assert all(less.told[name] == more.told[name] for name in again_wrong)
    for (spec, exact), (_, half) in zip(cell(0.67, 1), cell(0.67, 0.5), strict=True):
        assert list(exact.told) == list(half.told) and exact.wrong(spec) == []
    assert cell(0.67, 0.5) == cell(0.67, 0.5) != cell(0.67, 0.5, seed=1)
    assert len({text.told["concept"] for _, text in cell(0, 0)}) == 12  # wrong concepts are spread over all
