"""Finds the label sheets and exported pages that show removed rows.

Ratings are people's work and pages may have been published, so they are named, not removed.
"""

import csv
from collections.abc import Iterable
from pathlib import Path

from workflow_scripts.core.files.names import COPIES, LABEL_KEY, LABELS
from workflow_scripts.provenance.lineage import Made


def sheets_of(results: Path, everything: Iterable[Made], ids: set[str]) -> tuple[list[str], list[str]]:
    """Label sheets and exported pages that show one of ``ids``; and the keys and records that can't be read, and why.

    Keys are looked for in every study's folder of sheets, and in the folders that ``caption_labels`` read; records in
    every study. What a record names is followed by the record's path.
    """
    folders = [*results.glob(f"*/{LABELS}"), *_sources(results, everything)]
    keys = {path.resolve(): path for folder in folders for path in folder.glob(f"*{LABEL_KEY}")}
    shown, unreadable = [], []
    for path in [*sorted(keys.values()), *sorted(results.glob(f"*/{COPIES}/*.csv"))]:
        try:
            row = _first(path, ids)
        except (OSError, csv.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            unreadable.append(f"{path}: {reason}")
            continue
        if row is not None:
            copy = row.get("copy")
            shown.append(f"{copy} (record: {path})" if copy else str(path).removesuffix(LABEL_KEY))
    return shown, unreadable


def _first(path: Path, ids: set[str]) -> dict[str, str] | None:
    """The first row whose ``key`` is one of ``ids``.

    Raises:
        OSError: the file can't be read.
        csv.Error: it is not a CSV file with such a column.
    """
    with open(path, encoding="utf-8", errors="replace", newline="") as stream:
        # strict: otherwise all rows after a quotation mark that is never closed are one field.
        reader = csv.DictReader(stream, strict=True)
        found = next((row for row in reader if row.get("key") in ids), None)
        if "key" not in (reader.fieldnames or ()):
            raise csv.Error("no column is named key")
        return found


def _sources(results: Path, everything: Iterable[Made]) -> list[Path]:
    """Folders that the sources ``labels`` were read from; relative ones count from the folder of the results."""
    sources = (one for one in everything if one.study is not None and one.stage == "source")
    places = [one.record.get("settings", {}).get("at") for one in sources if one.path.name == LABELS]
    return [results.parent / at for at in places if isinstance(at, str)]
