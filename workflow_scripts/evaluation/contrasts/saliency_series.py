"""Saliency scores as series: ``saliency.<map>.<score>``, with ``.corrected`` or ``.lead`` for the other scales.

The first layer of a table leads, and its name is left out, so that backbones with other layers have the same metrics.
Of the other layers only the headline score is read; their metrics begin with ``saliency.<layer>.``.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.declaration.result_names import ALL, CEILING, CHANCE, HEADLINE, LEAD, LEADING, RAW
from workflow_scripts.evaluation.contrasts.series import ItemOrder, Series
from workflow_scripts.evaluation.saliency.correction import linearised
from workflow_scripts.evaluation.saliency.maps.kinds import KINDS


def is_compared(family: str) -> bool:
    """Whether runs are compared by a saliency metric: those of their own maps, not those of floors or ceilings."""
    own = {name for name, kind in KINDS.items() if kind.role == "own"}
    return not own.isdisjoint(family.split(".")) and not family.endswith(f".{LEAD}")


def saliency_series(artifact: Artifact, file: int, order: ItemOrder) -> Iterator[Series]:
    """Scores of each masked image: of corrected scores, the values of which they are the mean to first order."""
    rows = [row for row in pq.read_table(artifact.path(".results.parquet")).to_pylist() if row["stratum"] == ALL]
    first = rows[0]["layer"] if rows else ""
    items = _Items(pq.read_table(artifact.path(".parquet")))
    for row in rows:
        layered = KINDS[row["target"]].layered
        if not _is_read(row, first, layered):
            continue
        mine = items.of(row["layer"] if layered else "", row["target"])
        order.check("mask", row["dataset"], [mine["key"], mine["label"]], artifact)
        values = _values(items, row)
        if values is not None:
            labels = mine["label"].to_numpy()
            shares = np.full(len(mine), 1 / len(mine))
            name = _name(row, first)
            head = (row["dataset"], name, name, values.astype(np.float32), labels, shares, None)
            yield Series(*head, row["value"], row["low"], row["high"], file)


def _is_read(row: dict[str, Any], first: str, layered: bool) -> bool:
    """Whether a row of the results becomes a metric of the study."""
    if row["scale"] == LEAD and (row["target"] == LEADING or row["metric"] != HEADLINE):
        return False
    if row["layer"] == first:
        return True
    return row["metric"] == HEADLINE and (layered or row["scale"] != RAW)


def _name(row: dict[str, Any], first: str) -> str:
    layer = [] if row["layer"] == first else [row["layer"]]
    scale = [] if row["scale"] == RAW else [row["scale"]]
    return ".".join(["saliency", *layer, row["target"], row["metric"], *scale])


class _Items:
    """The rows of each map, images in order."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self._found: dict[tuple[str, str], pa.Table] = {}

    def of(self, layer: str, target: str) -> pa.Table:
        """The rows of a map."""
        if (layer, target) not in self._found:
            chosen = pc.and_(pc.equal(self.table["layer"], layer), pc.equal(self.table["target"], target))
            self._found[layer, target] = self.table.filter(chosen).combine_chunks()
        return self._found[layer, target]

    def scores(self, layer: str, target: str, metric: str) -> np.ndarray:
        """Raw scores of the images (n,) float64."""
        return np.asarray(self.of(layer if KINDS[target].layered else "", target)[metric].to_numpy())


def _values(items: _Items, row: dict[str, Any]) -> np.ndarray | None:
    """What the row's value is the mean of, by image."""

    def of(target: str) -> np.ndarray:
        return items.scores(row["layer"], target, row["metric"])

    if row["scale"] == RAW:
        return of(row["target"])
    found = linearised(of(row["target"]), of(CHANCE), of(CEILING))
    if row["scale"] == LEAD and found is not None:
        leading = linearised(of(LEADING), of(CHANCE), of(CEILING))
        return None if leading is None else leading - found
    return found
