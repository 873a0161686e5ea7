"""Nouns by a small BERT, against the tags that the same network gives to single texts."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertForTokenClassification, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from workflow_scripts.captions.diagnostics.language_models import MOST_TOKENS, load_language_model, load_tagger
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


def test_noun_shares_equal_those_of_single_texts(tmp_path: Path) -> None:
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


def test_words_beyond_the_token_limit_do_not_count_as_nouns(tmp_path: Path) -> None:
    model = save(tmp_path)
    (found,) = load_tagger(tmp_path, "cpu").noun_shares(["cat " * 5000], 1)
    most = MOST_TOKENS - 2
    assert found == pytest.approx(expected(model, [[6]] * most, [True] * most))


@pytest.mark.parametrize(
    ("more", "value"),
    [({"tags": ["O", "B-PER"]}, "labels O, B-PER"), ({"padding": False}, "a tokenizer without padding token")],
)
def test_an_unsuitable_tagger_is_an_error(more: dict, value: str, tmp_path: Path) -> None:
    save(tmp_path, **more)
    with pytest.raises(PipelineError, match=value):
        load_tagger(tmp_path, "cpu")


def test_a_folder_without_a_tagger_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no part-of-speech tagger"):
        load_tagger(tmp_path, "cpu")


WORDS = {word: number for number, word in enumerate(["[UNK]", "[BOS]", "a", "red", "cat", "dog"])}


def save_model(folder: Path, **special: str) -> GPT2LMHeadModel:
    torch.manual_seed(0)
    size = {"n_embd": 16, "n_layer": 1, "n_head": 2, "n_positions": 300, "initializer_range": 0.5}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(WORDS), bos_token_id=1, eos_token_id=1, **size)).eval()
    model.save_pretrained(folder)
    words = Tokenizer(models.WordLevel(WORDS, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", **special).save_pretrained(folder)
    return model


def loss(model: GPT2LMHeadModel, ids: list[int]) -> float:
    row = torch.tensor([ids])
    with torch.inference_mode():
        return float(model(input_ids=row, labels=row).loss)


def test_equal_to_the_loss_of_transformers(tmp_path: Path) -> None:
    model = save_model(tmp_path, bos_token="[BOS]")
    found = load_language_model(tmp_path, "cpu").surprise(["a red cat", "dog", "", "cat " * 5000])
    expected = [loss(model, [1, 2, 3, 4]), loss(model, [1, 5]), loss(model, [1, *[4] * MOST_TOKENS])]
    assert [found[0], found[1], found[3]] == pytest.approx(expected, rel=1e-5)
    assert found[2] is None


def test_a_model_without_a_start_token_gives_no_surprise_for_single_tokens(tmp_path: Path) -> None:
    model = save_model(tmp_path)
    found = load_language_model(tmp_path, "cpu").surprise(["a red cat", "dog"])
    assert found == [pytest.approx(loss(model, [2, 3, 4]), rel=1e-5), None]


def test_no_language_model(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no causal language model"):
        load_language_model(tmp_path, "cpu")
