"""Fewer dimensions against their definitions in NumPy."""

import numpy as np
import pytest
from pydantic import ValidationError

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.embeddings import reduction
from workflow_scripts.embeddings.reduction import REDUCTIONS, principal, truncated
from workflow_scripts.stages.embed_captions import EmbedCaptions


def vectors(count: int = 60, width: int = 8) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(count, width)) * np.arange(width, 0, -1) + 1
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[7] = 0
    return rows.astype(np.float32)


def test_truncated_rows_have_length_one() -> None:
    given, got = vectors(), truncated(vectors(), 3)
    assert (got[7] == 0).all()
    expected = given[:, :3] / np.maximum(np.linalg.norm(given[:, :3], axis=1, keepdims=True), 1e-9)
    assert np.allclose(got, expected, atol=1e-7)
    assert np.allclose(truncated(given, 8), given, atol=1e-7)


def test_principal_components_by_singular_values() -> None:
    given = vectors()
    kept = np.delete(given, 7, axis=0).astype(np.float64)
    centred = kept - kept.mean(axis=0)
    axes = np.linalg.svd(centred)[2][:3]
    axes = np.array([axis * np.sign(axis[np.abs(axis).argmax()]) for axis in axes])
    expected = centred @ axes.T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    got = principal(given, 3)
    assert np.allclose(np.delete(got, 7, axis=0), expected, atol=1e-5)
    assert (got[7] == 0).all()
    whole = np.delete(principal(given, 8), 7, axis=0)
    lengths = np.linalg.norm(centred, axis=1)
    assert np.allclose(whole @ whole.T, centred @ centred.T / np.outer(lengths, lengths), atol=1e-5)  # a rotation


@pytest.mark.parametrize("how", sorted(REDUCTIONS))
def test_blocks_and_repeats(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = REDUCTIONS[how](vectors(), 4)
    assert whole.dtype == np.float32
    monkeypatch.setattr(reduction, "BLOCK", 7)
    assert np.allclose(REDUCTIONS[how](vectors(), 4), whole, atol=1e-6)
    assert REDUCTIONS[how](np.zeros((0, 8), np.float32), 4).shape == (0, 4)
    assert not REDUCTIONS[how](np.zeros((3, 8), np.float32), 4).any()
    with pytest.raises(PipelineError, match=r"too many dimensions.*9; the encoder has 8"):
        REDUCTIONS[how](vectors(), 9)


def test_too_few_captions_for_pca() -> None:
    with pytest.raises(PipelineError, match="too few captions for PCA"):
        principal(vectors()[:4], 4)


def test_bad_settings() -> None:
    with pytest.raises(ValidationError, match="reduction pca has no effect without dimensions"):
        EmbedCaptions(reduction="pca")
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        EmbedCaptions(dimensions=0)
