"""How a caption is written before a judge scores it; the captions themselves never change."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from workflow_scripts.core.registry import OneOf, by_name, listed
from workflow_scripts.core.settings import Settings, quantity

_PUNCTUATION = str.maketrans(dict.fromkeys('.!"()*#:;~', " "))
_SPACES = re.compile(r"\s{2,}")
_MOST_WORDS = 50


@dataclass(frozen=True, kw_only=True)
class TextNorm:
    """A way to write captions.

    Attributes:
        name: the setting ``text_norm``.
        summary: one phrase.
        apply: caption -> the text that is scored.
    """

    name: str
    summary: str
    apply: Callable[[str], str]


def blip(caption: str) -> str:
    """The text that BLIP-2 was trained with for this caption.

    In lower case, with . ! " ( ) * # : ; ~ replaced by a space, two or more white-space characters by one space, and at
    most 50 words. Source: ``BlipCaptionProcessor.pre_caption`` of LAVIS, ``lavis/processors/blip_processors.py``.
    """
    text = _SPACES.sub(" ", caption.lower().translate(_PUNCTUATION)).rstrip("\n").strip(" ")
    return " ".join(text.split(" ")[:_MOST_WORDS])


TEXT_NORMS = by_name(
    [
        TextNorm(
            name="blip", summary="lower case, little punctuation, at most 50 words, as in BLIP-2's training", apply=blip
        ),
        TextNorm(name="none", summary="as it is", apply=str),
    ]
)


class MatchedText(Settings):
    """How captions are read."""

    max_text_tokens: int = quantity(
        32,
        unit="tokens",
        ge=3,
        description="maximum length of a scored caption; longer ones are truncated; BLIP-2: 32",
        examples=[24],
    )
    text_norm: Annotated[str, OneOf(TEXT_NORMS)] = Field(
        "blip", description=f"how a caption is written when it is scored. {listed(TEXT_NORMS)}", examples=["none"]
    )


def is_blank(text: str | None) -> bool:
    """Whether a caption is missing, empty or only white space. Its image counts as one without a caption."""
    return not (text or "").strip()
