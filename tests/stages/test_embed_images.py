"""The stage ``embed_images``."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.captions.small_blip2 import draw_pictures
from tests.helpers import run
from tests.stages.captioned import Captioned, blip2_vectors
from workflow_scripts.models.matcher import load_matcher
from workflow_scripts.stages import embed_images


def test_vectors_in_index_order_over_shards(given: Captioned) -> None:
    made = blip2_vectors(given)
    vectors = np.load(made.path(".npy"))
    matcher = load_matcher(given.checkpoints["matcher"], "cpu", 32)
    expected = matcher.image_vectors(matcher.image_states(draw_pictures())).numpy().mean(axis=1)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.abs(vectors - expected).max() < 1e-5
    assert pq.read_table(made.path(".keys.parquet"))["key"].to_pylist() == [f"k{i}" for i in range(9)]


def test_wrong_checkpoint(given: Captioned, capsys: pytest.CaptureFixture[str]) -> None:
    sources = {"encoder": given.checkpoints["captioner"]}
    with pytest.raises(SystemExit):
        run(
            embed_images.STAGE,
            given.results,
            "embed_images/odd",
            {"kind": "blip2"},
            {"images": given.index},
            {},
            sources,
        )
    assert "error: incomplete Blip2ForImageTextRetrieval checkpoint in" in capsys.readouterr().err.splitlines()[-1]
