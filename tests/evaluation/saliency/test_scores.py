from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics import average_precision_score, jaccard_score

from workflow_scripts.evaluation.saliency.scores import (
    FLOORS,
    OBJECT_SHARE,
    SCORES,
    Score,
    centre_gaussian,
    explained,
    is_constant,
    ranking,
    score_map,
    uniform_map,
)

T = np.linspace(0, 1, 11)
# Few distinct values, so that ties are common; quarters, so that sums and thresholds are exact.
maps = hnp.arrays(np.float64, (5, 6), elements=st.integers(0, 4).map(lambda i: i / 4))
masks = hnp.arrays(np.uint8, (5, 6), elements=st.sampled_from([0, 1, 255])).filter(lambda m: (m == 1).any())


def slow_scores(saliency: np.ndarray, mask: np.ndarray) -> dict[str, float]:
    pairs = [(s, m == 1) for s, m in zip(saliency.ravel(), mask.ravel(), strict=True) if m != 255]
    if len({s for s, _ in pairs}) == 1:
        pairs = [(1.0, inside) for _, inside in pairs]
    peak = max(s for s, _ in pairs)
    top = [inside for s, inside in pairs if s == peak]
    inside = [m for _, m in pairs]
    curve = [jaccard_score(inside, [s >= t * peak for s, _ in pairs]) for t in T]
    return {
        "mass_in_mask": sum(s for s, m in pairs if m) / sum(s for s, _ in pairs),
        "pointing_game": sum(top) / len(top),
        "iou_area": sum((a + b) / 2 for a, b in pairwise(curve)) / (len(T) - 1),
        "iou_max": max(curve),
        "pixel_ap": average_precision_score(inside, [s for s, _ in pairs]),
    }


@settings(max_examples=60, deadline=None)
@given(maps, masks)
def test_scores_are_those_of_the_slow_reference(saliency: np.ndarray, mask: np.ndarray) -> None:
    found, expected = dict(zip(SCORES, score_map(saliency, mask, T), strict=True)), slow_scores(saliency, mask)
    assert {name: found[name] for name in expected} == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(masks, st.sampled_from([0.0, 0.3, 7.0]))
def test_a_constant_map_scores_the_objects_share(mask: np.ndarray, value: float) -> None:
    share = (mask == 1).sum() / (mask != 255).sum()
    assert is_constant(np.full((5, 6), value), mask)
    for score, found in zip(SCORES.values(), score_map(np.full((5, 6), value), mask, T), strict=True):
        assert score.chance != OBJECT_SHARE or found == pytest.approx(share)


@settings(max_examples=50, deadline=None)
@given(maps, masks, st.integers(0, 9))
def test_ignored_pixels_change_nothing(saliency: np.ndarray, mask: np.ndarray, other: int) -> None:
    changed = np.where(mask == 255, other, saliency)
    assert score_map(changed, mask, T) == pytest.approx(score_map(saliency, mask, T))


def test_a_perfect_and_an_opposite_map() -> None:
    mask = np.zeros((4, 4), np.uint8)
    mask[1:3, 1:3] = 1
    perfect = dict(zip(SCORES, score_map(mask.astype(float), mask, T), strict=True))
    assert all(
        perfect[name] == pytest.approx(1) for name in slow_scores(mask.astype(float), mask) if name != "iou_area"
    )
    opposite = dict(zip(SCORES, score_map(1.0 - mask, mask, T), strict=True))
    assert opposite["mass_in_mask"] == opposite["pointing_game"] == 0


def test_ties_at_the_peak_are_split() -> None:
    mask = np.array([[1, 0, 255], [0, 0, 0]], np.uint8)
    peaks = np.array([[2.0, 2.0, 9.0], [2.0, 2.0, 0.0]])
    assert score_map(peaks, mask, T)[1] == pytest.approx(0.25)


@pytest.mark.parametrize("score", SCORES.values(), ids=lambda score: score.name)
def test_a_row_is_complete_and_true(score: Score) -> None:
    assert score.name.isidentifier() and score.name.islower()
    assert score.low < score.high
    assert score.chance
    assert explained(score).startswith(f"{score.summary}; {score.low:g} to {score.high:g}, ")
    mask = np.zeros((4, 4), np.uint8)
    mask[1:3, 1:3] = 1
    good, bad = (score.compute(ranking(one, mask, T)) for one in (mask.astype(float), 1.0 - mask))
    assert score.low <= min(good, bad) <= max(good, bad) <= score.high
    assert (good > bad) == score.higher_is_better


@settings(max_examples=50, deadline=None)
@given(maps, masks)
def test_scores_stay_in_their_range(saliency: np.ndarray, mask: np.ndarray) -> None:
    for score, value in zip(SCORES.values(), score_map(saliency, mask, T), strict=True):
        assert score.low - 1e-12 <= value <= score.high + 1e-12


def test_floors() -> None:
    assert (uniform_map(5) == 1).all()
    assert list(FLOORS) == ["uniform", "centre_gaussian"]
    assert (FLOORS["uniform"](9, 0.25) == uniform_map(9)).all()
    assert (FLOORS["centre_gaussian"](9, 0.25) == centre_gaussian(9, 0.25)).all()
    found = centre_gaussian(9, 0.25)
    y, x = np.mgrid[:9, :9]
    assert found == pytest.approx(np.exp(-((y - 4) ** 2 + (x - 4) ** 2) / (2 * (0.25 * 9) ** 2)))
    assert centre_gaussian(8, 0.25) == pytest.approx(centre_gaussian(8, 0.25)[::-1, ::-1])
