"""Captions and images embedded by a run of the study, against its network called by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.embeddings.small_runs import save_network, save_tower
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.embeddings.images import run_encoder
from workflow_scripts.embeddings.text_towers import run_text
from workflow_scripts.models.networks.view import View
from workflow_scripts.models.preprocessing import normalise, prepare

TEXTS = ["a red disc", "the", "a disc that is longer than eight tokens"]


def test_images_are_seen_as_in_evaluations(tmp_path: Path, pictures: list[Image.Image]) -> None:
    network, weights, about = save_network(tmp_path)
    encoder = run_encoder(weights, about, View(size=24, side=28, resize="bicubic"), "cpu")
    pixels = torch.stack([prepare(picture, 24, "bicubic", 28) for picture in pictures])
    with torch.no_grad():
        expected = network(normalise(pixels))
    torch.testing.assert_close(encoder(pictures), expected, rtol=1e-5, atol=1e-6)


def test_features_that_are_not_finite_are_an_error(tmp_path: Path, pictures: list[Image.Image]) -> None:
    network, weights, about = save_network(tmp_path)
    save_file({name: tensor * float("nan") for name, tensor in network.state_dict().items()}, weights)
    encoder = run_encoder(weights, about, View(size=24, side=24, resize="bilinear"), "cpu")
    with pytest.raises(PipelineError, match="features not finite in"):
        encoder(pictures[:1])


def test_captions_go_through_the_tower_of_the_run(tmp_path: Path) -> None:
    tower, tokenizer, weights, files = save_tower(tmp_path)
    encoder = run_text(weights, files, "cpu")
    found = encoder(TEXTS, 2)
    assert found.shape == (3, 8) and found.dtype == np.float32
    for text, vector in zip(TEXTS, found, strict=True):
        (row,), _ = tokenizer.rows([text], 8)
        with torch.no_grad():
            np.testing.assert_allclose(vector, tower(torch.tensor([row]))[0].numpy(), rtol=1e-5, atol=1e-6)
    assert encoder.max_tokens == 8
    assert encoder.truncated(TEXTS).tolist() == [False, False, True]
    longer = [" ".join(["the"] * words) for words in range(1, 10)]
    lengths = [len(ids) + 2 for ids in tokenizer.ids(longer)]  # with start and end
    assert {8, 9} <= set(lengths)
    assert encoder.truncated(longer).tolist() == [length > 8 for length in lengths]


def test_a_file_that_holds_no_tower_is_an_error(tmp_path: Path) -> None:
    _, _, weights, files = save_tower(tmp_path)
    save_file({"x": torch.zeros(2)}, weights)
    with pytest.raises(PipelineError, match=r"unreadable text tower in .*text\.safetensors"):
        run_text(weights, files, "cpu")
