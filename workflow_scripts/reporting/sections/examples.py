"""Which captions and pairs the page shows: by a seeded choice inside stated strata, never by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workflow_scripts.reporting.text import caption_text
from workflow_scripts.stats.seeds import derive

Row = dict[str, Any]
STRATA = ("worst", "typical", "best")


@dataclass(frozen=True)
class CaptionLine:
    """A caption of an image: text ready for autoescape, its ITM score, the arms that chose it."""

    origin: str
    text: str
    itm: float | None
    chosen_by: list[str]


def strata(gain: np.ndarray, seed: int, each: int) -> dict[str, list[int]]:
    """Positions into `gain` (n,) float: at most `each` from the lowest 5 %, the middle 10 % and the highest 5 %.

    `gain` is ITM(generated) − ITM(original); not-finite gains are never chosen. A position is in one stratum only.
    """
    finite = np.flatnonzero(np.isfinite(gain))
    order = finite[np.argsort(gain[finite], kind="stable")]
    n = len(order)
    tail = min(max(each, round(0.05 * n)), n // 3)
    half = max(min(max(each, round(0.10 * n)), n - 2 * tail) // 2, 1)
    pools = {
        "worst": order[:tail],
        "typical": order[tail : n - tail][max((n - 2 * tail) // 2 - half, 0) :][: 2 * half],
        "best": order[n - tail :],
    }
    chosen = {}
    for name, pool in pools.items():
        draw = np.random.default_rng(derive(seed, "report", "captions", name))
        picked = draw.choice(pool, size=min(each, len(pool)), replace=False) if len(pool) else pool
        chosen[name] = [int(at) for at in sorted(picked, key=lambda at: gain[at])]
    return chosen


def caption_lines(row: Row, chosen: Mapping[str, Row]) -> list[CaptionLine]:
    """The original and the best generated caption of one image (a row of `caption_table`), and other captions of arms.

    `chosen` maps arm -> the arm's row for this image (caption, origin, itm), where it has one.
    """
    known = {("original", row["original"]): row["itm_original"]}
    if row["generated"]:
        best = max(range(len(row["generated"])), key=lambda at: row["itm_generated"][at])
        known["generated", row["generated"][best]] = row["itm_generated"][best]
    for one in chosen.values():
        known.setdefault((one["origin"], one["caption"]), one["itm"])
    return [_line(*which, itm, chosen) for which, itm in known.items()]


def _line(origin: str, text: str, itm: float | None, chosen: Mapping[str, Row]) -> CaptionLine:
    arms = [arm for arm, row in chosen.items() if (row["origin"], row["caption"]) == (origin, text)]
    return CaptionLine(origin, caption_text(text), itm, arms)


def shared_sources(sample: Sequence[str], tables: Sequence[Mapping[str, Row]], most: int) -> list[str]:
    """At most `most` keys of `sample`, in its order, first those with a pair in every table, then in most tables."""
    counts = {key: sum(key in table for table in tables) for key in sample}
    ranked = sorted((key for key in counts if counts[key]), key=lambda key: -counts[key])
    return ranked[:most]


def shared_examples(ids: Sequence[Mapping[tuple[str, str], object]], most: int) -> list[tuple[str, str]]:
    """At most `most` (dataset, key) that every run stored, in the first run's order."""
    if not ids:
        return []
    return [one for one in ids[0] if all(one in other for other in ids)][:most]


def sample_positions(rows: int, most: int, seed: int, *use: str) -> list[int]:
    """At most `most` distinct row numbers below `rows`, sorted."""
    if rows <= most:
        return list(range(rows))
    draw = np.random.default_rng(derive(seed, "report", *use))
    return sorted(int(at) for at in draw.choice(rows, size=most, replace=False))
