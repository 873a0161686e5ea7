"""The best point of the IoU curve."""

import numpy as np

from workflow_scripts.evaluation.saliency.ranking import Ranking
from workflow_scripts.evaluation.saliency.score import OBJECT_SHARE, Score


def _iou_max(maps: Ranking) -> np.ndarray:
    """The largest IoU(t) over the thresholds t, which are chosen with the mask in view."""
    return np.asarray(maps.iou.max(axis=1))


SCORE = Score(
    name="iou_max",
    summary="IoU of the object and the map above its best threshold",
    compute=_iou_max,
    low=0.0,
    high=1.0,
    higher_is_better=True,
    chance=OBJECT_SHARE,
)
