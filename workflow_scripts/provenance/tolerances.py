"""How far a recomputed file may lie from the recorded one where the machine differs from the recorded one.

At the recorded device, math threads, processor and versions every stage gives the same bytes on a CPU. Elsewhere sums
are taken in another order: stages that only copy, count or cut still give the same bytes, the others move as the table
says. A file that is not in the table must be bit-exact everywhere.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tolerance:
    """What a stage's files may deviate by.

    Attributes:
        number: of floating-point numbers, as :class:`workflow_scripts.provenance.compare.Deviation` measures them.
        unequal: share of cells that are no floating-point numbers and may differ (captions, predictions, pixels).
        source: where the bound is from.
    """

    number: float
    unequal: float
    source: str


TOLERANCES: dict[tuple[str, str], Tolerance] = {}  # stage and ending of the file's name


def tolerance(stage: str, suffix: str) -> Tolerance | None:
    """The bound of a stage's file, or None where bytes must be the same."""
    endings = [ending for name, ending in TOLERANCES if name == stage and suffix.endswith(ending)]
    return TOLERANCES[stage, max(endings, key=len)] if endings else None
