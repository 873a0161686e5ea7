"""Byte-level tokenizers of captions, CLIP's own or a trained one, and their files.

Imported with every config, so libraries are imported inside the functions.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from workflow_scripts.core.errors import PipelineError, one_line
from workflow_scripts.core.files.jsonio import pretty, read_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MODEL, SPECIAL = ".json", ".special.json"
"""Suffixes of its files: the tokenizer as the library tokenizers writes it, and the ids of its special tokens."""
CLIP_FILES = (("vocab.json", "merges.txt"), ("tokenizer.json",))
"""Files of CLIP's tokenizer: one of these groups."""
CLIP_ADVICE = "give a CLIP model, or a folder with its vocab.json and merges.txt"
SPECIAL_TOKENS = ["<pad>", "<start>", "<end>"]  # ids 0, 1 and 2
Captions = Iterable[Sequence[str]]
"""Batches of captions."""


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

    core: "Tokenizer"
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
    from tokenizers import Tokenizer

    advice = "recompute it with the installed version of tokenizers: snakemake --force on its manifest"
    try:
        core = Tokenizer.from_file(str(model))
    except Exception as error:  # noqa: BLE001 - the library raises Exception itself
        raise PipelineError("unreadable tokenizer", model, str(error)[:200], advice) from None
    return CaptionTokenizer(core, Special(**read_json(special, advice)))


def load_clip(folder: Path) -> CaptionTokenizer:
    """Byte-level BPE of lower-cased words (Radford et al. 2021, section 2.4), as transformers implements it.

    Unlike CLIP's code, it neither repairs encodings (ftfy) nor unescapes HTML.

    Raises:
        PipelineError: ``folder`` has no such tokenizer, or one without some bytes, whose captions would have unknown
            tokens.
    """
    from tokenizers import pre_tokenizers
    from transformers import CLIPTokenizer

    from workflow_scripts.models.checkpoints import UNREADABLE

    if not any(all((folder / name).is_file() for name in group) for group in CLIP_FILES):
        missing = [name for name in CLIP_FILES[0] if not (folder / name).is_file()]
        raise PipelineError("no tokenizer", folder, f"no {' and '.join(missing)}", CLIP_ADVICE)
    try:
        loaded = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except (*UNREADABLE, TypeError) as error:
        raise PipelineError("unreadable tokenizer", folder, one_line(str(error))[:200], CLIP_ADVICE) from error
    ids = loaded.get_vocab()
    unknown = [byte + end for byte in sorted(pre_tokenizers.ByteLevel.alphabet()) for end in ("", "</w>")]
    unknown = [token for token in unknown if token not in ids]
    if unknown:
        raise PipelineError(
            "tokenizer without some bytes", folder, f"{len(unknown)}, such as {unknown[0]!r}", CLIP_ADVICE
        )
    special = Special(loaded.bos_token_id, loaded.eos_token_id, loaded.pad_token_id, max(ids.values()) + 1)
    return CaptionTokenizer(loaded.backend_tokenizer, special)


def train_tokenizer(captions: Captions, vocabulary: int) -> CaptionTokenizer:
    """Byte-level BPE of lower-cased text, trained on batches of captions; the same captions give the same tokenizer.

    Every id but those of the special tokens is a byte or a merge of bytes, so no text is unknown.

    Args:
        vocabulary: number of ids, at most.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    core = Tokenizer(models.BPE())
    core.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    core.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=SPECIAL_TOKENS, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(captions, trainer)
    ids = core.get_vocab()
    padding, start, end = (ids[name] for name in SPECIAL_TOKENS)
    return CaptionTokenizer(core, Special(start, end, padding, len(ids)))
