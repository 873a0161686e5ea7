from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tests.pretraining.data.embedded import embedded
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.data import caption_vectors
from workflow_scripts.pretraining.data.caption_vectors import embedded_pairs, read_vectors
from workflow_scripts.pretraining.data.pairing import Pairing, with_itself

KEYS = pa.chunked_array([["a", "b"], ["c", "d", "e"]])
ROWS = np.arange(1, 19).reshape(6, 3)


def test_vectors_are_those_of_the_images(results: Path) -> None:
    found = read_vectors(embedded(results, "arm.x", ["e", "b", "x", "a", "d", "c"], ROWS), KEYS)
    assert found.width == 3
    assert found[np.array([1, 0, 1])].tolist() == [[4, 5, 6], [10, 11, 12], [4, 5, 6]]
    assert found[np.array([0])].dtype == np.float32
    assert found.of(np.array([4, 2]))[np.array([0])].tolist() == [[1, 2, 3]]
    assert found.of(np.array([False, False, True, False, True]))[np.array([1])].tolist() == [[1, 2, 3]]
    with pytest.raises(PipelineError, match=r"unknown image key in .*short\.x\.keys\.parquet: 'e'"):
        read_vectors(embedded(results, "short.x", ["a", "b", "c", "d"], ROWS[:4]), KEYS)


def test_images_without_a_caption_are_left_out_and_the_rest_is_copied(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(caption_vectors, "BLOCK", 2)
    rows = ROWS[:5].copy()
    rows[3] = 0  # the vector of an empty caption
    made = embedded(results, "arm.x", ["a", "b", "c", "d", "e"], rows)
    pairing, vectors = embedded_pairs(with_itself(np.arange(5)), KEYS, made, tmp_path / "copy.npy")
    assert pairing.sources.tolist() == pairing.targets.tolist() == [0, 1, 2, 4]
    made.path(".npy").write_bytes(b"edited later")
    np.testing.assert_array_equal(vectors[np.arange(4)], rows[[0, 1, 2, 4]])
    some = Pairing(np.array([1, 3]), np.array([0, 1, 3]), np.array([0, 2, 4]))
    made = embedded(results, "arm.y", ["a", "b", "c", "d", "e"], ROWS[:5])
    pairing, vectors = embedded_pairs(some, KEYS, made, tmp_path / "copy.npy")
    assert (pairing.sources.tolist(), pairing.targets.tolist()) == ([1, 3], [0, 2, 4])
    np.testing.assert_array_equal(vectors[np.arange(2)], ROWS[[1, 3]])
