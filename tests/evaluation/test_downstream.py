import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from tests.evaluation.sets import downstream
from workflow_scripts.evaluation.downstream import average, with_interval
from workflow_scripts.evaluation.interval_settings import Bootstrap


def test_values_are_averaged_over_rows_or_over_classes() -> None:
    values, labels = np.array([True, False, True]), np.array([0, 0, 1])
    assert average(values, labels, "accuracy") == pytest.approx(2 / 3)
    assert average(values, labels, "mean_per_class") == pytest.approx(0.75)


@pytest.mark.parametrize("metric", ["accuracy", "mean_per_class"])
def test_only_test_rows_are_scored(metric: str) -> None:
    data = downstream(metric=metric)
    labels = data.labels[data.rows("test")]
    predicted = np.where(np.random.default_rng(0).random(len(labels)) < 0.7, labels, (labels + 1) % 3)
    found = with_interval(predicted, data, Bootstrap(resamples=500, level=0.9), 0)
    right = accuracy_score(labels, predicted), balanced_accuracy_score(labels, predicted)
    assert found.value == pytest.approx(right[metric == "mean_per_class"])
    assert found.low is not None and found.high is not None and found.low < found.value < found.high
    if metric == "accuracy":
        ends = binomtest(int((labels == predicted).sum()), len(labels)).proportion_ci(0.9, method="wilson")
        assert (found.low, found.high) == pytest.approx((ends.low, ends.high))
