"""A tokenizer that is trained on captions."""

from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from workflow_scripts.models.text.caption_tokenizer import CaptionTokenizer, Special

SPECIAL = ["<pad>", "<start>", "<end>"]  # ids 0, 1 and 2


def train_tokenizer(captions: Iterable[Sequence[str]], vocabulary: int) -> CaptionTokenizer:
    """Byte-level BPE of lower-cased text, trained on batches of captions; the same captions give the same tokenizer.

    Every id but those of the special tokens is a byte or a merge of bytes, so no text is unknown.

    Args:
        vocabulary: number of ids, at most.
    """
    core = Tokenizer(models.BPE())
    core.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    core.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    core.train_from_iterator(captions, trainer)
    ids = core.get_vocab()
    padding, start, end = (ids[name] for name in SPECIAL)
    return CaptionTokenizer(core, Special(start, end, padding, len(ids)))
