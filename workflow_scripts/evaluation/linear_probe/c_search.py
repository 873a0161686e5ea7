"""Search for a probe's C: coarse grid, then interval halving around its best, as CLIP and the original do."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

DECADES = 2.0


class Validation(NamedTuple):
    """How well a cost does on the validation split.

    Small splits give many costs the same accuracy, down to one whose probe predicts a single class; the log-loss tells
    such costs apart.
    """

    accuracy: float
    log_loss: float


def sweep(score: Callable[[float], Validation], coarse: Sequence[float], fine_points: int) -> float:
    """The cost with the highest accuracy; on ties that with the lowest log-loss, then the smallest cost.

    Args:
        score: validation scores of a cost; called once per cost.
        coarse: first grid (CLIP: 1e-6 ... 1e6, every second decade).
        fine_points: points of the second grid, which spans two decades on each side of the best coarse cost and stays
            inside the coarse grid's ends; of these about 2 log2(fine_points) are tried.
    """
    scores = {float(cost): score(float(cost)) for cost in coarse}
    centre = np.log10(_best(scores))
    grid = np.logspace(centre - DECADES, centre + DECADES, fine_points)
    grid = grid[(grid >= min(coarse) * (1 - 1e-9)) & (grid <= max(coarse) * (1 + 1e-9))]
    low, high = 0, len(grid) - 1
    while high > low:
        middle = (low + high) // 2
        left, right = (low + middle) // 2, (middle + high + 1) // 2
        tried = {position: float(grid[position]) for position in (left, middle, right)}
        for cost in tried.values():
            if cost not in scores:
                scores[cost] = score(cost)
        best = _best({cost: scores[cost] for cost in tried.values()})
        width = high - low
        if best == tried[middle]:
            low, high = left, right
        elif best == tried[left]:
            high = middle
        else:
            low = middle
        if high - low == width:
            break
    return _best(scores)


def _best(scores: dict[float, Validation]) -> float:
    return min(scores, key=lambda cost: (-scores[cost].accuracy, scores[cost].log_loss, cost))
