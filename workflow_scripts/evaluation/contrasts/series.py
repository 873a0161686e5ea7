"""Scores per item, which the summary reads from the tables of probe, few-shot, kNN and saliency.

An item is a test image; few-shot has episodes besides. Items are the same, and in the same order, for every run;
:class:`ItemOrder` checks this, so that pairing is by position.

Saliency scores are ``saliency.<map>.<score>``, with ``.corrected`` or ``.lead`` for the other scales. The first layer
of a table leads, and its name is left out, so that backbones with other layers have the same metrics. Of the others,
only the headline score is read; their metrics begin with ``saliency.<layer>.``.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.declaration.result_names import ALL, CEILING, CHANCE, HEADLINE, LEAD, LEADING, RAW
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.saliency.correction import linearised
from workflow_scripts.evaluation.saliency.maps.kinds import KINDS


@dataclass(frozen=True)
class Series:
    """One metric of one checkpoint on one set.

    Attributes:
        dataset: the set's name.
        metric: full name, e.g. ``linear_probe.sklearn.accuracy``.
        family: the metric's name without how a set averages it, e.g. ``linear_probe.sklearn``.
        values: (n,) float32, one per image.
        labels: (n,) int32, the images' classes.
        shares: (n,) float64, the weight of each image in the metric; sum 1.
        episodes: (e,) float64 where the metric is a mean over episodes, else None.
        value: the metric over all images; ``low`` and ``high`` as the stage that measured it gave them.
        file: index into the summary's list of files.
        ways: classes of a few-shot episode; 0 for other metrics.
        keys: (n,) of all test images, in their order; None for metrics of images with masks.
    """

    dataset: str
    metric: str
    family: str
    values: np.ndarray
    labels: np.ndarray
    shares: np.ndarray
    episodes: np.ndarray | None
    value: float
    low: float | None
    high: float | None
    file: int
    ways: int = 0
    keys: pa.ChunkedArray | None = None

    @property
    def n(self) -> int:
        """Number of episodes or, without any, of images."""
        return len(self.values if self.episodes is None else self.episodes)

    @cached_property
    def by_class(self) -> np.ndarray:
        """Mean of each class, images by their share: (classes,) float64, in the order of ``class_shares``."""
        _, index = np.unique(self.labels, return_inverse=True)
        return np.asarray(np.bincount(index, self.shares * self.values) / self.class_shares)

    @cached_property
    def class_shares(self) -> np.ndarray:
        """Weight of each class in the metric, classes in ascending order: (classes,) float64, sum 1."""
        _, index = np.unique(self.labels, return_inverse=True)
        return np.bincount(index, self.shares)

    def variance(self) -> float:
        """Variance of ``value`` over draws of episodes or, without any, of images.

        Of a mean s^2 / n; of a mean of class means sum over classes of s_c^2 / n_c, over classes^2.
        """
        if self.episodes is not None:
            return float(np.var(self.episodes)) / len(self.episodes)
        per_class = self.metric.endswith("mean_per_class")
        index = np.unique(self.labels, return_inverse=True)[1] if per_class else np.zeros(len(self.labels), np.int64)
        centred = self.values - (np.bincount(index, self.shares * self.values) / np.bincount(index, self.shares))[index]
        return float(np.square(self.shares * centred).sum())


class ItemOrder:
    """Remembers each dataset's items as first seen and refuses another order or other items."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], Sequence[pa.ChunkedArray]] = {}

    def check(self, kind: str, dataset: str, items: Sequence[pa.ChunkedArray], artifact: Artifact) -> pa.ChunkedArray:
        """Compare with the first table of this kind and set; its keys, the first column of the items.

        Raises:
            PipelineError: the items differ.
        """
        first = self._seen.setdefault((kind, dataset), items)
        if not all(one.equals(other) for one, other in zip(first, items, strict=True)):
            value = f"items of dataset {dataset} differ from those of the first checkpoint"
            raise PipelineError("results cannot be paired", artifact.manifest_path, value, "recompute this artifact")
        return first[0]


