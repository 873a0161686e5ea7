import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from workflow_scripts.evaluation.saliency.checks.refit import refitted


@pytest.mark.parametrize("classes", [2, 3])
def test_a_refitted_head_is_scikit_learns(classes: int) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, 90)
    features = (rng.normal(size=(classes, 5))[labels] + rng.normal(size=(90, 5))).astype(np.float32)
    head = refitted(features, labels, classes + 1)
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    model = LogisticRegression(C=1.0, max_iter=200).fit(scaled, labels)
    scores = head.scores(features)
    assert np.isneginf(scores[:, classes]).all()
    shares = np.exp(scores[:, :classes] - scores[:, :classes].max(axis=1, keepdims=True))
    assert shares / shares.sum(axis=1, keepdims=True) == pytest.approx(model.predict_proba(scaled), abs=1e-4)
