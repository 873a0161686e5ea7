"""Entries of removal lists, and the hashes that stand for them."""

import hashlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from yarl import URL

from workflow_scripts.acquisition.annotations import removal_tokens as removal
from workflow_scripts.acquisition.annotations.removal_tokens import id_token, normal_url, token, tokens_of, url_token

SPELLINGS = {
    "https://i.redd.it/Ab.jpg": [
        "http://i.redd.it/Ab.jpg",
        " HTTPS://I.Redd.it/Ab.jpg\n",
        "https://i.redd.it/Ab.jpg#top",
        "http://i.redd.it:80/Ab.jpg",
        "https://i.redd.it:443/Ab.jpg",
        "https://i.redd.it:/Ab.jpg",
        "https://i.redd.it./Ab.jpg",
        "https://i.redd.it/%41b%2Ejpg",
        "https://i.redd.it/Ab.jpg?",
        "https://i.redd.it/./x/../Ab.jpg",
        "https://i.redd.it/%2e%2e/Ab.jpg",
        "https://somebody:secret@i.redd.it/Ab.jpg",
    ],
    "https://h.test/": ["http://h.test", "https://H.TEST?", "https://h.test#a/b", "https://h.test/a/.."],
    "https://h.test/?a=/b": ["https://h.test?a=/b", "https://h.test/?a=%2fb"],
    "https://h.test/a%2Fb%20c": ["https://h.test/a%2fb c"],
    "https://b\u00fccher.test/\u00e9": ["https://xn--bcher-kva.test/%c3%a9", "https://B\u00dcCHER.test/%C3%A9"],
    "https://[::1]/a": ["https://[0:0:0:0:0:0:0:1]:443/a"],
    "https://h.test/100%": ["https://h.test/100%25"],
}
OTHERS = [
    "https://i.redd.it/Ab.jpg",
    "https://i.redd.it/ab.jpg",
    "https://i.redd.it/Ab.jpg?x=1",
    "https://i.imgur.com/Ab.jpg",
    "https://i.redd.it:8080/Ab.jpg",
    "http://i.redd.it:443/Ab.jpg",
    "https://i.redd.it/Ab.jpg/",
    "https://redd.it/Ab.jpg",
    "https://i.redd.it//Ab.jpg",
    "https://i.redd.it/Ab%2Fjpg",
    "https://i.redd.it/Ab/jpg",
    "https://i.redd.it/Ab.jpg?X=1",
    "https://i.redd.it/?a+b",
    "https://i.redd.it/?a%2Bb",
    "https://i.redd.it/?a%20b",
    "https://i.redd.it/%253F",
    "https://i.redd.it/%3Fa",
    "https://i.redd.it/?a",
    "https://i.redd.it/Ab.jpg?y=2&x=1",
    "https://i.redd.it/Ab.jpg?x=1&y=2",
]


@pytest.mark.parametrize(("url", "same"), [(url, same) for url, spelled in SPELLINGS.items() for same in spelled])
def test_all_spellings_of_a_url_share_a_token(url: str, same: str) -> None:
    assert token(same) == token(url)


def test_other_urls_have_other_tokens() -> None:
    assert len({token(url) for url in OTHERS}) == len(OTHERS)


def test_tokens_of_ordinary_urls_are_those_of_the_first_release() -> None:
    for url in ("https://i.redd.it/abc123.jpg", "https://i.imgur.com/A_b-c.png", "http://h.test/a.jpg?x=1&y=a/b"):
        assert token(url) == hashlib.sha256(b"url:" + url.partition("//")[2].encode()).hexdigest()


LETTERS = "abzA09-_.~"
segments = st.lists(st.text(LETTERS + "%/?#[]@!$&'()*+,;= \u00e9\u732b", max_size=6), max_size=4)
labels = st.lists(st.text("abz09", min_size=1, max_size=5), min_size=1, max_size=3)
hosts = labels.map(lambda parts: ".".join([*parts, "test"]))


def escaped(text: str, keep: str = LETTERS) -> str:
    return "".join(char if char in keep else "".join(f"%{byte:02X}" for byte in char.encode()) for char in text)


@given(hosts, segments, st.text(LETTERS + "&=%\u00e9", max_size=8), st.data())
def test_any_url_keeps_its_token_in_any_spelling(host: str, parts: list[str], query: str, data: st.DataObject) -> None:
    assume(not any(part in (".", "..") for part in parts))
    asked = f"?{escaped(query, LETTERS + '&=')}" if query else ""
    url = f"https://{host}/{'/'.join(map(escaped, parts))}{asked}"

    def one_of(*choices: str) -> str:
        return data.draw(st.sampled_from(choices))

    def respelled(char: str) -> str:
        code = escaped(char, "")
        return one_of(code, code.lower(), char) if char in LETTERS else one_of(code, code.lower())

    start = one_of("http://", "HttpS://", "https://me@", "http://me:word@")
    name = "".join(one_of(char, char.upper()) for char in host) + one_of("", ".")
    port = one_of("", ":", ":80" if start.startswith("http:") else ":443")
    path = one_of("", "./", "x/../") + "/".join("".join(map(respelled, part)) for part in parts)
    assert token(f"{start}{name}{port}/{path}{asked}{one_of('', '#', '#a/b?c')}") == token(url)


@given(hosts, hosts, segments, segments)
def test_tokens_are_equal_exactly_if_the_requests_are(
    host: str, other: str, path: list[str], others: list[str]
) -> None:
    one, two = (f"https://{name}/{'/'.join(map(escaped, parts))}" for name, parts in ((host, path), (other, others)))
    asked = [(URL(url).raw_host, URL(url).raw_path_qs) for url in (one, two)]
    assert (token(one) == token(two)) == (asked[0] == asked[1])


@given(st.text("htps:/#?@%.aA \u00e9[]\\\ud800", max_size=14) | st.text(max_size=20).map("https://".__add__))
def test_url_tokens_are_defined_for_any_text(text: str) -> None:
    assert len(url_token(text)) == 64


@given(hosts, st.text("ab0_~-./", max_size=12))
def test_the_fast_path_of_url_normalisation_gives_the_same_result(host: str, path: str) -> None:
    url = f"https://{host}/{path}"
    short = removal._NORMAL.fullmatch(url)
    if short:
        assert short[1] == normal_url(url + "#")


def test_a_million_character_url_gets_a_token() -> None:
    for start in ("https://h.test/", "https://", "https://\u00e9.", "https://h.test/\u00e9?"):
        assert url_token(start + "a.%2E\u00e9/" * 150_000)


def test_ids_and_urls_never_share_a_token() -> None:
    assert token("abc123") == id_token("abc123") == hashlib.sha256(b"id:abc123").hexdigest()
    assert url_token("abc123") != id_token("abc123")


@pytest.mark.parametrize("entry", ["", "two words", "ftp://a/b", "i.redd.it/a.jpg", "a" * 65])
def test_invalid_entries_of_removal_lists_are_rejected(entry: str) -> None:
    with pytest.raises(ValueError, match="neither an image id nor"):
        token(entry)


def test_removal_lists_skip_comments_and_duplicates_and_report_the_bad_line() -> None:
    lines = ["\ufeff# by mail", "abc123", "", "  https://i.redd.it/a.jpg  ", "abc123\r"]
    assert tokens_of(lines) == sorted([id_token("abc123"), url_token("https://i.redd.it/a.jpg")])
    with pytest.raises(ValueError, match="line 2: 'i am'"):
        tokens_of(["abc", "i am"])
