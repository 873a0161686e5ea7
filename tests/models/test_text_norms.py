"""Normalised captions: cases written by hand from LAVIS's rules, and LAVIS's own expressions on real captions."""

import io
import json
import re
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.models.text_norms import TEXT_NORMS, blip

CASES = [
    # lower case
    ("A Cat", "a cat"),
    ("MY DOG", "my dog"),
    ("ÉCLAIR AU CAFÉ", "éclair au café"),
    ("ÜBER STRASSE", "über strasse"),
    ("Straße", "straße"),
    ("İstanbul", "i̇stanbul"),
    ("ΟΔΟΣ", "οδος"),
    # each mark that becomes a space, at the start, between letters and at the end
    ("a.b", "a b"),
    ("a!b", "a b"),
    ('a"b', "a b"),
    ("a(b", "a b"),
    ("a)b", "a b"),
    ("a*b", "a b"),
    ("a#b", "a b"),
    ("a:b", "a b"),
    ("a;b", "a b"),
    ("a~b", "a b"),
    (".a", "a"),
    ("a.", "a"),
    ("#nofilter", "nofilter"),
    # marks that stay
    ("a,b", "a,b"),
    ("what?", "what?"),
    ("it's", "it's"),
    ("red-brown", "red-brown"),
    ("cats & dogs", "cats & dogs"),
    ("[oc] cat", "[oc] cat"),
    ("100% cat", "100% cat"),
    ("me/you", "me/you"),
    ("user_name", "user_name"),
    ("me @ home", "me @ home"),
    ("5$ + 3€ = ?", "5$ + 3€ = ?"),
    ("{a} <b> |c| \\d ^e `f`", "{a} <b> |c| \\d ^e `f`"),
    ("“curly” ‘quotes’ … — ，。！", "“curly” ‘quotes’ … — ，。！"),
    # spaces
    ("a  b", "a b"),
    ("a   b    c", "a b c"),
    (" a ", "a"),
    ("a . b", "a b"),
    ("a\tb", "a\tb"),  # one white-space character stays what it is
    ("a\t\tb", "a b"),
    ("a\nb", "a\nb"),
    ("a \n b", "a b"),
    ("a\n", "a"),
    ("a \n", "a"),
    ("\na", "\na"),  # only trailing line ends go
    ("\ta\t", "\ta\t"),
    ("a\u00a0b", "a\u00a0b"),
    ("a\u00a0\u2003b", "a b"),
    ("a\r\n", "a"),
    # nothing left
    ("", ""),
    (" ", ""),
    ("   ", ""),
    ("\n", ""),
    ("...", ""),
    ('.!"()*#:;~', ""),
    # emoji and other scripts
    ("Good boy 🐕!!", "good boy 🐕"),
    ("🐕🐕🐕", "🐕🐕🐕"),
    ("👩‍👩‍👧: us", "👩‍👩‍👧 us"),
    ("Кот И Собака", "кот и собака"),
    ("我的猫(很可爱)", "我的猫 很可爱"),
    ("ネコ~", "ネコ"),
    ("قطة; كلب", "قطة كلب"),
    # whole titles
    ("Found this little guy... (OC) [3000x2000]", "found this little guy oc [3000x2000]"),
    ('My cat, "Mr. Whiskers": *judging* me; again!', "my cat, mr whiskers judging me again"),
    # at most 50 words
    ("w " * 49, " ".join(["w"] * 49)),
    ("w " * 50, " ".join(["w"] * 50)),
    ("w " * 51, " ".join(["w"] * 50)),
    ("W.W " * 26, " ".join(["w"] * 50)),
    ("w... " * 60, " ".join(["w"] * 50)),
    ("w\t" * 60, ("w\t" * 60)),  # words are what spaces separate
]


def lavis(caption: str) -> str:
    """The statements of ``BlipCaptionProcessor.pre_caption`` with ``max_words=50`` (LAVIS, BSD-3-Clause)."""
    caption = re.sub(r"([.!\"()*#:;~])", " ", caption.lower())
    caption = re.sub(r"\s{2,}", " ", caption)
    caption = caption.rstrip("\n")
    caption = caption.strip(" ")
    words = caption.split(" ")
    return " ".join(words[:50]) if len(words) > 50 else caption


@pytest.mark.parametrize(("caption", "expected"), CASES)
def test_by_hand(caption: str, expected: str) -> None:
    assert blip(caption) == expected
    assert lavis(caption) == expected
    assert TEXT_NORMS["none"].apply(caption) == caption


@given(st.text(st.characters() | st.sampled_from('.!"()*#:;~ \t\n\r\u00a0\u2028')))
def test_any_text(caption: str) -> None:
    assert blip(caption) == lavis(caption)


def test_real_captions(shared_data: Path) -> None:
    texts = []
    for path in sorted((shared_data / "redcaps_annotations").glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".json"):
                    rows = json.load(io.TextIOWrapper(archive.open(name), "utf-8"))["annotations"]
                    texts += [row["caption"] for row in rows]
    assert len(texts) == 230_415
    wrong = [text for text in texts if blip(text) != lavis(text)]
    assert not wrong, wrong[:3]
    assert sum(blip(text) != text for text in texts) > 10_000
