"""The figure of an arm's captions."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workflow_scripts.stats.histogram import histogram

COLOURS = {"original": "#3b6ea5", "generated": "#c8783c", "shuffled": "#7a7a7a", "external": "#5b8f4e"}


def draw(path: Path, table: pa.Table, summary: dict[str, Any]) -> None:
    """Write the PNG: words per caption, ITM by origin, shares with intervals, rank of the own image.

    Args:
        path: the file to write.
        table: per-caption columns: words, origin, itm, retrieval_rank.
        summary: from ``summary.summarise``.
    """
    figure = Figure(figsize=(10, 7), layout="constrained")
    ((left, right), (below, corner)) = figure.subplots(2, 2)
    words = np.minimum(pc.drop_null(table["words"]).to_numpy(), 40)
    left.hist(words, bins=np.arange(42) - 0.5, color=COLOURS["original"])
    left.set(xlabel="words per caption (40: 40 or more)", ylabel="captions")
    _itm(right, table)
    _shares(below, summary["shares"])
    _ranks(corner, pc.drop_null(table["retrieval_rank"]).to_numpy())
    figure.savefig(path, dpi=100, metadata={"Software": None})


def _itm(axes: Axes, table: pa.Table) -> None:
    drawn = False
    for origin, colour in COLOURS.items():
        scores = pc.drop_null(table.filter(pc.equal(table["origin"], origin))["itm"]).to_numpy()
        if len(scores):
            histogram(axes, scores, color=colour, alpha=0.6, label=origin)
            drawn = True
    if drawn:
        axes.legend()
        axes.set(xlabel="ITM: logit of match - logit of no match", ylabel="captions")
    else:
        _nothing(axes, "no ITM score known")


def _shares(axes: Axes, shares: dict[str, Any]) -> None:
    known = {name: entry for name, entry in shares.items() if entry["value"] is not None}
    for place, entry in enumerate(known.values()):
        error = [[entry["value"] - entry["low"]], [entry["high"] - entry["value"]]]
        axes.barh(place, entry["value"], xerr=error, color=COLOURS["original"])
    axes.set_yticks(range(len(known)), [name.replace("_", " ") for name in known])
    axes.set(xlabel="share of captions, 95 % interval", xlim=(0, 1))


def _ranks(axes: Axes, ranks: np.ndarray) -> None:
    if not len(ranks):
        _nothing(axes, "no retrieval sample")
        return
    count = len(ranks)
    axes.step(np.sort(ranks), np.arange(1, count + 1) / count, where="post", color=COLOURS["original"])
    axes.plot([1, count], [1 / count, 1], ":", color=COLOURS["shuffled"], label="chance")
    axes.set(xlabel=f"rank of the own image among {count}", ylabel="share of captions", ylim=(0, 1.02))
    axes.legend()


def _nothing(axes: Axes, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center")
    axes.set_axis_off()
