"""Type-token ratios against counting windows one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.captions.diagnostics.diversity import WordVariety


def variety(batches: list[list[int]], window: int) -> WordVariety:
    found = WordVariety(window)
    for batch in batches:
        found.add(np.array(batch, dtype=np.int64))
    return found


@given(st.lists(st.lists(st.integers(0, 8), max_size=20), max_size=6), st.integers(2, 30))
def test_moving_average_equals_counting(batches: list[list[int]], window: int) -> None:
    words = [word for batch in batches for word in batch]
    found = variety(batches, window)
    assert (found.words, found.types) == (len(words), len(set(words)))
    if not words:
        assert found.ratio() is None and found.moving_average() is None
        return
    size = min(window, len(words))
    windows = [words[i : i + size] for i in range(len(words) - size + 1)]
    assert found.moving_average() == pytest.approx(np.mean([len(set(w)) / size for w in windows]))
    assert found.ratio() == len(set(words)) / len(words)


def test_moving_average_does_not_fall_with_length() -> None:
    words = np.random.default_rng(0).integers(0, 1000, 40_000).tolist()
    long, short = variety([words], 500), variety([words[:4000]], 500)
    assert long.ratio() < 0.5 * short.ratio()  # type: ignore[operator]
    assert long.moving_average() == pytest.approx(short.moving_average(), rel=0.02)
