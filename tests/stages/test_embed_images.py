"""The stage ``embed_images``."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from tests.captions.small_blip2 import draw_pictures
from tests.embeddings.small_runs import save_network
from tests.helpers import Fails, make_artifact, run
from tests.stages.captioned import Captioned, blip2_vectors
from workflow_scripts.models.matcher import load_matcher
from workflow_scripts.models.preprocessing import normalise, prepare
from workflow_scripts.stages import embed_images


def test_vectors_in_index_order_over_shards(given: Captioned) -> None:
    made = blip2_vectors(given)
    vectors = np.load(made.path(".npy"))
    matcher = load_matcher(given.checkpoints["matcher"], "cpu", 32)
    expected = matcher.image_vectors(matcher.image_states(draw_pictures())).numpy().mean(axis=1)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.abs(vectors - expected).max() < 1e-5
    assert pq.read_table(made.path(".keys.parquet"))["key"].to_pylist() == [f"k{i}" for i in range(9)]


def test_a_captioner_checkpoint_is_refused_as_image_encoder(given: Captioned, fails: Fails) -> None:
    sources = {"encoder": given.checkpoints["captioner"]}
    with fails("error: incomplete Blip2ForImageTextRetrieval checkpoint in"):
        run(
            embed_images.STAGE,
            given.results,
            "embed_images/odd",
            {"kind": "blip2"},
            {"images": given.index},
            {},
            sources,
        )


def test_images_are_embedded_by_the_network_of_a_run(given: Captioned, tmp_path: Path) -> None:
    network, weights, about = save_network(tmp_path)
    files = {"/step-000200.safetensors": weights, "/run.json": about}
    inputs = {"images": given.index, "run": make_artifact(given.results, "pretrain", "simclr", files)}
    view = {"size": 24, "side": 24, "resize": "bilinear"}
    settings = {"kind": "run", "weights": "step-000200", "view": view, "batch_size": 4}
    made = run(embed_images.STAGE, given.results, "embed_images/own", settings, inputs)
    pixels = torch.stack([prepare(picture, 24) for picture in draw_pictures()])
    with torch.no_grad():
        expected = torch.nn.functional.normalize(network(normalise(pixels)))
    np.testing.assert_allclose(np.load(made.path(".npy")), expected.numpy(), rtol=1e-4, atol=1e-6)
