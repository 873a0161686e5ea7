"""Captions embedded by CLIP's text tower, and by that of a run, against the models called by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel, CLIPTextModelWithProjection, CLIPTokenizer

from tests.embeddings.small_runs import save_tower
from tests.models.text.small_clip import save_clip_tokenizer, tokens
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.embeddings.clip_text import clip_text
from workflow_scripts.embeddings.run_text import run_text

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
TEXTS = ["a red disc", "the", "a disc that is red and far longer than sixteen tokens"]
RUN_TEXTS = ["a red disc", "the", "a disc that is longer than eight tokens"]


def save_clip(folder: Path, whole: bool = True) -> CLIPModel:
    """A small CLIP, whose text tower alone states another width of the projection, as some published models do."""
    torch.manual_seed(0)
    count = len(tokens())
    ids = {"vocab_size": count, "bos_token_id": count - 2, "eos_token_id": count - 1, "max_position_embeddings": 16}
    vision = {**SMALL, "image_size": 32, "patch_size": 16}
    model = CLIPModel(CLIPConfig(text_config={**SMALL, **ids}, vision_config=vision, projection_dim=8)).eval()
    if whole:
        model.save_pretrained(folder)
    else:
        model.config.text_config.projection_dim = 8
        text = CLIPTextModelWithProjection(model.config.text_config)
        text.load_state_dict({k: v for k, v in model.state_dict().items() if k.startswith("text_")})
        text.save_pretrained(folder)
    CLIPTokenizer.from_pretrained(save_clip_tokenizer(folder)).save_pretrained(folder)
    return model


@pytest.mark.parametrize("whole", [True, False])
def test_text_vectors_equal_those_of_the_clip_model(tmp_path: Path, whole: bool) -> None:
    model = save_clip(tmp_path, whole)
    encoder = clip_text(tmp_path, "cpu")
    found = encoder(TEXTS, 2)
    assert found.shape == (3, 8) and found.dtype == np.float32
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path)
    for text, vector in zip(TEXTS, found, strict=True):
        ids = tokenizer(text, truncation=True, max_length=16, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            expected = model.text_projection(model.text_model(input_ids=ids).pooler_output)[0]
        np.testing.assert_allclose(vector, expected.numpy(), rtol=1e-5, atol=1e-6)
    assert encoder.max_tokens == 16
    assert encoder.truncated(TEXTS).tolist() == [False, False, True]
    assert encoder.truncated([]).tolist() == []


def test_no_such_model(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no CLIP text tower in"):
        clip_text(tmp_path, "cpu")


def test_captions_are_embedded_by_the_text_tower_of_the_run(tmp_path: Path) -> None:
    tower, tokenizer, weights, files = save_tower(tmp_path)
    encoder = run_text(weights, files, "cpu")
    found = encoder(RUN_TEXTS, 2)
    assert found.shape == (3, 8) and found.dtype == np.float32
    for text, vector in zip(RUN_TEXTS, found, strict=True):
        (row,), _ = tokenizer.rows([text], 8)
        with torch.no_grad():
            np.testing.assert_allclose(vector, tower(torch.tensor([row]))[0].numpy(), rtol=1e-5, atol=1e-6)
    assert encoder.max_tokens == 8
    assert encoder.truncated(RUN_TEXTS).tolist() == [False, False, True]
    longer = [" ".join(["the"] * words) for words in range(1, 10)]
    lengths = [len(ids) + 2 for ids in tokenizer.ids(longer)]  # with start and end
    assert {8, 9} <= set(lengths)
    assert encoder.truncated(longer).tolist() == [length > 8 for length in lengths]


def test_a_file_that_holds_no_tower_is_an_error(tmp_path: Path) -> None:
    _, _, weights, files = save_tower(tmp_path)
    save_file({"x": torch.zeros(2)}, weights)
    with pytest.raises(PipelineError, match=r"unreadable text tower in .*text\.safetensors"):
        run_text(weights, files, "cpu")
