"""Notices a collapse while a run trains: statistics of features in the curve, and the rule of the warning."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workflow_scripts.stats.feature_statistics import alignment, rankme, uniformity
from workflow_scripts.stats.seeds import derive

STATISTICS = ("rankme", "alignment", "uniformity", "norm", "spread")
UNIFORMITY_PAIRS = 10_000
SHARE = 0.25
"""A network looks collapsed if RankMe or spread fall below this share of their values at step 0. Features of random
weights have a low rank and lie close together, and training that works raises both."""
RULED = ("rankme", "spread")
Row = Mapping[str, Any]
log = logging.getLogger(__name__)


def feature_statistics(
    features: np.ndarray, labels: np.ndarray, bank: np.ndarray | None = None
) -> dict[str, float | None]:
    """The columns :data:`STATISTICS` of one row of the curve; None where a statistic does not exist.

    Args:
        features: (n, d) float32 for all statistics but RankMe.
        labels: (n,) int; images of one label are positive pairs of the alignment.
        bank: (m, d) float32 for RankMe; None: ``features``.
    """
    wide = features.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1)
    if not (np.isfinite(norms).all() and np.isfinite(0 if bank is None else bank).all()):
        return dict.fromkeys(STATISTICS)
    unit = wide / np.maximum(norms, 1e-12)[:, None]
    found = {
        "rankme": rankme(wide if bank is None else bank.astype(np.float64)),
        "alignment": alignment(unit, labels)[0],
        "uniformity": uniformity(unit, UNIFORMITY_PAIRS, derive(0, "uniformity")),
        "norm": float(norms.mean()),
        "spread": spread(unit),
    }
    return {name: value if np.isfinite(value) else None for name, value in found.items()}


def spread(unit: np.ndarray) -> float:
    """Root of d times the mean standard deviation of the columns of ``unit`` (n, d), whose rows have length 1.

    0 if all features are equal, 1 if they are spread evenly over the sphere (Chen and He 2021, "SimSiam", section 4.1,
    whose figure divides by the root of d).
    """
    return float(unit.std(axis=0).mean() * np.sqrt(unit.shape[1]))


def collapse_of(row: Row, first: Row) -> str | None:
    """How a row of the curve looks collapsed, compared with the first row that has statistics; None if it does not."""
    for name in RULED:
        now, then = row.get(name), first.get(name)
        if now is not None and then is not None and now < SHARE * then:
            return f"{name} {now:.3g}, {then:.3g} at step {first['step']}"
    return None


def first_collapse(curve: Sequence[Row]) -> int | None:
    """The first step of a curve that looks collapsed; None if there is none."""
    rows = [row for row in curve if any(row.get(name) is not None for name in RULED)]
    return next((int(row["step"]) for row in rows if collapse_of(row, rows[0])), None)


def warn_of_collapse(curve: Sequence[Row]) -> None:
    """Log a warning if the last row of a curve is the first that looks collapsed."""
    if first_collapse(curve) == curve[-1]["step"]:
        first = next(row for row in curve if any(row.get(name) is not None for name in RULED))
        log.warning("step %d: features look collapsed: %s", curve[-1]["step"], collapse_of(curve[-1], first))