def hit_series(artifact: Artifact, file: int, order: ItemOrder) -> Iterator[Series]:
    """Correct or not of each test image, by set, and by objective if it is of a linear probe and not of kNN."""
    items = pq.read_table(artifact.path(".predictions.parquet"))
    for row in pq.read_table(artifact.path(".parquet")).to_pylist():
        images = _where(items, **{name: row[name] for name in ("dataset", "objective") if name in row})
        keys = order.check("image", row["dataset"], [images["key"], images["label"]], artifact)
        values, labels = images["correct"].to_numpy().astype(np.float32), images["label"].to_numpy()
        shares = per_class(labels) if row["metric"] == "mean_per_class" else np.full(len(labels), 1 / len(labels))
        family = f"linear_probe.{row['objective']}" if "objective" in row else "knn"
        head = (row["dataset"], f"{family}.{row['metric']}", family)
        yield Series(*head, values, labels, shares, None, row["value"], row["low"], row["high"], file, keys=keys)


def few_shot_series(artifact: Artifact, file: int, order: ItemOrder) -> Iterator[Series]:
    """Share of its queries in which each test image is right, and the accuracy of each episode, by set."""
    images, episodes = (pq.read_table(artifact.path(suffix)) for suffix in (".images.parquet", ".episodes.parquet"))
    for row in pq.read_table(artifact.path(".parquet")).to_pylist():
        tested = _where(images, dataset=row["dataset"])
        keys = order.check("query", row["dataset"], [tested[name] for name in ("key", "label", "shown")], artifact)
        shown = tested["shown"].to_numpy().astype(np.float64)
        values = (tested["correct"].to_numpy() / shown).astype(np.float32)
        accuracy = _where(episodes, dataset=row["dataset"])["accuracy"].to_numpy()
        head = (row["dataset"], f"few_shot.{row['metric']}", "few_shot")
        items = values, tested["label"].to_numpy(), shown / shown.sum(), accuracy
        yield Series(*head, *items, row["value"], row["low"], row["high"], file, row["ways"], keys)


def per_class(labels: np.ndarray) -> np.ndarray:
    """Shares of images (n,) in a mean of class means."""
    _, index, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    return np.asarray(1 / (len(sizes) * sizes[index]))


def _where(table: pa.Table, **wanted: str) -> pa.Table:
    equal = (pc.equal(table[column], value) for column, value in wanted.items())
    return table.filter(reduce(pc.and_, equal)).combine_chunks()


def saliency_series(artifact: Artifact, file: int, order: ItemOrder) -> Iterator[Series]:
    """Scores of each masked image: of corrected scores, the values of which they are the mean to first order."""
    rows = [row for row in pq.read_table(artifact.path(".results.parquet")).to_pylist() if row["stratum"] == ALL]
    first = rows[0]["layer"] if rows else ""
    table = pq.read_table(artifact.path(".parquet"))

    @cache
    def images(layer: str, target: str) -> pa.Table:
        return _where(table, layer=layer if KINDS[target].layered else "", target=target)

    for row in rows:
        if not _is_read(row, first):
            continue
        scored = images(row["layer"], row["target"])
        order.check("mask", row["dataset"], [scored["key"], scored["label"]], artifact)
        values = _values(images, row)
        if values is not None:
            labels = scored["label"].to_numpy()
            shares = np.full(len(scored), 1 / len(scored))
            parts = ["" if row["layer"] == first else row["layer"], row["target"], row["metric"]]
            scale = "" if row["scale"] == RAW else row["scale"]
            name = ".".join(filter(None, ["saliency", *parts, scale]))
            head = (row["dataset"], name, name, values.astype(np.float32), labels, shares, None)
            yield Series(*head, row["value"], row["low"], row["high"], file)


def _is_read(row: dict[str, Any], first: str) -> bool:
    """Whether a row of the results becomes a metric of the study."""
    if row["scale"] == LEAD and (row["target"] == LEADING or row["metric"] != HEADLINE):
        return False
    if row["layer"] == first:
        return True
    return row["metric"] == HEADLINE and (KINDS[row["target"]].layered or row["scale"] != RAW)


def _values(images: Callable[[str, str], pa.Table], row: dict[str, Any]) -> np.ndarray | None:
    """What the row's value is the mean of, by image; ``images`` gives those of a layer and target, in order."""

    def of(target: str) -> np.ndarray:
        return np.asarray(images(row["layer"], target)[row["metric"]].to_numpy())

    if row["scale"] == RAW:
        return of(row["target"])
    found = linearised(of(row["target"]), of(CHANCE), of(CEILING))
    if row["scale"] == LEAD and found is not None:
        leading = linearised(of(LEADING), of(CHANCE), of(CEILING))
        return None if leading is None else leading - found
    return found


READERS = {"probe": hit_series, "few_shot": few_shot_series, "knn": hit_series, "saliency": saliency_series}
"""Kind of scores -> what reads its artifacts."""
