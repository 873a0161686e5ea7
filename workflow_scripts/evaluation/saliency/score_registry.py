"""All saliency scores, one file each in ``scores/``; the tables and the report follow."""

import numpy as np

from workflow_scripts.core.registry import discover
from workflow_scripts.evaluation.saliency.ranking import ranking
from workflow_scripts.evaluation.saliency.score import Score

SCORES = discover("workflow_scripts.evaluation.saliency.scores", Score)


def score_maps(maps: np.ndarray, mask: np.ndarray, near: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Scores of maps in the order of :data:`SCORES`: (m, scores) float64; arguments as of :func:`ranking`."""
    ranked = ranking(maps, mask, near, thresholds)
    return np.column_stack([score.compute(ranked) for score in SCORES.values()])
