"""What a judge says about the arms and their style."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from workflow_scripts.captions.score_table import RANDOM, score_names
from workflow_scripts.stats.clustered import share
from workflow_scripts.stats.intervals import figure, mean_figure

ENDINGS = {"": "", "_z": "_standardised"}
"""Ending of the columns of a kind of score -> ending of the names of its figures."""


def compare(arms: Iterable[str], read: Callable[[str], pa.Table], reference: str | None) -> dict[str, Any]:
    """Figures of each arm, by arm and score; two arms are in memory at a time.

    ``mean``: of the scores, with ``difference``, the mean of the paired differences from the reference arm.
    ``above_random_image``: how often a caption scores higher with its own image than with a random one; 0.5 if the
    judge can't tell them apart. Against the reference arm: ``preferred``, how often the arm's caption of an image
    scores higher; and ``style_control``, the same with both captions beside a random image. A judge of what an image
    shows has a style control of 0.5; one that differs also prefers a style. ``standardised``: the same for standardised
    scores. Ties count half.

    Args:
        arms: names of arms.
        read: arm -> its scores (``score_table.schema``), the same images in the same order.
        reference: the arm that others are compared with.
    """
    base, found = None if reference is None else read(reference), {}
    for arm in arms:
        table = read(arm)
        found[arm] = {name: _of_arm(table, None if arm == reference else base, name) for name in score_names(table)}
    return found


def _of_arm(table: pa.Table, reference: pa.Table | None, name: str) -> dict[str, Any]:
    images = table["random_image"].fill_null(-1).to_numpy()
    found = {f"mean{text}": mean_figure(_values(table, f"{name}{ending}")) for ending, text in ENDINGS.items()}
    found["above_random_image"] = _share(_values(table, name), _values(table, name + RANDOM), images)
    if reference is None:
        return found
    for ending, text in ENDINGS.items():
        ours, theirs = (_values(one, f"{name}{ending}") for one in (table, reference))
        found[f"mean{text}"]["difference"] = mean_figure(ours - theirs)
    for title, column in (("preferred", name), ("style_control", name + RANDOM)):
        for ending, text in ENDINGS.items():
            ours, theirs = (_values(one, f"{column}{ending}") for one in (table, reference))
            found[f"{title}{text}"] = _share(ours, theirs, images)
    return found


def _values(table: pa.Table, column: str) -> np.ndarray:
    return np.asarray(table[column].fill_null(np.nan).to_numpy(), dtype=np.float64)


def _share(first: np.ndarray, second: np.ndarray, images: np.ndarray) -> dict[str, Any]:
    """How often (n,) ``first`` exceeds ``second``, ties half, where both are known.

    Captions with the same random image depend on one another, so they form a cluster.
    """
    known = ~np.isnan(first) & ~np.isnan(second)
    wins = (np.sign(first[known] - second[known]) + 1) / 2
    return figure(share(wins, images[known]) if len(wins) else None, len(wins))
