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
    ("ÜBER STRASSE", "über strasse"),
    ("İstanbul", "i̇stanbul"),
    ('a.b!c"d(e)f*g#h:i;j~k', "a b c d e f g h i j k"),
    (".#nofilter.", "nofilter"),
    ("a,b? it's [oc] 100% me/you user_name @ – “…”", "a,b? it's [oc] 100% me/you user_name @ – “…”"),
    (" a   b . c\t\td \n", "a b c d"),
    ("\na\tb\u00a0c\n", "\na\tb\u00a0c"),  # one white-space character stays; only trailing line ends go
    ("...", ""),
    ("👩‍👩‍👧: us, 我的猫(很可爱)", "👩‍👩‍👧 us, 我的猫 很可爱"),
    ('My cat, "Mr. Whiskers": *judging* me; again!', "my cat, mr whiskers judging me again"),
    ("w " * 51, " ".join(["w"] * 50)),
    ("W.W " * 26, " ".join(["w"] * 50)),
    ("w\t" * 60, "w\t" * 60),  # words are what spaces separate
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
def test_normalised_captions_by_hand(caption: str, expected: str) -> None:
    assert blip(caption) == expected
    assert lavis(caption) == expected
    assert TEXT_NORMS["none"](caption) == caption


@given(st.text(st.characters() | st.sampled_from('.!"()*#:;~ \t\n\r\u00a0\u2028')))
def test_normalisation_equals_lavis_for_any_text(caption: str) -> None:
    assert blip(caption) == lavis(caption)


def test_real_captions_are_normalised_as_by_lavis(shared_data: Path) -> None:
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
