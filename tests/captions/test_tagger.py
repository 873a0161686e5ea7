"""Nouns by a small BERT, against the tags that the same network gives to single texts."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForTokenClassification, PreTrainedTokenizerFast

from workflow_scripts.captions.tagger import MOST_TOKENS, load_tagger
from workflow_scripts.core.errors import PipelineError

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "red", "cat", "##s", "dog", "run", "##ning", ",", "rex"]
TAGS = ["DET", "ADJ", "NOUN", "VERB", "PROPN", "PUNCT"]
TEXTS = ["A red cat", "", "cats, running dog", "?!", "Rex", "red red red dogs running"]


def save(folder: Path, tags: list[str] = TAGS, padding: bool = True) -> BertForTokenClassification:
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = BertConfig(vocab_size=len(PIECES), id2label=dict(enumerate(tags)), initializer_range=0.7, **size)
    model = BertForTokenClassification(config).eval()
    model.save_pretrained(folder)
    pieces = Tokenizer(models.WordPiece({piece: at for at, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    pieces.normalizer, pieces.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    pieces.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = {"pad_token": "[PAD]"} if padding else {}
    PreTrainedTokenizerFast(tokenizer_object=pieces, unk_token="[UNK]", **special).save_pretrained(folder)
    return model


def expected(model: BertForTokenClassification, words: list[list[int]], counted: list[bool]) -> float:
    """Share of nouns among the counted words, each given by the numbers of its pieces."""
    ids = [2, *(piece for word in words for piece in word), 3]
    with torch.inference_mode():
        tags = model(input_ids=torch.tensor([ids])).logits[0].argmax(-1).tolist()
    firsts = [1 + sum(len(word) for word in words[:at]) for at in range(len(words))]
    nouns = [TAGS[tags[at]] in ("NOUN", "PROPN") for at, is_word in zip(firsts, counted, strict=True) if is_word]
    return sum(nouns) / len(nouns)


def test_share_of_nouns(tmp_path: Path) -> None:
    model = save(tmp_path)
    found = load_tagger(tmp_path, "cpu").noun_shares(TEXTS, 4)
    assert found[1] is None and found[3] is None
    known = [
        expected(model, [[4], [5], [6]], [True] * 3),
        expected(model, [[6, 7], [11], [9, 10], [8]], [True, False, True, True]),
        expected(model, [[12]], [True]),
        expected(model, [[5], [5], [5], [8, 7], [9, 10]], [True] * 5),
    ]
    assert [found[0], found[2], *found[4:]] == pytest.approx(known)
    assert len({*known}) > 1 and max(known) > 0  # the network is random, but says different things
    assert load_tagger(tmp_path, "cpu").noun_shares(TEXTS, 1) == pytest.approx(found)


def test_what_is_not_read_does_not_count(tmp_path: Path) -> None:
    model = save(tmp_path)
    (found,) = load_tagger(tmp_path, "cpu").noun_shares(["cat " * 5000], 1)
    most = MOST_TOKENS - 2
    assert found == pytest.approx(expected(model, [[6]] * most, [True] * most))


@pytest.mark.parametrize(
    ("more", "value"),
    [({"tags": ["O", "B-PER"]}, "labels O, B-PER"), ({"padding": False}, "a tokenizer without padding token")],
)
def test_no_tagger(more: dict, value: str, tmp_path: Path) -> None:
    save(tmp_path, **more)
    with pytest.raises(PipelineError, match=value):
        load_tagger(tmp_path, "cpu")


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no part-of-speech tagger"):
        load_tagger(tmp_path, "cpu")
