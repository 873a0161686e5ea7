"""Blocks of consecutive shards, each the work of one job."""

from collections.abc import Sequence


def blocks(shards: Sequence[str], size: int) -> list[str]:
    """``<first>-<last>`` of consecutive shards, ``size`` at a time."""
    parts = [shards[start : start + size] for start in range(0, len(shards), size)]
    return [f"{part[0]}-{part[-1]}" for part in parts]


def shards_of(block: str) -> list[str]:
    """The shards of a block."""
    first, last = block.split("-")
    return [f"{number:0{len(first)}d}" for number in range(int(first), int(last) + 1)]
