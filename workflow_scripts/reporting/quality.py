"""Summaries of captions or pairs side by side: one column per arm, one line per figure of its JSON summary."""

from collections.abc import Sequence
from typing import Any

from workflow_scripts.reporting.provenance import Number, Source
from workflow_scripts.reporting.text import plain, words


def flatten(summary: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """Numbers of a nested summary by dotted name, in its order; text, lists and missing values are not shown."""
    found: dict[str, float] = {}
    for name, value in summary.items():
        if isinstance(value, dict):
            found |= flatten(value, f"{prefix}{name}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[f"{prefix}{name}"] = float(value)
    return found


def side_by_side(columns: Sequence[tuple[str, dict[str, Any], Source]], most: int) -> list[tuple[str, list[Number]]]:
    """(name of the figure, one Number per column) lines, at most `most`; an em dash where an arm lacks the figure."""
    flat = [flatten(summary) for _, summary, _ in columns]
    names = list(dict.fromkeys(name for numbers in flat for name in numbers))[:most]
    lines = []
    for name in names:
        cells = [
            Number(plain(numbers[name]), source=source, rows=name) if name in numbers else Number("—")
            for numbers, (_, _, source) in zip(flat, columns, strict=True)
        ]
        lines.append((words(name.replace(".", " · ")), cells))
    return lines
