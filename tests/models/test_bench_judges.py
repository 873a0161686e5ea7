"""The figures of ``tests/bench/bench_judges.py`` by comparing all pairs, and their intervals by the jackknife."""

from math import sqrt

import numpy as np
import pytest

from tests.bench.bench_judges import figures

PHOTOS, TITLES = 40, 30


def scores() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of photos with captions and titles; texts differ much in how high they score with any photo."""
    rng = np.random.default_rng(0)
    labels = np.concatenate([rng.integers(0, 4, PHOTOS - 1), [9]])  # the last one is alone with its label
    captions = rng.normal(size=(PHOTOS, PHOTOS)) + rng.normal(size=PHOTOS) + np.eye(PHOTOS)
    titles = rng.normal(size=(PHOTOS, TITLES)) + rng.normal(size=TITLES)
    return captions.round(1), titles.round(1), labels


def pair_by_pair(captions: np.ndarray, titles: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    rows: dict[str, list[float]] = {"random": [], "same label": [], "title": [], "control": []}
    for photo, (mine, theirs) in enumerate(zip(captions, titles, strict=True)):
        others = [one for one in range(len(captions)) if one != photo]
        alike = [one for one in others if labels[one] == labels[photo]]
        compared = {
            "random": [(mine[photo], mine[one]) for one in others],
            "same label": [(mine[photo], mine[one]) for one in alike],
            "title": [(mine[photo], title) for title in theirs],
            "control": [(mine[one], title) for one in others for title in theirs],
        }
        for name, pairs in compared.items():
            if pairs:
                rows[name].append(np.mean([(np.sign(one - two) + 1) / 2 for one, two in pairs]))
    return {name: float(np.mean(some)) for name, some in rows.items()}


def test_judge_benchmark_shares_and_intervals_equal_comparing_all_pairs() -> None:
    captions, titles, labels = scores()
    found, expected = figures(captions, titles, labels), pair_by_pair(captions, titles, labels)
    without_photo = [
        pair_by_pair(np.delete(np.delete(captions, one, 0), one, 1), np.delete(titles, one, 0), np.delete(labels, one))
        for one in range(PHOTOS)
    ]
    without_title = [pair_by_pair(captions, np.delete(titles, one, 1), labels) for one in range(TITLES)]
    for name, (value, low, high) in found.items():
        left_out = [np.array([one[name] for one in some]) for some in (without_photo, without_title)]
        jackknife = sum((len(one) - 1) * one.var() for one in left_out)  # Efron and Stein 1981, Ann. Stat. 9:586
        assert value == pytest.approx(expected[name])
        assert (value - low, high - value) == (pytest.approx(1.96 * sqrt(jackknife), rel=0.1),) * 2
    widths = {name: high - low for name, (_, low, high) in found.items()}
    assert widths["control"] > 0.15  # of texts, although a photo more or less changes next to nothing
