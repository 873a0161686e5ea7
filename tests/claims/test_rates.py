"""Verdicts and intervals of claims at their nominal rates, in a few simulated studies with fixed seeds.

``tests/bench/claims.py`` has all cases, with more studies.
"""

from functools import cache

import numpy as np
import pytest

from tests.bench.claims import GROUPS, Case, Outcome, outcome
from workflow_scripts.claims.findings import MIXTURE
from workflow_scripts.evaluation.contrasts.verdicts import CONTRADICTED, INCONCLUSIVE, SUPPORTED
from workflow_scripts.reporting.crossing import LINES, Crossing, crossings

STUDIES = 24


@cache
def case(study: str, what: str) -> Case:
    """The case of a study with this truth."""
    return next(one for one in GROUPS[study]() if one.what == what)


def overtaking(found: Outcome) -> list[Crossing]:
    """Of all studies, where language overtakes self, at both lengths."""
    ends = ("", " (short)")
    return [crossing for study in found.studies for end in ends for crossing in crossings(study.contrasts, LINES, end)]


@pytest.mark.parametrize(
    ("study", "what", "verdicts"),
    [
        ("c1", "35 % of titles", (SUPPORTED, SUPPORTED)),
        ("c1", "0 % of titles", (SUPPORTED, INCONCLUSIVE)),
        ("c1", "100 % of titles", (INCONCLUSIVE, SUPPORTED)),
        ("c2", "no effect", (INCONCLUSIVE, INCONCLUSIVE)),
        ("c2", "large", (SUPPORTED, SUPPORTED)),
        ("c2", "harm", (CONTRADICTED, CONTRADICTED)),
        ("c4", "overfitting", (SUPPORTED, SUPPORTED)),
        ("c4", "both rise", (INCONCLUSIVE, CONTRADICTED)),
        ("c4", "language rises more", (CONTRADICTED, CONTRADICTED)),
        ("c6", "true", (SUPPORTED,)),
        ("c6", "noise", (INCONCLUSIVE,)),
        ("c6", "extremes", (INCONCLUSIVE,)),
        ("c8", "2 % flips", (SUPPORTED, SUPPORTED)),
        ("c8", "5 % flips", (INCONCLUSIVE, INCONCLUSIVE)),
        ("c8", "8 % flips", (INCONCLUSIVE, INCONCLUSIVE)),
    ],
)
def test_sentences_follow_the_truth(study: str, what: str, verdicts: tuple[str, ...]) -> None:
    found = outcome(case(study, what), STUDIES, [40])
    right = (found.verdicts == np.array(verdicts)).mean(axis=0)
    assert (right >= 0.75).all() and found.wrong.mean() <= 0.125


@pytest.mark.parametrize("at", [0.25, 0.6])
def test_the_crossing_covers_the_share_at_which_language_overtakes_self(at: float) -> None:
    found = outcome(case("c3", f"crossing at {f'{at:g}'.lstrip('0')}"), STUDIES, [41])
    every = overtaking(found)
    covers = [one.low is not None and one.high is not None and one.low <= at <= one.high for one in every]
    assert len(every) == 4 * STUDIES and np.mean(covers) >= 0.88
    assert np.mean([one.low is not None and one.high is not None and one.high - one.low < 0.8 for one in every]) > 0.8
    assert (found.verdicts[:, :2] == SUPPORTED).mean() >= 0.95


@pytest.mark.parametrize(("at", "side"), [("-.3", "above"), ("1.3", "below")])
def test_a_crossing_outside_the_shares_is_seldom_seen_inside(at: str, side: str) -> None:
    every = overtaking(outcome(case("c3", f"crossing at {at}"), STUDIES // 2, [42]))
    ends = [one.low if side == "above" else one.high and 1 - one.high for one in every]
    assert np.mean([end is not None and end > 0 for end in ends]) <= 0.125
    assert np.mean([f"are {side} self pairs" in one.text for one in every]) >= 0.75


def test_a_difference_of_the_margin_is_not_taken_for_none() -> None:
    found = outcome(case("c3", "different by the margin"), STUDIES, [43])
    assert (found.verdicts[:, 2] == SUPPORTED).mean() <= 0.125


@pytest.mark.parametrize("share", [0.35, 0.0, 1.0])
def test_the_share_of_faithful_titles_is_recovered(share: float) -> None:
    found = outcome(case("c1", f"{100 * share:.0f} % of titles"), 2 * STUDIES, [44])
    every = [crossing for study in found.studies for crossing in crossings(study.contrasts, MIXTURE)]
    inside = [
        one.low is not None and one.high is not None and one.low - 1e-9 <= share <= one.high + 1e-9 for one in every
    ]
    assert np.mean(inside) >= 0.85
