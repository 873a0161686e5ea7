"""The pointing game with a tolerance around the object."""

import numpy as np

from workflow_scripts.evaluation.saliency.ranking import Ranking
from workflow_scripts.evaluation.saliency.score import Score


def _pointing_game_near(maps: Ranking) -> np.ndarray:
    """As the pointing game; a peak within the tolerance is a hit too (Zhang et al. 2018, IJCV 126:1084: 15 pixels)."""
    peak = np.argmax(maps.ends, axis=1)
    return np.array([row[: last + 1].mean() for row, last in zip(maps.near, peak, strict=True)])


SCORE = Score(
    name="pointing_game_near",
    summary="whether the map's largest value lies in the object or close to it",
    compute=_pointing_game_near,
    low=0.0,
    high=1.0,
    higher_is_better=True,
    chance="the share of the pixels that lie in the object or close to it",
)
