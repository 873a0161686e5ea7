"""Pixel average precision."""

import numpy as np

from workflow_scripts.evaluation.saliency.ranking import Ranking
from workflow_scripts.evaluation.saliency.score import OBJECT_SHARE, Score


def _pixel_ap(maps: Ranking) -> np.ndarray:
    """Sum over distinct values of the growth of recall times precision, ties taken as one step.

    As scikit-learn's ``average_precision_score``.
    """
    found = np.empty(len(maps.ends))
    for row, last in enumerate(maps.ends):
        places = np.flatnonzero(last)
        hits = maps.hits[row, places].astype(np.float64)
        found[row] = np.sum(np.diff(hits, prepend=0) * hits / (places + 1))
    return found / maps.hits[0, -1]


SCORE = Score(
    name="pixel_ap",
    summary="average precision of the pixels ranked by the map",
    compute=_pixel_ap,
    low=0.0,
    high=1.0,
    higher_is_better=True,
    chance=OBJECT_SHARE,
)
