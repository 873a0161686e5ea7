"""The saliency score of docs/extending.md; run in a copy that has it."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.evaluation.saliency.test_scores import test_a_saliency_score_entry_is_complete_and_correct as complete
from workflow_scripts.evaluation.saliency.scores import SCORES, score_maps
from workflow_scripts.evaluation.saliency.tables import IMAGES


def score(saliency: np.ndarray, mask: np.ndarray) -> float:
    """The new score of one map."""
    found = score_maps(saliency[None], mask, mask == 1, np.linspace(0, 1, 11))
    return float(found[0, list(SCORES).index("roc_auc")])


def test_the_example_score_equals_scikit_learn() -> None:
    complete(SCORES["roc_auc"])
    saliency = np.random.default_rng(0).integers(0, 4, (6, 6)) / 4
    mask = np.zeros((6, 6), np.uint8)
    mask[2:4, 1:5], mask[0] = 1, 255
    seen = mask != 255
    assert score(saliency, mask) == pytest.approx(roc_auc_score(mask[seen] == 1, saliency[seen]))
    mask[:] = 1
    assert score(saliency, mask) == 0.5


def test_the_example_score_is_in_the_tables() -> None:
    assert "roc_auc" in IMAGES.names
