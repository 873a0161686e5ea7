"""Where a line crosses zero, with an interval: Fieller's (1954, J. R. Statist. Soc. B 16:175), by inversion of tests.

The line d(x) is the contrast "fitted score at the share x, minus a reference". Its estimate is linear in x and its
variance quadratic, so both follow from the contrasts at x = 0, 1/2 and 1. The interval has all shares at which the
contrast's own interval contains 0: those at which the reference may still be equal.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Row = Mapping[str, Any]
Signed = tuple[int, str]
STEPS = 1000
LINES: tuple[Signed, ...] = ((1, "line at 0 - self"), (1, "line at 1/2 - self"), (1, "line at 1 - self"))
"""Contrasts of a line fitted over shares of faithful captions with self, whose zero is the crossing."""


class Crossing(NamedTuple):
    """A share, between 0 and 1.

    Attributes:
        share: where the line crosses zero; None if it does not do so between 0 and 1.
        low, high: the interval; None if it contains no share between 0 and 1.
        at_zero, at_one: the line there.
    """

    share: float | None
    low: float | None
    high: float | None
    at_zero: float
    at_one: float

    @property
    def text(self) -> str:
        """The end of a sentence that begins with "language pairs"."""
        if self.low is None or self.high is None:
            return f"are {'above' if self.at_zero > 0 else 'below'} self pairs at every share of faithful captions"
        low, high = (f"{100 * end:.0f}" for end in (self.low, self.high))
        if self.share is None:
            above = "above" if self.at_zero + self.at_one > 0 else "below"
            return f"are {above} self pairs, but may equal them at {low} to {high} % faithful captions"
        crosses = "overtake" if self.at_zero < 0 else "fall behind"
        return f"{crosses} self pairs at {100 * self.share:.0f} % [{low}, {high}] faithful captions"


def crossing(estimates: Sequence[float], halves: Sequence[float]) -> Crossing:
    """Where the line crosses zero.

    Args:
        estimates: (3,) of the contrasts at 0, 1/2 and 1.
        halves: (3,) half widths of their intervals.
    """
    first, middle, last = np.square(halves)
    x = np.linspace(0, 1, STEPS + 1)
    # Lagrange's polynomial through the squared half widths
    square = first * (1 - x) * (1 - 2 * x) + 4 * middle * x * (1 - x) + last * x * (2 * x - 1)
    line = estimates[0] + (estimates[2] - estimates[0]) * x
    equal = x[np.square(line) <= np.maximum(square, 0)]
    crosses = estimates[0] * estimates[2] < 0
    share = float(estimates[0] / (estimates[0] - estimates[2])) if crosses else None
    # An interval narrower than a step may lie between two of them.
    inside = [*equal, *([] if share is None else [share])]
    low, high = (float(min(inside)), float(max(inside))) if inside else (None, None)
    return Crossing(share, low, high, float(estimates[0]), float(estimates[2]))


def crossings(contrasts: Sequence[Row], line: Sequence[Signed], suffix: str = "") -> list[Crossing]:
    """Of a line that three contrasts describe, under each objective; empty if a study has not got them.

    Args:
        contrasts: rows of all contrasts.
        line: their signs and names; ``suffix`` ends the names.
    """
    tables = [_like(contrasts, f"{name}{suffix}") for _, name in line]
    keys = [key for key in tables[0] if all(key in table for table in tables)]
    return [
        crossing(
            [sign * table[key]["difference"] for (sign, _), table in zip(line, tables, strict=True)],
            [(table[key]["high"] - table[key]["low"]) / 2 for table in tables],
        )
        for key in keys
    ]


def _like(contrasts: Sequence[Row], contrast: str) -> Mapping[str, Row]:
    """By metric, the rows of a contrast on the set or mean of the primary contrasts."""
    sets = {(row["dataset"], row["metric"]) for row in contrasts if row["primary"]}
    return {
        row["metric"]: row
        for row in contrasts
        if row["contrast"] == contrast
        and row["verdict"]
        and (row["dataset"], row["metric"]) in sets
        and row["low"] is not None
    }


def overtakes(contrasts: Sequence[Row]) -> list[str]:
    """Where language pairs overtake self pairs, as clauses, under both objectives if they differ."""
    said = []
    for suffix, short in (("", ""), (" (short)", " after the short training")):
        texts = dict.fromkeys(one.text for one in crossings(contrasts, LINES, suffix))
        said += [f"on the fitted line, language pairs {' or '.join(texts)}{short}"] if texts else []
    return said
