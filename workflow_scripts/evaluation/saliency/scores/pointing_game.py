"""The pointing game without tolerance."""

import numpy as np

from workflow_scripts.evaluation.saliency.ranking import Ranking
from workflow_scripts.evaluation.saliency.score import OBJECT_SHARE, Score


def _pointing_game(maps: Ranking) -> np.ndarray:
    """1 or 0 for a single peak, split evenly among ties (Zhang et al. 2018, IJCV 126:1084)."""
    peak = np.argmax(maps.ends, axis=1)
    return np.asarray(maps.hits[np.arange(len(peak)), peak] / (peak + 1))


SCORE = Score(
    name="pointing_game",
    summary="whether the map's largest value lies in the object",
    compute=_pointing_game,
    low=0.0,
    high=1.0,
    higher_is_better=True,
    chance=OBJECT_SHARE,
)
