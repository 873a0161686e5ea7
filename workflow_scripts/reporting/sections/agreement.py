"""How often two pair tables choose the same first partner."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from workflow_scripts.reporting.provenance import Number, Source
from workflow_scripts.reporting.text import plain
from workflow_scripts.stats.intervals import wilson


class Partners(NamedTuple):
    """The first partner of each sampled image, by key, in the pair table ``name``."""

    name: str
    target: Mapping[str, str]
    source: Source


def agreement(tables: Sequence[Partners]) -> list[tuple[str, list[Number]]]:
    """(name, shares with each table before it) of every table but the first.

    A share is that of sampled images with the same first partner in both, among those with a partner in both.
    """
    return [
        (table.name, [_share(table, other) for other in tables[:number]])
        for number, table in enumerate(tables)
        if number
    ]


def _share(table: Partners, other: Partners) -> Number:
    both = table.target.keys() & other.target.keys()
    if not both:
        return Number("—")
    share = wilson(sum(table.target[key] == other.target[key] for key in both) / len(both), len(both))
    assert share.low is not None
    assert share.high is not None
    interval = f"{plain(share.low)}–{plain(share.high)}"
    return Number(plain(share.value), interval, table.source, f"same first partner as in {other.name}, n = {len(both)}")
