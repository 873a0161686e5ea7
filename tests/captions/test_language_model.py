"""Surprise of texts by a small GPT-2 against the loss that transformers computes."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from workflow_scripts.captions.language_model import MOST_TOKENS, load_language_model
from workflow_scripts.core.errors import PipelineError

WORDS = {word: number for number, word in enumerate(["[UNK]", "[BOS]", "a", "red", "cat", "dog"])}


def save(folder: Path, **special: str) -> GPT2LMHeadModel:
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
    model = save(tmp_path, bos_token="[BOS]")
    found = load_language_model(tmp_path, "cpu").surprise(["a red cat", "dog", "", "cat " * 5000])
    expected = [loss(model, [1, 2, 3, 4]), loss(model, [1, 5]), loss(model, [1, *[4] * MOST_TOKENS])]
    assert [found[0], found[1], found[3]] == pytest.approx(expected, rel=1e-5)
    assert found[2] is None


def test_without_a_start_token(tmp_path: Path) -> None:
    model = save(tmp_path)
    found = load_language_model(tmp_path, "cpu").surprise(["a red cat", "dog"])
    assert found == [pytest.approx(loss(model, [2, 3, 4]), rel=1e-5), None]


def test_no_language_model(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no causal language model"):
        load_language_model(tmp_path, "cpu")
