"""Joins by key."""

import numpy as np
import pyarrow as pa
import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pairs import key_join as known

KEYS = pa.chunked_array([["a", "b"], ["c"]])


def test_pairs_are_joined_to_rows_by_key() -> None:
    table = pa.table({"source": ["c", "a"], "target": ["a", "b"], "cosine": pa.array([1.0, 0.5], pa.float32())})
    rows = known.pair_rows(table, KEYS)
    assert (rows.source.tolist(), rows.target.tolist(), rows.count) == ([2, 0], [0, 1], 3)
    with pytest.raises(PipelineError, match="unknown image in pairs: c and 0 more"):
        known.pair_rows(table, pa.chunked_array([["a", "b"]]))


def test_image_vectors_follow_the_keys() -> None:
    vectors = np.arange(3, dtype=np.float32)[:, None]
    keys = pa.table({"key": KEYS})
    assert known.image_vectors(vectors, KEYS, keys).vectors is vectors
    found = known.image_vectors(vectors, pa.chunked_array([["c", "a", "b"]]), keys)
    assert found.vectors[found.row][:, 0].tolist() == [1, 2, 0]


def test_labels_are_joined_to_images_by_key() -> None:
    labels = known.label_codes(KEYS, pa.chunked_array([["c", "x", "a"]]), pa.chunked_array([["dog", "cat", "dog"]]))
    assert labels[0] == labels[2] >= 0
    assert labels[1] == -1
