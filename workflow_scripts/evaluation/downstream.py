"""A downstream dataset with the features of one checkpoint, as the scoring stages read it."""

import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.interval_settings import Bootstrap
from workflow_scripts.stats.intervals import Interval, bootstrap_class_means, class_means, percentile_interval, wilson
from workflow_scripts.stats.seeds import derive


@dataclass(frozen=True)
class Downstream:
    """Rows of a set, all in the order of its table.

    Attributes:
        name: the set's name.
        classes: class names by label.
        metric: ``accuracy`` or ``mean_per_class``.
        keys: (n,) text.
        labels: (n,) int32.
        split: (n,) text: train, val or test.
        features: (n, d) float32.
    """

    name: str
    classes: list[str]
    metric: str
    keys: np.ndarray
    labels: np.ndarray
    split: np.ndarray
    features: np.ndarray

    def rows(self, *splits: str) -> np.ndarray:
        """Row numbers of some splits, ascending."""
        return np.flatnonzero(np.isin(self.split, splits))


def load_downstream(dataset: Artifact, features: Artifact) -> Downstream:
    """Read a set's table and its features.

    Raises:
        PipelineError: the two do not have the same number of rows.
    """
    table = pq.read_table(dataset.path(".parquet"), columns=["key", "label", "split"])
    facts = json.loads(dataset.path(".json").read_bytes())
    path = features.path(".npy")
    vectors = np.load(path, allow_pickle=False)
    if len(vectors) != len(table):
        value = f"{len(vectors)} rows, but the dataset has {len(table)}"
        raise PipelineError("features of another dataset", path, value, "delete it and run the same command again")
    keys, splits = (np.array(table[name].to_pylist()) for name in ("key", "split"))
    return Downstream(dataset.name, facts["classes"], facts["metric"], keys, table["label"].to_numpy(), splits, vectors)


def average(values: np.ndarray, labels: np.ndarray, metric: str) -> float:
    """Mean of the rows' values (n,), or the mean over the classes that have rows of the means of their rows."""
    if metric == "mean_per_class":
        return float(class_means(values[:, None], labels)[0])
    return float(np.mean(values))


def with_interval(predicted: np.ndarray, data: Downstream, intervals: Bootstrap, seed: int) -> Interval:
    """Test score with its interval: Wilson's for accuracy, bootstrap over images for mean per class.

    Args:
        predicted: (t,) classes predicted for the rows of the test split, in order.
    """
    labels = data.labels[data.rows("test")]
    correct = predicted == labels
    if data.metric == "accuracy":
        return wilson(int(correct.sum()) / len(correct), len(correct), intervals.level)
    drawn = derive(seed, "mean_per_class", data.name)
    resampled = bootstrap_class_means(correct[:, None].astype(np.float32), labels, intervals.resamples, drawn)
    return percentile_interval(average(correct, labels, data.metric), resampled[:, 0], intervals.level)


def hits_table(data: Downstream, predicted: np.ndarray) -> pa.Table:
    """One row per test image: dataset, key, label, predicted, correct."""
    test = data.rows("test")
    labels = data.labels[test].astype(np.int32)
    columns = [[data.name] * len(test), data.keys[test].tolist(), labels, predicted, predicted == labels]
    return pa.table(columns, names=["dataset", "key", "label", "predicted", "correct"])
