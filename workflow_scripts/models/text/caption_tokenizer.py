"""A byte-level tokenizer of captions, of any kind, and its files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tokenizers import Tokenizer

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.jsonio import pretty, read_json

MODEL, SPECIAL = ".json", ".special.json"
"""Suffixes of its files: the tokenizer as the library tokenizers writes it, and the ids of its special tokens."""


class Special(NamedTuple):
    """Ids of the tokens that are no text, and the number of ids.

    Attributes:
        start: before each caption.
        end: after each caption.
        padding: fills a batch's shorter rows; may be that of another token, since nothing reads it.
        vocabulary: ids are below this number.
    """

    start: int
    end: int
    padding: int
    vocabulary: int


@dataclass(frozen=True)
class CaptionTokenizer:
    """Text -> ids of start token, text and end token."""

    core: Tokenizer
    special: Special

    def __post_init__(self) -> None:
        # A caption that spells a special token is text like any other, never the end of a caption.
        self.core.encode_special_tokens = True
        self.core.no_truncation()
        self.core.no_padding()

    def ids(self, captions: Sequence[str]) -> list[list[int]]:
        """Ids of each caption, without start and end."""
        return [encoded.ids for encoded in self.core.encode_batch_fast(list(captions), add_special_tokens=False)]

    def rows(self, captions: Sequence[str], context: int) -> tuple[list[list[int]], int]:
        """One row of ids per caption, and the number of captions that were cut.

        Args:
            context: longest row, start and end token included; longer captions lose their end.
        """
        special, room, rows, cut = self.special, context - 2, [], 0
        for ids in self.ids(captions):
            cut += len(ids) > room
            rows.append([special.start, *ids[:room], special.end])
        return rows, cut

    def write(self, model: Path, special: Path) -> None:
        """Write the tokenizer's two files."""
        model.write_text(self.core.to_str(), encoding="utf-8")
        special.write_bytes(pretty(self.special._asdict()))


def read_tokenizer(model: Path, special: Path) -> CaptionTokenizer:
    """The tokenizer that :meth:`CaptionTokenizer.write` wrote.

    Raises:
        PipelineError: it can't be read by the installed version of the library.
    """
    advice = "recompute it with the installed version of tokenizers: snakemake --force on its manifest"
    try:
        core = Tokenizer.from_file(str(model))
    except Exception as error:  # noqa: BLE001 - the library raises Exception itself
        raise PipelineError("unreadable tokenizer", model, str(error)[:200], advice) from None
    return CaptionTokenizer(core, Special(**read_json(special, advice)))
