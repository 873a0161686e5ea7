from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.file_bytes import parquet
from tests.helpers import make_artifact
from tests.pretraining.data.embedded import embedded
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.data import caption_vectors, faithfulness
from workflow_scripts.pretraining.data.pairing import among, with_itself

KEYS = pa.chunked_array([["a", "b"], ["c", "d", "e"]])


def test_matching_is_the_sigmoid_of_itm(results: Path) -> None:
    itm = pa.array([2.0, None, -1.5, 0.0], pa.float32())
    arm = parquet({"key": ["c", "a", "b", "gone"], "itm": itm})
    found = faithfulness.matching([Artifact(make_artifact(results, "select_captions", "arm", {".parquet": arm}))], KEYS)
    expected = [np.nan, 1 / (1 + np.exp(1.5)), 1 / (1 + np.exp(-2)), np.nan, np.nan]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32


def test_agreement_is_the_cosine_of_the_captions_of_two_arms(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caption_vectors, "BLOCK", 2)
    generator, keys = np.random.default_rng(0), KEYS.to_pylist()
    one, other = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in generator.normal(size=(2, 5, 3)))
    one[3] = 0  # an empty caption
    expected = (one * other).sum(1)
    expected[3] = np.nan
    backwards = embedded(results, "generated.x", keys[::-1], other[::-1])
    found = faithfulness.agreement([embedded(results, "original.x", keys, one), backwards], KEYS)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    with pytest.raises(PipelineError, match=r"unknown image key in .*short\.x\.keys\.parquet: 'e'"):
        faithfulness.agreement([backwards, embedded(results, "short.x", keys[:4], other[:4])], KEYS)


def test_a_pair_is_as_faithful_as_the_worse_of_its_captions() -> None:
    scores = np.array([0.9, 0.2, np.nan, 0.5], np.float32)
    sources, partners = np.array([0, 1, 0, 3, 3]), np.array([1, 0, 2, 3, 0])
    found = faithfulness.of_pairs(scores, sources, partners[None])
    np.testing.assert_allclose(found, np.array([0.2, 0.2, np.nan, np.nan, 0.5], np.float32))
    np.testing.assert_array_equal(faithfulness.of_pairs(scores, sources, np.empty((0, 5), np.int64)), scores[sources])
    two = faithfulness.of_pairs(scores, np.array([0, 3]), np.array([[3, 3], [1, 0]]))
    np.testing.assert_allclose(two, np.array([0.2, 0.5], np.float32))
    assert found.dtype == np.float32


def test_images_without_a_score_are_counted_and_an_arm_without_any_is_an_error() -> None:
    scores, pairing = np.array([np.nan, 0.1, np.nan], np.float32), with_itself(np.arange(3))
    assert faithfulness.unscored(scores, pairing) == {"without_score": 2}
    only, _ = among(pairing, np.array([1]))
    assert faithfulness.unscored(scores, only) == {"without_score": 0}
    with pytest.raises(
        PipelineError, match=r"no weights of pairs in pair_weight: no caption of 3 images has a score; ch"
    ):
        faithfulness.unscored(np.full(3, np.nan), pairing)
