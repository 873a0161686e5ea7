"""What a judge says about the arms and their style."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pyarrow as pa

from workflow_scripts.captions.score_table import KINDS, RANDOM, by_halves, score_names
from workflow_scripts.stats.clustered import figure_by_draws, share
from workflow_scripts.stats.intervals import mean_figure


def compare(arms: Iterable[str], read: Callable[[str], pa.Table], reference: str | None) -> dict[str, Any]:
    """Figures of each arm, by arm and score; two arms are in memory at a time.

    ``mean``: of the scores, with ``difference``, the mean of the paired differences from the reference arm.
    ``above_random_image``: how often a caption scores higher with its own image than with a random one; 0.5 if the
    judge can't tell them apart. Against the reference arm: ``preferred``, how often the arm's caption of an image
    scores higher; and ``style_control``, the same with both captions beside a random image. A judge of what an image
    shows has a style control of 0.5; one that differs also prefers a style. ``centred``: the same for centred
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
    found = {f"mean{ending}": mean_figure(by_halves(table, name, ending)) for ending in KINDS.values()}
    found["above_random_image"] = _share(by_halves(table, name, ""), by_halves(table, name, RANDOM), images)
    if reference is None:
        return found
    for ending in KINDS.values():
        ours, theirs = (by_halves(one, name, ending) for one in (table, reference))
        found[f"mean{ending}"]["difference"] = mean_figure(ours - theirs)
    for title, column in (("preferred", ""), ("style_control", RANDOM)):
        for ending in KINDS.values():
            ours, theirs = (by_halves(one, name, f"{column}{ending}") for one in (table, reference))
            found[f"{title}{ending}"] = _share(ours, theirs, images)
    return found


def _share(first: np.ndarray, second: np.ndarray, images: np.ndarray) -> dict[str, Any]:
    """How often ``first`` exceeds ``second``, ties half, where both are known; as :func:`by_halves` has them.

    Captions with the same random image depend on one another, so they form a cluster.
    """
    return figure_by_draws(share, ~np.isnan(first[0] - second[0]), images, (np.sign(first - second) + 1) / 2)
