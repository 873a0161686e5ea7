"""Statistics of features in the curve, and when they look collapsed."""

import logging

import numpy as np
import pytest

from workflow_scripts.pretraining.monitor.collapse import (
    SHARE,
    STATISTICS,
    feature_statistics,
    first_collapse,
    spread,
    warn_of_collapse,
)
from workflow_scripts.stats.feature_statistics import alignment, rankme, uniformity


def curve(*ranks: float | None, spread: float | None = 0.2) -> list[dict[str, float | None]]:
    return [
        {"step": 10 * i, "rankme": rank, "spread": None if rank is None else spread} for i, rank in enumerate(ranks)
    ]


def test_feature_statistics_equal_the_formulas_of_the_papers():
    rng = np.random.default_rng(0)
    features, bank = rng.normal(size=(30, 5)).astype(np.float32), rng.normal(size=(40, 5)).astype(np.float32)
    labels = np.arange(30) % 3
    wide = features.astype(float)
    norms = np.linalg.norm(wide, axis=1)
    unit = wide / norms[:, None]
    found = feature_statistics(features, labels, bank)
    expected = {
        "rankme": rankme(bank.astype(float)),
        "alignment": alignment(unit, labels)[0],
        "uniformity": uniformity(unit, 10_000, 0),  # all pairs
        "norm": norms.mean(),
        "spread": np.sqrt(5) * np.mean([np.std(unit[:, i]) for i in range(5)]),
    }
    assert found == pytest.approx(expected)
    assert tuple(found) == STATISTICS


def test_spread_of_a_sphere_and_of_a_point():
    assert spread(np.vstack([np.eye(4), -np.eye(4)])) == pytest.approx(1)
    assert spread(np.ones((8, 1))) == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_without_finite_statistics_have_none(bad):
    features = np.ones((4, 3), np.float32)
    features[0, 0] = bad
    assert feature_statistics(features, np.zeros(4, int)) == dict.fromkeys(STATISTICS)
    alone = feature_statistics(np.eye(3, dtype=np.float32), np.arange(3))
    assert alone["alignment"] is None
    assert alone["rankme"] == pytest.approx(3, rel=1e-4)


def test_a_collapse_is_a_fall_below_a_share_of_the_first_row():
    assert first_collapse(curve(40, None, 80, 40 * SHARE)) is None
    assert first_collapse(curve(40, None, 80, 40 * SHARE - 0.1, 2)) == 30
    assert first_collapse([*curve(40), *({**row, "step": 10} for row in curve(40, spread=0.049))]) == 10
    assert first_collapse(curve(None, None)) is None
    assert first_collapse([]) is None


def test_the_warning_comes_once_and_names_the_step(caplog):
    rows = curve(40, 50, 3, 2)
    with caplog.at_level(logging.WARNING):
        for i in range(len(rows)):
            warn_of_collapse(rows[: i + 1])
    assert [record.getMessage() for record in caplog.records] == [
        "step 20: features look collapsed: rankme 3, 40 at step 0"
    ]
