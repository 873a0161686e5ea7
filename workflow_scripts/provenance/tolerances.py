"""How far a recomputed file may lie from the recorded one where the machine differs from the recorded one.

At the recorded device, math threads, processor and versions every stage gives the same bytes on a CPU. Elsewhere sums
are taken in another order: stages that only copy, count or cut still give the same bytes, the others move as the table
says. A stage that is not in the table must be bit-exact everywhere.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tolerance:
    """What a stage's files may deviate by.

    Attributes:
        number: of floating-point numbers, as a share of the largest absolute value of their column or tensor.
        unequal: share of cells that are no floating-point numbers and may differ (captions, predictions, pixels).
        source: where the bound is from.
    """

    number: float
    unequal: float
    source: str


TOLERANCES: dict[str, Tolerance] = {}
