"""Summaries of captions or pairs side by side: one column per arm, one line per figure of its JSON summary."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from workflow_scripts.reporting.provenance import Number, Source
from workflow_scripts.reporting.text import plain

DETAILS = frozenset({"n", "unknown", "window", "q05", "q25", "q75", "q95"})


class Figure(NamedTuple):
    """A number of a summary with its interval, where it has one, and how many items it is from."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def flatten(summary: dict[str, Any], prefix: str = "") -> dict[str, Figure]:
    """Numbers of a nested summary by dotted name, in its order; text, lists and missing values are not shown.

    A value with `low` and `high` beside it (and maybe `n`) is one figure with its interval.
    """
    if all(_is_number(summary.get(name)) for name in ("value", "low", "high")):
        rest = {name: value for name, value in summary.items() if name not in ("value", "low", "high", "n")}
        own = Figure(summary["value"], summary["low"], summary["high"], summary.get("n"))
        return {prefix.removesuffix("."): own, **flatten(rest, prefix)}
    found: dict[str, Figure] = {}
    for name, value in summary.items():
        if isinstance(value, dict):
            found |= flatten(value, f"{prefix}{name}.")
        elif _is_number(value):
            found[f"{prefix}{name}"] = Figure(float(value))
    return found


def is_detail(name: str) -> bool:
    """Whether a figure stands in the folded table only: counts behind others, and quantiles but the median."""
    return name.rpartition(".")[2] in DETAILS


def side_by_side(columns: Sequence[tuple[str, dict[str, Any], Source]]) -> list[tuple[str, list[Number]]]:
    """(dotted name of the figure, one Number per column) lines; an em dash where an arm lacks the figure."""
    flat = [flatten(summary) for _, summary, _ in columns]
    names = list(dict.fromkeys(name for figures in flat for name in figures))
    lines = []
    for name in names:
        cells = [_cell(figures.get(name), name, source) for figures, (_, _, source) in zip(flat, columns, strict=True)]
        lines.append((name, cells))
    return lines


def _cell(figure: Figure | None, name: str, source: Source) -> Number:
    if figure is None:
        return Number("—")
    low, high = figure.low, figure.high
    interval = "" if low is None or high is None else f"{plain(low)}–{plain(high)}"
    rows = name if figure.n is None else f"{name}, n = {figure.n}"
    return Number(plain(figure.value), interval, source, rows)
