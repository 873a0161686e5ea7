"""A small version of ``tests/bench/decisions.py``: the whole rule of verdicts, within its Monte Carlo error."""

import numpy as np
import pytest

from tests.bench.decisions import MEAN, Cell, draw, effects, null_scores, simulated, supported, wrong
from tests.evaluation.contrasts.made_up import arm, judged, study_scores
from workflow_scripts.evaluation.contrasts.settings import Contrast
from workflow_scripts.evaluation.contrasts.verdicts import CONTRADICTED

STUDIES = 200


def test_two_points_are_found_with_three_seeds() -> None:
    ((now, before),) = simulated(0, Cell(3, weights=MEAN), STUDIES, [0.3], [2.0]).values()
    assert supported(now) > 0.9 and not (now[:, 0] == CONTRADICTED).any()
    assert supported(before) < 0.5


def test_studies_without_effects_are_seldom_wrong() -> None:
    ((now, _),) = simulated(1, Cell(3, unequal=True, common=True), STUDIES, [0.6]).values()
    assert wrong(now) < 0.07  # 14 of 200; at a rate of 3.5 %, more have a probability of 1 %


def test_networks_deviate_as_stated() -> None:
    """The class parts are drawn without what all classes of a network share; its mean over sets has it."""
    drawn = draw(np.random.default_rng(2), Cell(10), 50)
    now, before = effects(drawn, Cell(10), 0.6)
    assert np.sqrt(np.mean(before.seed_variance) * 10 / 2) == pytest.approx(0.6, abs=0.03)
    assert (now.mean == before.mean).all() and (now.seed_freedom > before.seed_freedom).all()


def test_a_null_study_goes_through_the_summary() -> None:
    runs = [one for pairs in "abcdef" for one in arm(pairs)]
    scores = null_scores(np.random.default_rng(3), runs, {"one": 30, "two": 10})
    primary = Contrast(name="b - a", minuend="b", subtrahend="a", primary=True)
    rows = [row for row in judged(runs, study_scores(scores), primary) if row["primary"]]
    assert len(rows) == 2 and all(row["arms"] == 6 and row["p"] is not None for row in rows)
