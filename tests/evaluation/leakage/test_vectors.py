import numpy as np
import pyarrow as pa
import pytest

from tests.helpers import make_artifact
from tests.reporting.fake_files import parquet_table
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.evaluation.leakage.vectors import COSINES, close_pairs, read_cosines


def test_pairs_are_those_whose_exact_cosine_reaches_the_limit() -> None:
    angles = np.array([0.0, 0.1, 0.21, 0.3, 1.5])
    training = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    tests = training[[1, 4]]
    rows = np.array([[1, 0, 2, 3], [4, 3, -1, -1]])
    products = np.where(rows >= 0, 0.99, -np.inf).astype(np.float32)
    test, train, cosine = close_pairs(tests, training, rows, products, np.cos(0.15))
    assert test.tolist() == [0, 0, 0, 1] and train.tolist() == [1, 0, 2, 4]
    assert cosine == pytest.approx([1, np.cos(0.1), np.cos(0.11), 1], abs=1e-6) and cosine.max() <= 1


def test_a_candidate_without_a_chance_is_not_read() -> None:
    one = np.ones((1, 1), np.float32)
    assert all(not len(part) for part in close_pairs(one, one, np.array([[0]]), np.array([[0.7]]), 0.8))
    none = np.zeros((1, 0))
    assert all(not len(part) for part in close_pairs(one, one[:0], none.astype(int), none, 0.8))


def test_pairs_by_training_image(results) -> None:  # type: ignore[no-untyped-def]
    columns = [["b", "a", "b"], ["t1", "t1", "t2"], [0.9, 0.95, 0.85]]
    table = pa.table([pa.array(one) for one in columns], names=COSINES.names).cast(COSINES)
    made = make_artifact(results, "vector_matches", "pets.clip", {".parquet": parquet_table(table)}, {})
    found = read_cosines([Artifact(made)], ["a", "b"])
    assert found.keys() == {"t1", "t2"} and found["t1"] == pytest.approx({1: 0.9, 0: 0.95})
    assert read_cosines([], ["a"]) == {}
