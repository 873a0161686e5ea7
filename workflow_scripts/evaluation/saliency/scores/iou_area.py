"""Area under the IoU curve."""

import numpy as np

from workflow_scripts.evaluation.saliency.ranking import Ranking
from workflow_scripts.evaluation.saliency.score import OBJECT_SHARE, Score


def _iou_area(maps: Ranking) -> np.ndarray:
    """Integral over t in 0..1, by the trapezoid rule, of the IoU of the object and {s_i >= t max s}."""
    return np.asarray(np.trapezoid(maps.iou, maps.thresholds, axis=1))


SCORE = Score(
    name="iou_area",
    summary="IoU of the object and the map above a threshold, averaged over thresholds",
    compute=_iou_area,
    low=0.0,
    high=1.0,
    higher_is_better=True,
    chance=OBJECT_SHARE,
)
