"""Entries of removal lists, and the hashes that stand for them."""

import hashlib

import pytest

from workflow_scripts.core.removal import id_token, token, tokens_of, url_token


def test_what_counts_as_the_same_url() -> None:
    wanted = url_token("https://i.redd.it/Ab.jpg")
    for same in ("http://i.redd.it/Ab.jpg", " HTTPS://I.Redd.it/Ab.jpg\n", "https://i.redd.it/Ab.jpg#top"):
        assert token(same) == wanted
    for other in ("https://i.redd.it/ab.jpg", "https://i.redd.it/Ab.jpg?x=1", "https://i.imgur.com/Ab.jpg"):
        assert token(other) != wanted


def test_ids_and_urls_never_meet() -> None:
    assert token("abc123") == id_token("abc123") == hashlib.sha256(b"id:abc123").hexdigest()
    assert url_token("abc123") != id_token("abc123")


@pytest.mark.parametrize("entry", ["", "two words", "ftp://a/b", "i.redd.it/a.jpg", "a" * 65])
def test_no_entries(entry: str) -> None:
    with pytest.raises(ValueError, match="neither an image id nor"):
        token(entry)


def test_lists() -> None:
    lines = ["\ufeff# by mail", "abc123", "", "  https://i.redd.it/a.jpg  ", "abc123\r"]
    assert tokens_of(lines) == sorted([id_token("abc123"), url_token("https://i.redd.it/a.jpg")])
    with pytest.raises(ValueError, match="line 2: 'i am'"):
        tokens_of(["abc", "i am"])
