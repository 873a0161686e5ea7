"""The saliency score of docs/extending.md; run in a copy that has it."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.evaluation.saliency.test_scores import test_a_row_is_complete_and_true as complete
from workflow_scripts.evaluation.saliency.maps import TARGETS, SaliencyResult
from workflow_scripts.evaluation.saliency.scores import SCORES, score_map
from workflow_scripts.evaluation.saliency.tables import image_table


def test_it_is_what_it_says() -> None:
    complete(SCORES["roc_auc"])
    saliency = np.random.default_rng(0).integers(0, 4, (6, 6)) / 4
    mask = np.zeros((6, 6), np.uint8)
    mask[2:4, 1:5], mask[0] = 1, 255
    found = dict(zip(SCORES, score_map(saliency, mask, np.linspace(0, 1, 11)), strict=True))
    seen = mask != 255
    assert found["roc_auc"] == pytest.approx(roc_auc_score(mask[seen] == 1, saliency[seen]))
    mask[:] = 1
    assert score_map(saliency, mask, np.linspace(0, 1, 11))[list(SCORES).index("roc_auc")] == 0.5


def test_it_is_in_the_tables() -> None:
    result = SaliencyResult("set", ["key"], np.zeros((1, len(TARGETS), len(SCORES))), labels=[0])
    assert image_table(result)["metric"].to_pylist().count("roc_auc") == len(TARGETS)
