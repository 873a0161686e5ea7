from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cdist
from sklearn.metrics import average_precision_score

from workflow_scripts.core.declaration.result_names import HEADLINE
from workflow_scripts.evaluation.saliency.scores import (
    OBJECT_SHARE,
    SCORES,
    Score,
    constant,
    explained,
    near_object,
    ranking,
    score_maps,
)

T = np.linspace(0, 1, 11)
# Few distinct values, so that ties are common; quarters, so that sums and thresholds are exact.
some_maps = hnp.arrays(np.float64, (3, 5, 6), elements=st.integers(0, 4).map(lambda i: i / 4))
masks = hnp.arrays(np.uint8, (5, 6), elements=st.sampled_from([0, 1, 255])).filter(lambda m: (m == 1).any())


def scored(maps: np.ndarray, mask: np.ndarray, tolerance: float = 1.0) -> list[dict[str, float]]:
    found = score_maps(maps, mask, near_object(mask, tolerance), T)
    return [dict(zip(SCORES, one, strict=True)) for one in found]


def jaccard(inside: list[bool], above: list[bool]) -> float:
    both = sum(one and other for one, other in zip(inside, above, strict=True))
    return both / sum(one or other for one, other in zip(inside, above, strict=True))


def slow_scores(saliency: np.ndarray, mask: np.ndarray, tolerance: float = 1.0) -> dict[str, float]:
    near = cdist(np.argwhere(mask >= 0), np.argwhere(mask == 1)).min(axis=1).reshape(mask.shape) <= tolerance
    triples = [(s, m == 1, n) for s, m, n in zip(saliency.ravel(), mask.ravel(), near.ravel(), strict=True) if m != 255]
    if len({s for s, _, _ in triples}) == 1:
        triples = [(1.0, inside, close) for _, inside, close in triples]
    peak = max(s for s, _, _ in triples)
    inside = [m for _, m, _ in triples]
    curve = [jaccard(inside, [s >= t * peak for s, _, _ in triples]) for t in T]
    return {
        "mass_in_mask": sum(s for s, m, _ in triples if m) / sum(s for s, _, _ in triples),
        "pointing_game": float(np.mean([m for s, m, _ in triples if s == peak])),
        "pointing_game_near": float(np.mean([n for s, _, n in triples if s == peak])),
        "iou_area": sum((a + b) / 2 for a, b in pairwise(curve)) / (len(T) - 1),
        "iou_max": max(curve),
        "pixel_ap": average_precision_score(inside, [s for s, _, _ in triples]),
    }


@settings(max_examples=60, deadline=None)
@given(some_maps, masks)
def test_scores_are_those_of_the_slow_reference(maps: np.ndarray, mask: np.ndarray) -> None:
    for found, one in zip(scored(maps, mask), maps, strict=True):
        expected = slow_scores(one, mask)
        assert {name: found[name] for name in expected} == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(masks, st.sampled_from([0.0, 0.3, 7.0]))
def test_a_constant_map_scores_the_objects_share(mask: np.ndarray, value: float) -> None:
    share = (mask == 1).sum() / (mask != 255).sum()
    maps = np.full((1, 5, 6), value)
    assert constant(maps, mask).all() and (ranking(maps, mask, mask == 1, T).values == 1).all()
    for score, found in zip(SCORES.values(), scored(maps, mask)[0].values(), strict=True):
        assert score.chance != OBJECT_SHARE or found == pytest.approx(share)


@settings(max_examples=50, deadline=None)
@given(some_maps, masks, st.integers(0, 9))
def test_ignored_pixels_change_nothing(maps: np.ndarray, mask: np.ndarray, other: int) -> None:
    changed = np.where(mask == 255, other, maps)
    for one, same in zip(scored(changed, mask), scored(maps, mask), strict=True):
        assert one == pytest.approx(same)


def test_scores_of_a_perfect_and_an_inverted_map() -> None:
    mask = np.zeros((4, 4), np.uint8)
    mask[1:3, 1:3] = 1
    perfect, opposite = scored(np.stack([mask.astype(float), 1.0 - mask]), mask)
    assert all(perfect[name] == pytest.approx(1) for name in SCORES if name != "iou_area")
    assert opposite["mass_in_mask"] == opposite["pointing_game"] == 0


def test_ties_at_the_peak_are_split() -> None:
    mask = np.array([[1, 0, 255], [0, 0, 0]], np.uint8)
    peaks = np.array([[[2.0, 2.0, 9.0], [2.0, 2.0, 0.0]]])
    assert scored(peaks, mask)[0]["pointing_game"] == pytest.approx(0.25)
    assert scored(peaks, mask)[0]["pointing_game_near"] == pytest.approx(0.75)


def test_a_power_of_the_map_changes_mass_but_not_average_precision() -> None:
    rng = np.random.default_rng(0)
    base, mask = rng.random((16, 16)) + 1e-3, (rng.random((16, 16)) < 0.3).astype(np.uint8)
    found = scored(np.stack([(base * (1 + mask)) ** power for power in (0.5, 1, 2, 4)]), mask)
    assert len({one[HEADLINE] for one in found}) == 1
    masses = [one["mass_in_mask"] for one in found]
    assert masses == sorted(masses) and masses[-1] > masses[0] + 0.2


def test_a_full_mask_scores_1_and_negative_zero_equals_zero() -> None:
    full = np.ones((4, 4), np.uint8)
    assert scored(np.random.default_rng(0).random((1, 4, 4)), full)[0][HEADLINE] == 1
    mask = np.array([[1, 0], [0, 0]], np.uint8)
    zeros = np.array([[[1.0, -0.0], [0.0, 0.5]], [[1.0, 0.0], [0.0, 0.5]]])
    first, second = scored(zeros, mask)
    assert first == second and first[HEADLINE] == 1


@pytest.mark.parametrize("score", SCORES.values(), ids=lambda score: score.name)
def test_a_saliency_score_entry_is_complete_and_correct(score: Score) -> None:
    assert score.chance
    assert explained(score) == f"{score.summary}; 0 to 1, higher is better; by chance {score.chance}"
    mask = np.zeros((4, 4), np.uint8)
    mask[1:3, 1:3] = 1
    good, bad = score.compute(ranking(np.stack([mask.astype(float), 1.0 - mask]), mask, mask == 1, T))
    assert 0 <= bad < good <= 1


@settings(max_examples=50, deadline=None)
@given(some_maps, masks)
def test_saliency_scores_are_within_their_range(maps: np.ndarray, mask: np.ndarray) -> None:
    for found in scored(maps, mask):
        assert all(-1e-12 <= value <= 1 + 1e-12 for value in found.values())
