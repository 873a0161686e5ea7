"""Scores per item, which the summary reads from the tables of probe, few-shot and saliency.

An item is the unit of sampling: a test image for probe and saliency, an episode for few-shot. Items are the same, and
in the same order, for every run; :class:`ItemOrder` checks this, so that pairing is by position.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.stats.intervals import class_means


@dataclass(frozen=True)
class Series:
    """One metric of one checkpoint on one set.

    Attributes:
        dataset: the set's name.
        metric: full name, e.g. ``linear_probe.sklearn.accuracy``.
        family: the metric's name without how a set averages it, e.g. ``linear_probe.sklearn``.
        values: (n,) float32, one per item.
        labels: (n,) int32 where the metric is a mean of class means, else None.
        value: the metric over all items; ``low`` and ``high`` as the stage that measured it gave them.
        file: index into the summary's list of files.
    """

    dataset: str
    metric: str
    family: str
    values: np.ndarray
    labels: np.ndarray | None
    value: float
    low: float | None
    high: float | None
    file: int

    def variance(self) -> float:
        """Variance of ``value`` over draws of items: s^2 / n, or sum over classes of s_c^2 / n_c, over classes^2."""
        if self.labels is None:
            return float(np.var(self.values, dtype=np.float64)) / len(self.values)
        groups = [self.values[self.labels == one].astype(np.float64) for one in np.unique(self.labels)]
        return float(sum(np.var(group) / len(group) for group in groups)) / len(groups) ** 2

    def average(self, values: np.ndarray) -> float:
        """``values`` (n,) averaged as this metric does."""
        if self.labels is None:
            return float(np.mean(values, dtype=np.float64))
        return float(class_means(values[:, None], self.labels)[0])


class ItemOrder:
    """Remembers each dataset's items as first seen and refuses another order or other items."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], pa.Array] = {}

    def check(self, kind: str, dataset: str, items: pa.ChunkedArray, artifact: Artifact) -> None:
        """Compare with the first table of this kind and set.

        Raises:
            PipelineError: the items differ.
        """
        first = self._seen.setdefault((kind, dataset), items)
        if not first.equals(items):
            value = f"items of dataset {dataset} differ from those of the first checkpoint"
            raise PipelineError("results cannot be paired", artifact.manifest_path, value, "recompute this artifact")


def probe_series(artifact: Artifact, file: int, order: ItemOrder) -> Iterator[Series]:
    """Correct or not of each test image, by set and objective."""
    results = pq.read_table(artifact.path(".parquet")).to_pylist()
    items = pq.read_table(artifact.path(".predictions.parquet"))
    for row in results:
        mine = _where(items, dataset=row["dataset"], objective=row["objective"])
        order.check("image", row["dataset"], mine["key"], artifact)
        family = f"linear_probe.{row['objective']}"
        values = mine["correct"].to_numpy().astype(np.float32)
        labels = mine["label"].to_numpy() if row["metric"] == "mean_per_class" else None
        yield Series(row["dataset"], f"{family}.{row['metric']}", family, values, labels, *_interval(row), file)


def few_shot_series(artifact: Artifact, file: int, order: ItemOrder) -> Iterator[Series]:
    """Accuracy of each episode, by set."""
    items = pq.read_table(artifact.path(".episodes.parquet"))
    for row in pq.read_table(artifact.path(".parquet")).to_pylist():
        mine = _where(items, dataset=row["dataset"])
        order.check("episode", row["dataset"], mine["episode"], artifact)
        values = mine["accuracy"].to_numpy().astype(np.float32)
        yield Series(row["dataset"], f"few_shot.{row['metric']}", "few_shot", values, None, *_interval(row), file)


def saliency_series(artifact: Artifact, file: int, order: ItemOrder) -> Iterator[Series]:
    """Each score of each masked image, by set, target and metric."""
    items = pq.read_table(artifact.path(".parquet"))
    for row in pq.read_table(artifact.path(".results.parquet")).to_pylist():
        mine = _where(items, dataset=row["dataset"], target=row["target"], metric=row["metric"])
        order.check("mask", row["dataset"], mine["key"], artifact)
        name = f"saliency.{row['target']}.{row['metric']}"
        values = mine["value"].to_numpy().astype(np.float32)
        yield Series(row["dataset"], name, name, values, None, *_interval(row), file)


def _where(table: pa.Table, **wanted: str) -> pa.Table:
    mask = None
    for column, value in wanted.items():
        equal = pc.equal(table[column], value)
        mask = equal if mask is None else pc.and_(mask, equal)
    return table.filter(mask).combine_chunks()


def _interval(row: dict[str, float | None]) -> tuple[float, float | None, float | None]:
    value = row["value"]
    assert value is not None  # every results table has a value in every row
    return value, row["low"], row["high"]
