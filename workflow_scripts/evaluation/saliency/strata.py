"""Strata of images by the object's size and place, fixed before any map is seen."""

from itertools import pairwise

import numpy as np

from workflow_scripts.core.declaration.result_names import ALL

AREAS = (0.05, 0.15, 0.35)
"""Bounds of the strata by the object's share of the pixels."""


def strata(areas: np.ndarray, centred: np.ndarray) -> dict[str, np.ndarray]:
    """Stratum -> which of the n images it holds, (n,) bool; empty strata are left out.

    A share on a bound counts as the larger one. Terciles of centredness have equal numbers of images, up to one; ties
    are split in the images' order.
    """
    found = {ALL: np.ones(len(areas), bool)}
    place = np.digitize(areas, AREAS)
    bounds = [f"{100 * bound:g}" for bound in AREAS]
    names = [
        f"object under {bounds[0]} %",
        *(f"object {low} to {high} %" for low, high in pairwise(bounds)),
        f"object over {bounds[-1]} %",
    ]
    found |= {name: place == number for number, name in enumerate(names)}
    ranks = np.empty(len(centred), np.int64)
    ranks[np.argsort(centred, kind="stable")] = np.arange(len(centred))
    third = ranks * 3 // max(len(centred), 1)
    names = ["least centred third", "middle third", "most centred third"]
    found |= {name: third == number for number, name in enumerate(names)}
    return {name: chosen for name, chosen in found.items() if chosen.any()}
