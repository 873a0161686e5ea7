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


@pytest.mark.parametrize(
    ("caption", "first"),
    [("my cat", True), ("I’ve made this", True), ("made in the US", False), ("look at us", True), ("mystery", False)],
)
def test_first_person_captions_are_recognised(caption: str, first: bool) -> None:
    assert is_first_person(caption) is first


@pytest.mark.parametrize(
    ("caption", "tag"), [("a #cat", True), ("#2", False), ("c#", False), ("x.com/#top", False), ("#Été", True)]
)
def test_hashtags_are_recognised(caption: str, tag: bool) -> None:
    assert bool(HASHTAG.search(caption)) is tag


@pytest.mark.parametrize(
    ("caption", "url"),
    [("see https://a.b/c", True), ("www.cats", True), ("at imgur.com/x", True), ("end.com plete", True),
     ("a cat. The dog", False), ("3.5 com", False)],
)  # fmt: skip
def test_urls_in_captions_are_recognised(caption: str, url: bool) -> None:
    assert bool(URL.search(caption)) is url


def test_captions_are_split_into_lower_case_words() -> None:
    assert words_of("My cat's 2 toys, don’t!") == ["my", "cat's", "2", "toys", "don't"]
