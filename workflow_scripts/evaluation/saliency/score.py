"""The declaration of a saliency score: how well maps find an object. Each score has a file in ``scores/``."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from workflow_scripts.evaluation.saliency.ranking import Ranking

OBJECT_SHARE = "the object's share of the pixels"


@dataclass(frozen=True, kw_only=True)
class Score:
    """One score.

    Attributes:
        name: in tables, and (with spaces) in the report.
        summary: what it measures, in one phrase.
        compute: the score of each of m maps: (m,) float64.
        low: smallest possible value.
        high: largest possible value.
        higher_is_better: whether a map that fits the object better has a higher value.
        chance: what a map without information scores.
    """

    name: str
    summary: str
    compute: Callable[[Ranking], np.ndarray]
    low: float
    high: float
    higher_is_better: bool
    chance: str


def explained(score: Score) -> str:
    """One sentence for readers of the report: what a score measures, its range, and its value by chance."""
    better = "higher" if score.higher_is_better else "lower"
    return f"{score.summary}; {score.low:g} to {score.high:g}, {better} is better; by chance {score.chance}"
