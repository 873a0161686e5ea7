"""The page's results as plain text for a terminal: what was trained, the primary contrasts, and the answers."""

import textwrap
from collections.abc import Sequence
from typing import Any

from workflow_scripts.reporting.answers import answers, notes
from workflow_scripts.reporting.sections.contrasts import Shown, named, none_named, shown_p, titles
from workflow_scripts.reporting.sections.headline import selection_note
from workflow_scripts.reporting.sections.run_table import run_table
from workflow_scripts.reporting.settings import Report

Row = dict[str, Any]
WIDTH = 80  # columns that everything fits in, except names that are longer
GAP = "  "


def tables(summary: Sequence[Row], contrasts: Sequence[Row], settings: Report) -> list[str]:
    """Lines of the table of what was trained, and of the primary contrasts.

    Args:
        summary, contrasts: rows of ``summary.parquet`` and ``summary.contrasts.parquet``.
        settings: of the report; their ``headline_step`` is the checkpoint of the runs.
    """
    step = settings.headline_step
    trained = run_table(summary, step, settings)
    lines = ["No run was evaluated."]
    if trained is not None:
        lines = [trained.table.title, *_wrapped(selection_note(summary))]
        rows = [[name, seeds, *map(_short, cells)] for name, seeds, *cells in trained.table.rows]
        heads = [name.replace("Linear probe", "probe").removesuffix(", corrected AP") for name in trained.table.columns]
        lines += ["", *aligned([heads, *rows])]
    found = named(contrasts, step)
    primary = [one for contrast in found for one in contrast.shown if one.row["primary"]]
    if primary:
        names = titles(found)
        heads = ["contrast", "difference", "adj. p", "verdict"]
        rows = [primary_row(one, names[one.at]) for one in primary]
        lines += ["", "Primary contrasts: difference in points, with joint 95 % interval", "", *aligned([heads, *rows])]
    return lines


def sentences(summary: Sequence[Row], contrasts: Sequence[Row], settings: Report) -> list[str]:
    """The answers, in the words of the page."""
    step = settings.headline_step
    found = answers(named(contrasts, step), summary, settings)
    said = [one.text for one in found] or [none_named(contrasts, step)]
    return [line for text in [*notes(found, contrasts), *said] for line in _wrapped(text)]


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _short(cell: str) -> str:
    """A mean with the larger distance to the ends of its interval."""
    value, _, interval = cell.partition(" ")
    if not interval:
        return value
    low, high = (float(end) for end in interval.strip("[]").split(", "))
    return f"{value} ±{max(high - float(value), float(value) - low):.1f}"


def primary_row(one: Shown, name: str) -> list[str]:
    """A primary contrast: name and measure, difference with its interval, adjusted p, verdict."""
    row, measure = one.row, one.measure.title.replace("Linear probe", "probe")
    difference = " ".join(filter(None, (one.measure.shown(row["difference"]), one.interval)))
    return [f"{name} ({measure})", difference, shown_p(row["p_adjusted"]), row["verdict"]]


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Lines with aligned columns below their heads; where names are too long for them, each has a line of its own."""
    widths = [max(len(line[at]) for line in lines) for at in range(1, len(lines[0]))]
    names = max(len(line[0]) for line in lines)
    apart = names + sum(widths) + len(GAP) * len(widths) > WIDTH
    found = []
    for at, (name, *cells) in enumerate(lines):
        text = GAP.join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        found += [f"{name.ljust(names)}{GAP}{text}"] if not apart else [*([name] if at else []), f"{GAP * 2}{text}"]
    return [line.rstrip() for line in found]
