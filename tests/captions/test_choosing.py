"""Choices of several judges, against rules written out image by image."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from workflow_scripts.captions.choosing import by_mean_rank, by_vote

SCORE = st.one_of(st.just(np.nan), st.integers(-3, 3).map(float))
THRESHOLD = st.one_of(st.none(), st.integers(-3, 3).map(float))


@st.composite
def scores(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """(judges, n) scores of old and new captions."""
    shape = draw(st.integers(1, 4)), draw(st.integers(1, 8))
    old, new = (draw(st.lists(SCORE, min_size=shape[0] * shape[1], max_size=shape[0] * shape[1])) for _ in range(2))
    return np.reshape(old, shape), np.reshape(new, shape)


@given(scores(), st.lists(st.integers(-2, 2).map(float), min_size=4, max_size=4), THRESHOLD)
def test_votes(both: tuple[np.ndarray, np.ndarray], margins: list[float], threshold: float | None) -> None:
    old, new = both
    found = by_vote(old, new, margins[: len(old)], threshold)
    for image in range(old.shape[1]):
        tally = 0
        for judge, margin in zip(range(len(old)), margins, strict=False):
            one, two = old[judge, image], new[judge, image]
            if not np.isnan(one) and not np.isnan(two):
                tally += 1 if two - one > margin or (threshold is not None and one < threshold) else -1
        assert found[image] == (tally > 0), "a tie keeps the old caption"


@given(scores(), st.sampled_from([0.0, 0.1, -0.2]), st.one_of(st.none(), st.sampled_from([0.3, 0.5])))
def test_mean_ranks(both: tuple[np.ndarray, np.ndarray], margin: float, threshold: float | None) -> None:
    old, new = both
    found = by_mean_rank(old, new, margin, threshold)
    shares: list[list[tuple[float, float]]] = [[] for _ in range(old.shape[1])]
    for one, two in zip(old, new, strict=True):
        known = [image for image in range(len(one)) if not np.isnan(one[image]) and not np.isnan(two[image])]
        pool = [*one[known], *two[known]]
        ranks = rankdata(pool) / len(pool) if pool else []
        for place, image in enumerate(known):
            shares[image].append((ranks[place], ranks[len(known) + place]))
    for image, ranked in enumerate(shares):
        if not ranked:
            assert not found[image]
            continue
        before, after = np.mean(ranked, axis=0)
        gain, low = after - before - margin, threshold is not None and before - threshold
        if abs(gain) > 1e-9 and not (threshold is not None and abs(low) < 1e-9):
            assert found[image] == (gain > 0 or (threshold is not None and low < 0))
        elif threshold is None and margin == 0 and len(ranked) == 1:
            assert not found[image], "a tie keeps the old caption"


def test_one_judge_s_ranks_choose_as_its_scores_do() -> None:
    old, new = np.random.default_rng(0).normal(size=(2, 1, 500))
    assert np.array_equal(by_mean_rank(old, new, 0.0), new[0] > old[0])
    assert np.array_equal(by_vote(old, new, [0.0]), new[0] > old[0])
