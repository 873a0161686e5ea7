"""A small version of ``tests/bench/decisions.py``: the whole rule of verdicts, within its Monte Carlo error."""

import numpy as np

from tests.bench.decisions import MEAN, Cell, null_scores, simulated, wrong
from tests.evaluation.contrasts.made_up import arm, judged, study_scores
from workflow_scripts.evaluation.contrasts.settings import Contrast
from workflow_scripts.evaluation.contrasts.verdicts import CONTRADICTED, SUPPORTED

STUDIES = 200


def test_two_points_are_found_with_three_seeds() -> None:
    now, before = simulated(0, Cell(3, 0.3, 2.0, weights=MEAN), STUDIES)
    assert (now[:, 0] == SUPPORTED).mean() > 0.9 and not (now[:, 0] == CONTRADICTED).any()
    assert (before[:, 0] == SUPPORTED).mean() < 0.5


def test_studies_without_effects_are_seldom_wrong() -> None:
    now, _ = simulated(1, Cell(3, 0.6, unequal=True, common=True), STUDIES)
    assert wrong(now) < 0.07  # 14 of 200; at a rate of 3.5 %, more have a probability of 1 %


def test_a_null_study_goes_through_the_summary() -> None:
    runs = [one for pairs in "abcdef" for one in arm(pairs)]
    scores = null_scores(np.random.default_rng(3), runs, {"one": 30, "two": 10})
    primary = Contrast(name="b - a", minuend="b", subtrahend="a", primary=True)
    rows = [row for row in judged(runs, study_scores(scores), primary) if row["primary"]]
    assert len(rows) == 2 and all(row["arms"] == 6 and row["p"] is not None for row in rows)
