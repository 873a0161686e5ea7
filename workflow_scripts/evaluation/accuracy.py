"""Accuracy on a set as its metric averages it, with an interval over its test images."""

from typing import NamedTuple

import numpy as np

from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.stats.intervals import Interval, bootstrap_class_means, class_means, percentile_interval, wilson
from workflow_scripts.stats.seeds import derive


class Resampling(NamedTuple):
    """Bootstrap behind intervals of means over classes, and the level of all intervals."""

    resamples: int
    level: float
    seed: int


def average(values: np.ndarray, labels: np.ndarray, metric: str) -> float:
    """Mean of the rows' values (n,), or the mean over the classes that have rows of the means of their rows."""
    if metric == "mean_per_class":
        return float(class_means(values[:, None], labels)[0])
    return float(np.mean(values))


def with_interval(predicted: np.ndarray, data: Downstream, resampling: Resampling) -> Interval:
    """Test score with its interval: Wilson's for accuracy, bootstrap over images for mean per class.

    Args:
        predicted: (t,) classes predicted for the rows of the test split, in order.
    """
    labels = data.labels[data.rows("test")]
    correct = predicted == labels
    if data.metric == "accuracy":
        return wilson(int(correct.sum()) / len(correct), len(correct), resampling.level)
    seed = derive(resampling.seed, "mean_per_class", data.name)
    resampled = bootstrap_class_means(correct[:, None].astype(np.float32), labels, resampling.resamples, seed)
    return percentile_interval(average(correct, labels, data.metric), resampled[:, 0], resampling.level)
