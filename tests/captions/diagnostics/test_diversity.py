"""Type-token ratios against counting windows one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.captions.diagnostics.diversity import moving_average_ratio, type_token_ratio


@given(st.lists(st.integers(0, 8), min_size=1, max_size=60), st.integers(2, 30))
def test_moving_average_equals_counting(words: list[int], window: int) -> None:
    size = min(window, len(words))
    windows = [words[i : i + size] for i in range(len(words) - size + 1)]
    counted = np.mean([len(set(w)) / size for w in windows])
    assert moving_average_ratio(np.array(words), window) == pytest.approx(counted)


def test_moving_average_does_not_fall_with_length() -> None:
    words = np.random.default_rng(0).integers(0, 1000, 40_000)
    assert type_token_ratio(words) < 0.5 * type_token_ratio(words[:4000])
    assert moving_average_ratio(words, 500) == pytest.approx(moving_average_ratio(words[:4000], 500), rel=0.02)


def test_no_words() -> None:
    assert type_token_ratio(np.zeros(0, int)) is None
    assert moving_average_ratio(np.zeros(0, int), 5) is None
