"""Wording rules on real RedCaps titles."""

import pytest

from workflow_scripts.captions.diagnostics.words import HASHTAG, URL, is_first_person, is_vague, words_of


@pytest.mark.parametrize(
    ("caption", "vague"),
    [
        ("", True),
        ("what a beautiful day!", True),
        ("my favourite one so far", True),
        ("found this today", True),
        ("i love it :)", True),
        ("2020", True),
        ("a beautiful red cardinal", False),
        ("my cat", False),
        ("猫", False),
        ("it’s a beautiful morning", True),
        ("chicken", False),
    ],
)
def test_vague_captions_are_recognised(caption: str, vague: bool) -> None:
    assert is_vague(words_of(caption)) is vague


RULES = {
    "first person": (is_first_person, ["my cat", "I’ve made this", "look at us"], ["made in the US", "mystery"]),
    "hashtag": (HASHTAG.search, ["a #cat", "#Été"], ["#2", "c#", "x.com/#top"]),
    "url": (
        URL.search,
        ["see https://a.b/c", "www.cats", "at imgur.com/x", "end.com plete"],
        ["a cat. The dog", "3.5 com"],
    ),
}


@pytest.mark.parametrize("rule", RULES)
def test_rules_of_wording_apply_where_they_should(rule: str) -> None:
    applies, to, not_to = RULES[rule]
    assert [bool(applies(caption)) for caption in (*to, *not_to)] == [True] * len(to) + [False] * len(not_to)


def test_captions_are_split_into_lower_case_words() -> None:
    assert words_of("My cat's 2 toys, don’t!") == ["my", "cat's", "2", "toys", "don't"]
