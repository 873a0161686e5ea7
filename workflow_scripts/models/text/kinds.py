"""Kinds of tokenizers, one row each. Imported with every config, so libraries are imported inside the functions."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.core.registry import by_name

if TYPE_CHECKING:
    from workflow_scripts.models.text.caption_tokenizer import CaptionTokenizer

CLIP_FILES = (("vocab.json", "merges.txt"), ("tokenizer.json",))
"""Files of CLIP's tokenizer: one of these groups."""
CLIP_ADVICE = "give a CLIP model, or a folder with its vocab.json and merges.txt"
Captions = Iterable[Sequence[str]]
"""Batches of captions."""


@dataclass(frozen=True, kw_only=True)
class TokenizerKind:
    """A way to get a tokenizer: either ``load`` or ``train`` is given.

    Attributes:
        name: the setting ``kind`` of the tokenizer.
        summary: one phrase.
        load: folder of its source -> tokenizer; None if it has no source.
        train: (captions, maximum number of ids) -> tokenizer; None if it is not trained.
    """

    name: str
    summary: str
    load: "Callable[[Path], CaptionTokenizer] | None"
    train: "Callable[[Captions, int], CaptionTokenizer] | None"


def _clip(folder: Path) -> "CaptionTokenizer":
    from workflow_scripts.models.text.clip_bpe import load_clip

    return load_clip(folder)


def _trained(captions: Captions, vocabulary: int) -> "CaptionTokenizer":
    from workflow_scripts.models.text.trained import train_tokenizer

    return train_tokenizer(captions, vocabulary)


TOKENIZERS = by_name(
    [
        TokenizerKind(
            name="clip",
            summary="CLIP's own byte-level BPE, from the vocab.json and merges.txt of a CLIP model",
            load=_clip,
            train=None,
        ),
        TokenizerKind(
            name="trained",
            summary="a byte-level BPE trained on the original captions of the study's images",
            load=None,
            train=_trained,
        ),
    ]
)
