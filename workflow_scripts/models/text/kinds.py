"""Kinds of tokenizers. Imported with every config, so libraries are imported inside the functions."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.core.errors import PipelineError, one_line

if TYPE_CHECKING:
    from workflow_scripts.models.text.caption_tokenizer import CaptionTokenizer

CLIP_FILES = (("vocab.json", "merges.txt"), ("tokenizer.json",))
"""Files of CLIP's tokenizer: one of these groups."""
CLIP_ADVICE = "give a CLIP model, or a folder with its vocab.json and merges.txt"
WORD_END = "</w>"
SPECIAL_TOKENS = ["<pad>", "<start>", "<end>"]  # ids 0, 1 and 2
Captions = Iterable[Sequence[str]]
"""Batches of captions."""


def load_clip(folder: Path) -> "CaptionTokenizer":
    """Byte-level BPE of lower-cased words (Radford et al. 2021, section 2.4), as transformers implements it.

    Unlike CLIP's code, it neither repairs encodings (ftfy) nor unescapes HTML.

    Raises:
        PipelineError: ``folder`` has no such tokenizer, or one without some bytes, whose captions would have unknown
            tokens.
    """
    from tokenizers import pre_tokenizers
    from transformers import CLIPTokenizer

    from workflow_scripts.models.checkpoints import UNREADABLE
    from workflow_scripts.models.text.caption_tokenizer import CaptionTokenizer, Special

    if not any(all((folder / name).is_file() for name in group) for group in CLIP_FILES):
        missing = [name for name in CLIP_FILES[0] if not (folder / name).is_file()]
        raise PipelineError("no tokenizer", folder, f"no {' and '.join(missing)}", CLIP_ADVICE)
    try:
        loaded = CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except (*UNREADABLE, TypeError) as error:
        raise PipelineError("unreadable tokenizer", folder, one_line(str(error))[:200], CLIP_ADVICE) from error
    ids = loaded.get_vocab()
    unknown = [byte + end for byte in sorted(pre_tokenizers.ByteLevel.alphabet()) for end in ("", WORD_END)]
    unknown = [token for token in unknown if token not in ids]
    if unknown:
        raise PipelineError(
            "tokenizer without some bytes", folder, f"{len(unknown)}, such as {unknown[0]!r}", CLIP_ADVICE
        )
    special = Special(loaded.bos_token_id, loaded.eos_token_id, loaded.pad_token_id, max(ids.values()) + 1)
    return CaptionTokenizer(loaded.backend_tokenizer, special)


def train_tokenizer(captions: Captions, vocabulary: int) -> "CaptionTokenizer":
    """Byte-level BPE of lower-cased text, trained on batches of captions; the same captions give the same tokenizer.

    Every id but those of the special tokens is a byte or a merge of bytes, so no text is unknown.

    Args:
        vocabulary: number of ids, at most.
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    from workflow_scripts.models.text.caption_tokenizer import CaptionTokenizer, Special

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
