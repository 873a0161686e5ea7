"""Shuffles: nobody keeps its own caption, doses are exact and nested."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow_scripts.captions.derange import derange, faithful_rows, mix

TEXTS = st.lists(st.integers(0, 6), min_size=2, max_size=60).map(lambda x: np.array(x, dtype=np.int64))
SEEDS = st.integers(0, 1000)


@given(TEXTS, SEEDS)
def test_derangement(texts: np.ndarray, seed: int) -> None:
    given_to = derange(texts, seed)
    count = len(texts)
    assert sorted(given_to) == list(range(count))
    assert (given_to != np.arange(count)).all()
    largest = max(Counter(texts.tolist()).values())
    assert (texts[given_to] == texts).sum() == max(0, 2 * largest - count)


def test_seed_changes_the_shuffle() -> None:
    texts = np.arange(100)
    assert (derange(texts, 0) == derange(texts, 0)).all()
    assert (derange(texts, 0) != derange(texts, 1)).mean() > 0.9


def test_every_partner_is_about_equally_likely() -> None:
    texts = np.array([0, 1, 2, 3, 4, 4])
    seen = Counter(int(derange(texts, seed)[0]) for seed in range(3000))
    assert set(seen) == {1, 2, 3, 4, 5}
    assert max(seen.values()) < 2 * min(seen.values())


@given(TEXTS, st.floats(0, 1), SEEDS)
def test_mix_keeps_exactly_its_share(texts: np.ndarray, share: float, seed: int) -> None:
    given_to = mix(texts, share, seed)
    own = given_to == np.arange(len(texts))
    assert own.sum() == int(share * len(texts) + 0.5)
    assert (own == faithful_rows(len(texts), share, seed)).all()
    if (~own).sum() != 1:
        assert sorted(given_to) == list(range(len(texts)))


@given(st.integers(1, 200), st.floats(0, 1), st.floats(0, 1), SEEDS)
def test_doses_are_nested(count: int, one: float, other: float, seed: int) -> None:
    low, high = sorted((one, other))
    assert not (faithful_rows(count, low, seed) & ~faithful_rows(count, high, seed)).any()


def test_one_caption_alone() -> None:
    with pytest.raises(ValueError, match="at least 2 are needed"):
        derange(np.zeros(1, np.int64), 0)
    with pytest.raises(ValueError, match="at least 2 are needed"):
        mix(np.zeros(1, np.int64), 0.0, 0)
    assert mix(np.zeros(1, np.int64), 1.0, 0).tolist() == [0]
