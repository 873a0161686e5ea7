"""Chunks are computed once and do not depend on where a job was stopped."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.embeddings.chunks import unit_rows, vector_chunks

ALL = np.arange(22, dtype=np.float32).reshape(11, 2)


def test_resume_computes_only_what_is_left(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []

    def compute(start: int, stop: int) -> np.ndarray:
        calls.append((start, stop))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return ALL[start:stop]

    with pytest.raises(KeyboardInterrupt):
        list(vector_chunks(11, 4, tmp_path, compute, "chunks"))
    found = list(vector_chunks(11, 4, tmp_path, compute, "chunks"))
    assert calls == [(0, 4), (4, 8), (8, 11), (8, 11)]
    assert np.array_equal(np.concatenate([vectors for _, vectors in found]), ALL)
    assert [rows for rows, _ in found] == [slice(0, 4), slice(4, 8), slice(8, 11)]


@given(st.lists(st.lists(st.floats(-1e6, 1e6, width=32), min_size=3, max_size=3), min_size=1, max_size=5))
def test_rows_are_scaled_to_unit_length_except_zeros(rows: list[list[float]]) -> None:
    vectors = np.array(rows, dtype=np.float32)
    lengths = np.linalg.norm(unit_rows(vectors).astype(np.float64), axis=1)
    assert np.allclose(lengths, np.any(vectors, axis=1), atol=1e-6)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_refused_and_not_kept(value: float, tmp_path: Path) -> None:
    vectors = ALL.copy()
    vectors[[6, 7], 1] = value
    with pytest.raises(PipelineError, match="vectors not finite in chunks: 2 of rows 4 to 7, the first is row 6"):
        list(vector_chunks(11, 4, tmp_path, lambda start, stop: vectors[start:stop], "chunks"))
    found = [vectors for _, vectors in vector_chunks(11, 4, tmp_path, lambda start, stop: ALL[start:stop], "chunks")]
    assert np.array_equal(np.concatenate(found), ALL)
