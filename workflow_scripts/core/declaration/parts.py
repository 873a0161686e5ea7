"""Parts of work that is divided among jobs: their names, and which rows each of them does."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import Field

PARTS = Field(
    1,
    ge=1,
    description="number of jobs that share the work; one more job gathers their results. 1: a single job does "
    "everything; does not change results",
    examples=[8],
    json_schema_extra={"unit": "jobs"},
)
"""The setting ``parts``."""


@dataclass(frozen=True)
class Part:
    """One of ``of`` parts, ``number`` from 0."""

    number: int
    of: int

    def rows(self, count: int, together: int = 1) -> range:
        """The part's rows of ``count``; the rows of all parts are 0 to ``count``, in order.

        Args:
            together: rows that must not be separated, such as those of a batch: parts begin at multiples of it.
        """
        groups = -(-count // together)
        start, stop = (together * (groups * number // self.of) for number in (self.number, self.number + 1))
        return range(min(start, count), min(stop, count))


WHOLE = Part(0, 1)


def part_names(parts: int) -> list[str]:
    """``1-of-3``, ``2-of-3``, ``3-of-3``; none for work that is not divided."""
    return [f"{number}-of-{parts}" for number in range(1, parts + 1)] if parts > 1 else []


def named_part(name: str) -> Part:
    """The part with one of these names."""
    number, _, of = name.partition("-of-")
    return Part(int(number) - 1, int(of))


def blocks(shards: Sequence[str], size: int) -> list[str]:
    """``<first>-<last>`` of consecutive shards, ``size`` at a time."""
    parts = [shards[start : start + size] for start in range(0, len(shards), size)]
    return [f"{part[0]}-{part[-1]}" for part in parts]


def shards_of(block: str) -> list[str]:
    """The shards of a block."""
    first, last = block.split("-")
    return [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]
