"""The figure of a pair table."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from workflow_scripts.stats.histogram import histogram

COLOURS = ("#3b6ea5", "#c8783c")
NAMES = {
    "reciprocity": "reciprocal",
    "equal_captions": "equal captions",
    "near_copies": "near copies of captions",
    "same_subreddit": "same group (subreddit)",
}


def draw(
    path: Path,
    cosine: np.ndarray,
    chosen: np.ndarray,
    image: np.ndarray | None,
    random: np.ndarray | None,
    summary: dict[str, Any],
) -> None:
    """Write the PNG: caption cosines, k-occurrence, image cosines of pairs and random pairs, shares.

    Args:
        path: the file to write.
        cosine: (m,) caption cosines.
        chosen: (n,) number of times that each image is a target.
        image: (m,) image cosines of pairs, if known.
        random: those of random pairs.
        summary: from ``quality.judge``.
    """
    figure = Figure(figsize=(10, 7), layout="constrained")
    ((left, right), (below, corner)) = figure.subplots(2, 2)
    histogram(left, cosine, color=COLOURS[0])
    left.set(xlabel="cosine of captions", ylabel="pairs")
    _occurrence(right, chosen)
    if image is None or random is None:
        below.text(0.5, 0.5, "no image vectors given", ha="center", va="center")
        below.set_axis_off()
    else:
        for values, colour, label in zip((image, random), COLOURS, ("pairs", "random pairs"), strict=True):
            histogram(below, values, color=colour, alpha=0.6, label=label)
        below.set(xlabel="cosine of images", ylabel="pairs")
        below.legend()
    _shares(corner, summary)
    figure.savefig(path, dpi=100, metadata={"Software": None})


def _occurrence(axes: Axes, chosen: np.ndarray) -> None:
    times, images = np.unique(chosen, return_counts=True)
    axes.plot(times, images, "o", color=COLOURS[0], markersize=4)
    axes.set(xlabel="times an image is a target", ylabel="images")
    axes.set_xscale("symlog")
    axes.set_yscale("log")


def _shares(axes: Axes, summary: dict[str, Any]) -> None:
    names = [name for name in (*NAMES, "same_label") if summary[name] and summary[name]["value"] is not None]
    for place, name in enumerate(names):
        entry = summary[name]
        error = [[entry["value"] - entry["low"]], [entry["high"] - entry["value"]]]
        axes.barh(place, entry["value"], xerr=error, color=COLOURS[0])
        if entry.get("chance") is not None:
            axes.plot(entry["chance"], place, "|", color=COLOURS[1], markersize=24, markeredgewidth=3)
    axes.set_yticks(range(len(names)), [NAMES.get(name, "same label") for name in names])
    axes.set(xlabel="share of pairs, 95 % interval; upright bar: chance", xlim=(0, 1))
