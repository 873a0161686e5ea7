"""How a caption is written before a judge scores it; the captions themselves never change."""

import re
from collections.abc import Callable, Mapping
from typing import Literal

from pydantic import Field

from workflow_scripts.core.settings import Settings, quantity

_PUNCTUATION = str.maketrans(dict.fromkeys('.!"()*#:;~', " "))
_SPACES = re.compile(r"\s{2,}")
_MOST_WORDS = 50


def blip(caption: str) -> str:
    """The text that BLIP-2 was trained with for this caption.

    In lower case, with . ! " ( ) * # : ; ~ replaced by a space, two or more white-space characters by one space, and at
    most 50 words. Source: ``BlipCaptionProcessor.pre_caption`` of LAVIS, ``lavis/processors/blip_processors.py``.
    """
    text = _SPACES.sub(" ", caption.lower().translate(_PUNCTUATION)).rstrip("\n").strip(" ")
    return " ".join(text.split(" ")[:_MOST_WORDS])


TEXT_NORMS: Mapping[str, Callable[[str], str]] = {"blip": blip, "none": str}
"""Setting ``text_norm`` -> what turns a caption into the text that is scored."""


class MatchedText(Settings):
    """How captions are read."""

    max_text_tokens: int = quantity(32, unit="tokens", ge=3, examples=[24])
    """Maximum length of a scored caption; longer ones are truncated; BLIP-2: 32."""
    text_norm: Literal["blip", "none"] = Field("blip", examples=["none"])
    """How a caption is written when it is scored. blip: lower case, little punctuation, at most 50 words, as in
    BLIP-2's training; none: as it is."""


def is_blank(text: str | None) -> bool:
    """Whether a caption is missing, empty or only white space. Its image counts as one without a caption."""
    return not (text or "").strip()
