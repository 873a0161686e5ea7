"""Mass inside the mask."""

import numpy as np

from workflow_scripts.evaluation.saliency.ranking import Ranking
from workflow_scripts.evaluation.saliency.score import OBJECT_SHARE, Score


def _mass_in_mask(maps: Ranking) -> np.ndarray:
    """Sum s_i m_i / sum s_i. It rises with the sharpness of a map, at an unchanged order of its pixels."""
    inside = np.where(maps.inside, maps.values, 0).sum(axis=1, dtype=np.float64)
    return np.asarray(inside / maps.values.sum(axis=1, dtype=np.float64))


SCORE = Score(
    name="mass_in_mask",
    summary="share of the map's sum that lies in the object",
    compute=_mass_in_mask,
    low=0.0,
    high=1.0,
    higher_is_better=True,
    chance=OBJECT_SHARE,
)
