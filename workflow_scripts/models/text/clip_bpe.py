"""CLIP's own tokenizer, from a folder."""

from pathlib import Path

from tokenizers import pre_tokenizers
from transformers import CLIPTokenizer

from workflow_scripts.core.errors import PipelineError, one_line
from workflow_scripts.models.text.caption_tokenizer import CaptionTokenizer, Special
from workflow_scripts.models.text.kinds import CLIP_ADVICE, CLIP_FILES
from workflow_scripts.models.unreadable import UNREADABLE

WORD_END = "</w>"


def load_clip(folder: Path) -> CaptionTokenizer:
    """Byte-level BPE of lower-cased words (Radford et al. 2021, section 2.4), as transformers implements it.

    Unlike CLIP's code, it neither repairs encodings (ftfy) nor unescapes HTML.

    Raises:
        PipelineError: ``folder`` has no such tokenizer, or one without some bytes, whose captions would have unknown
            tokens.
    """
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
