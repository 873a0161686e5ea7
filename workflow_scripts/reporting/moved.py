"""Which contrasts have changed since they were last shown.

A note beside the studies, ``results/.shown/<study>.json``, has the values and verdicts of the primary and listed
contrasts as last shown. It is outside the study's folder, which holds results alone.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.notes import read_note, write_note
from workflow_scripts.reporting.sections.contrasts import Named, named, titles
from workflow_scripts.reporting.settings import Report

FOLDER = ".shown"


def moved(study: Path, contrasts: Sequence[dict[str, Any]], settings: Report) -> list[str]:
    """Lines on the contrasts that have changed; replaces the note with what they are now.

    A damaged note is told and replaced. Where it can't be written, since the results are read-only, it stays as it is.

    Args:
        study: the study's folder.
        contrasts: rows of ``summary.contrasts.parquet``.
    """
    whole = study.absolute()
    note = whole.parent / FOLDER / f"{whole.name}.json"
    now = {"contrasts": _values(named(contrasts, settings.headline_step), settings)}
    lines: list[str] = []
    before: Any = {}
    try:
        before = read_note(note, "it is written again").get("contrasts", {})
    except PipelineError as error:
        lines = ["", f"What was shown before is unknown: {error}"]
    changed = _changed(before, now["contrasts"]) if isinstance(before, Mapping) else []
    if changed:
        lines = ["", "Changed since last shown:", *(f"  {line}" for line in changed)]
        lines.append("The cause, if you have a copy of the results from before: faithful-pairs diff")
        lines.append(f"  COPY/summary/summary.parquet {study}/summary/summary.parquet")
    with suppress(OSError, PipelineError):
        write_note(note, now)
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


def _changed(before: Mapping[str, Any], now: Mapping[str, str]) -> list[str]:
    if not before:
        return []
    names = dict.fromkeys([*now, *before])
    return [
        f"{name}: {before.get(name, 'not there')} → {now.get(name, 'not there')}"
        for name in names
        if before.get(name) != now.get(name)
    ]
