import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.saliency.checks.refit import refitted, training_rows


def labelled(*counts: int) -> Downstream:
    """A set with some training images of each class, shuffled, and a test image of each."""
    classes = np.arange(len(counts))
    labels = np.random.default_rng(0).permutation(np.repeat(classes, counts))
    split, keys = ["train"] * len(labels) + ["test"] * len(counts), [str(at) for at in range(len(labels) + len(counts))]
    return Downstream(
        *("set", [str(one) for one in classes], "accuracy", True),
        *(np.array(keys), np.concatenate([labels, classes]), np.array(split), np.zeros((len(keys), 1), np.float32)),
    )


def test_training_images_are_of_all_classes_in_turn() -> None:
    data = labelled(50, 1, 3, 20)
    for most, expected in ((2, [1, 1, 1, 1]), (7, [2, 1, 2, 2]), (14, [5, 1, 3, 5]), (999, [50, 1, 3, 20])):
        rows = training_rows(data, most, 0)
        assert np.bincount(data.labels[rows]).tolist() == expected
        assert (np.diff(rows) > 0).all() and (data.split[rows] == "train").all()
    assert set(training_rows(data, 7, 0)) < set(training_rows(data, 14, 0))
    assert (training_rows(data, 7, 0) != training_rows(data, 7, 1)).any()
    with pytest.raises(
        PipelineError, match="no head can be fitted in set: training and validation images of 1 classes"
    ):
        training_rows(labelled(5), 2, 0)


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
