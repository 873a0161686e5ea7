"""The page's results as plain text for a terminal: runs, primary contrasts, answers, and what changed since last shown.

A note beside the studies, ``results/.shown/<study>.json``, has the values and verdicts of the primary and listed
contrasts as last shown. It is outside the study's folder, which holds results alone.
"""

import textwrap
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.notes import read_note, write_note
from workflow_scripts.reporting.answers import answers, leaks, notes
from workflow_scripts.reporting.sections.contrasts import Named, named, none_named, shown_p, titles
from workflow_scripts.reporting.sections.headline import run_table, selection_note
from workflow_scripts.reporting.settings import Report
from workflow_scripts.reporting.terms import SYNTHETIC

Row = dict[str, Any]
WIDTH = 80  # columns that everything fits in, but for single words that are longer
GAP = "  "
FOLDER = ".shown"


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
        lines = [*wrapped(trained.table.title), *wrapped(selection_note(summary))]
        rows = [[name, seeds, *map(_short, cells)] for name, seeds, *cells in trained.table.rows]
        heads = [name.replace("Linear probe", "probe").removesuffix(", corrected AP") for name in trained.table.columns]
        lines += ["", *aligned([heads, *rows])]
    if rows := [cells for _, cells in primary(contrasts, step)]:
        heads = ["contrast", "difference", "adj. p", "verdict"]
        lines += ["", "Primary contrasts: difference in points, with joint 95 % interval", "", *aligned([heads, *rows])]
    return lines


def sentences(
    summary: Sequence[Row], contrasts: Sequence[Row], settings: Report, leaked: Mapping[str, tuple[int, int]]
) -> list[str]:
    """The answers, in the words of the page, after what limits them; ``leaked`` as of :func:`answers.leaks`."""
    step = settings.headline_step
    shown = named(contrasts, step)
    found = answers(shown, summary, settings)
    said = [answer.text for answer in found] or [none_named(contrasts, step, evaluated=bool(summary))]
    limits = [f"{SYNTHETIC}."] if settings.methods.synthetic else []
    return [*limits, *notes(found, shown, contrasts, summary, settings), *leaks(leaked), *said]


def wrapped(text: str) -> list[str]:
    """Lines that fit the terminal."""
    return textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def _short(cell: str) -> str:
    """A mean with the larger distance to the ends of its interval."""
    value, _, interval = cell.partition(" ")
    if not interval:
        return value
    mean, low, high = (float(end.replace("−", "-")) for end in [value, *interval.strip("[]").split(", ")])
    return f"{value} ±{max(high - mean, mean - low):.1f}"


def primary(contrasts: Sequence[Row], step: str) -> list[tuple[Row, list[str]]]:
    """Each primary contrast with its cells: name and measure, difference with its interval, adjusted p, verdict."""
    found, rows = named(contrasts, step), []
    names = titles(found)
    for one in (one for contrast in found for one in contrast.shown if one.row["primary"]):
        name = f"{names[one.at]} ({one.measure.title.replace('Linear probe', 'probe')})"
        difference = " ".join(filter(None, (one.measure.shown(one.row["difference"]), one.interval)))
        rows.append((one.row, [name, difference, shown_p(one.row["p_adjusted"]), one.row["verdict"]]))
    return rows


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Lines with aligned columns below their heads; where names are too long for them, each has a line of its own."""
    widths = [max(len(line[at]) for line in lines) for at in range(1, len(lines[0]))]
    names = max(len(line[0]) for line in lines)
    apart = names + sum(widths) + len(GAP) * len(widths) > WIDTH
    found = []
    for at, (name, *cells) in enumerate(lines):
        text = GAP.join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
        above = wrapped(name) if at else []
        found += [*above, f"{GAP * 2}{text}"] if apart else [f"{name.ljust(names)}{GAP}{text}"]
    return [line.rstrip() for line in found]


def moved(study: Path, contrasts: Sequence[Row], settings: Report) -> list[str]:
    """Lines on the contrasts that have changed; replaces the note with what they are now.

    A damaged note is told and replaced. Where it can't be written, since the results are read-only, it stays as it is.

    Args:
        study: the study's folder.
        contrasts: rows of ``summary.contrasts.parquet``.
    """
    whole = study.absolute()
    note = whole.parent / FOLDER / f"{whole.name}.json"
    now, lines = _values(named(contrasts, settings.headline_step), settings), list[str]()
    before: Any = {}
    try:
        before = read_note(note, "it is written again").get("contrasts", {})
    except PipelineError as error:
        lines = ["", f"What was shown before is unknown: {error}"]
    names = dict.fromkeys([*now, *before]) if isinstance(before, Mapping) and before else ()
    both = {name: [shown.get(name, "not there") for shown in (before, now)] for name in names}
    if changed := [f"  {name}: {old} → {new}" for name, (old, new) in both.items() if old != new]:
        lines = ["", "Changed since last shown:", *changed]
        lines.append("The cause, if you have a copy of the results from before: faithful-pairs diff")
        lines.append(f"  COPY/summary/summary.parquet {study}/summary/summary.parquet")
    with suppress(OSError, PipelineError):
        write_note(note, {"contrasts": now})
    return lines


def _values(contrasts: Sequence[Named], settings: Report) -> dict[str, str]:
    """Difference, interval and verdict of each primary or listed contrast, by name and measure."""
    names, listed = titles(contrasts), {asked.name for asked in settings.contrasts}
    return {
        f"{names[one.at]}, {one.measure.title}": " ".join(
            filter(None, (one.measure.shown(one.row["difference"]), one.interval, one.row["verdict"]))
        )
        for contrast in contrasts
        for one in contrast.shown
        if one.row["primary"] or contrast.name in listed
    }
