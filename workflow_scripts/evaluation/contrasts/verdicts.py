"""Verdicts by rule, from joint intervals; docs/statistics.md states the rule. Nothing else says what an effect is.

Only primary contrasts get one, for their endpoint at their first step:

1. Runs that differ in budget, batch size or backbone: not comparable.
2. Scores of the set that chose one of the checkpoints: inconclusive.
3. Fewer than three common seeds, a single class, or the same difference in all seeds and classes: no joint interval, so
   inconclusive. Fewer than four classes: inconclusive, since the interval is too narrow. Sets of a mean add up theirs.
4. p-value, adjusted by Holm over the primary contrasts of the study, not below 5 %: inconclusive.
5. Otherwise supported if the difference has the expected sign, and contradicted if not. An equivalence is supported,
   never contradicted: step 4 leaves it inconclusive unless the difference is smaller than the margin.
6. The linear probe needs the same verdict under every objective, and at least two objectives; else inconclusive.

All others are exploratory, or not comparable.
"""

from collections.abc import Sequence
from typing import NamedTuple

SUPPORTED, CONTRADICTED, INCONCLUSIVE, INCOMPARABLE = "supported", "contradicted", "inconclusive", "not comparable"
EXPLORATORY = "exploratory"
ALPHA = 0.05
FEWEST_OBJECTIVES = 2
FEWEST_CLASSES = 4
NO_INTERVAL = "no joint interval: it needs three seeds and two classes, and differences that vary"
CHANCE = "the difference may be chance"
MAY_MATTER = "the difference is not shown to be smaller than the margin"


class Verdict(NamedTuple):
    """A verdict and, unless an effect was found, the reason for it."""

    verdict: str
    reason: str = ""


def verdict(
    expected: bool | None, p_adjusted: float | None, unequal: Sequence[str], classes: float, chose: bool = False
) -> Verdict:
    """The verdict of one metric by itself, steps 1 to 5.

    Args:
        expected: whether the estimate has the expected sign; None for an equivalence.
        p_adjusted: after Holm; None without a joint interval.
        unequal: in what the runs differ besides what is compared.
        classes: number of classes of the set, or of all sets of a mean; infinite if it does not matter.
        chose: whether the set chose one of the checkpoints.
    """
    if unequal:
        return Verdict(INCOMPARABLE, f"different {' and '.join(unequal)}")
    if chose:
        return Verdict(INCONCLUSIVE, "this set chose the checkpoint")
    if p_adjusted is None:
        return Verdict(INCONCLUSIVE, NO_INTERVAL)
    if classes < FEWEST_CLASSES:
        return Verdict(INCONCLUSIVE, f"only {classes} classes: a verdict needs {FEWEST_CLASSES}")
    if p_adjusted >= ALPHA:
        return Verdict(INCONCLUSIVE, MAY_MATTER if expected is None else CHANCE)
    return Verdict(CONTRADICTED if expected is False else SUPPORTED)


def exploratory(found: Verdict) -> Verdict:
    """What is said of a contrast that is not primary: only what stands in the way of its numbers."""
    if found.verdict == INCOMPARABLE:
        return found
    return Verdict(EXPLORATORY, "" if found.reason in (CHANCE, MAY_MATTER) else found.reason)


def agreed(by_objective: Sequence[Verdict]) -> Verdict:
    """The verdict of the linear probe from those of its objectives, step 6."""
    first = by_objective[0]
    if first.verdict in (SUPPORTED, CONTRADICTED) and len(by_objective) < FEWEST_OBJECTIVES:
        return Verdict(INCONCLUSIVE, "only one objective was fitted")
    if len({one.verdict for one in by_objective}) > 1:
        return Verdict(INCONCLUSIVE, "the objectives disagree")
    return first
