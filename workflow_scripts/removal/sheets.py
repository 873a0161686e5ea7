"""Finds the label sheets and exported pages that show removed rows.

Ratings are people's work and pages may have been published, so they are named, not removed.
"""

import csv
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from workflow_scripts.acquisition.annotations.removal_tokens import id_token
from workflow_scripts.core.files.names import COPIES, LABEL_KEY, LABELS
from workflow_scripts.provenance.lineage import Made


class Shown(NamedTuple):
    """Label sheets and exported pages that show removed rows.

    Attributes:
        lines: what is said of each.
        noted: their path -> their key or record.
        unread: keys and records that can't be read, and why.
        described: the sheets and pages, also others, whose key or record can be read.
    """

    lines: list[str]
    noted: dict[str, str]
    unread: list[str]
    described: set[str]


def sheets_of(results: Path, everything: Iterable[Made], ids: Collection[str], noted: Mapping[str, str]) -> Shown:
    """Label sheets and exported pages that show an image whose id has one of the tokens ``ids``.

    Keys are looked for in every study's folder of sheets, and in the folders that ``caption_labels`` read; records in
    every study. What a record names is followed by the record's path.

    Args:
        noted: those that were found before, by path -> key or record. If the key or record is gone and the file is
            still there, it counts as before.
    """
    folders = [*results.glob(f"*/{LABELS}"), *_sources(results, everything)]
    keys = {path.resolve(): path for folder in folders for path in folder.glob(f"*{LABEL_KEY}")}
    shown = Shown([], {}, [], set())
    for path in [*sorted(keys.values()), *sorted(results.glob(f"*/{COPIES}/*.csv"))]:
        try:
            row, shows = _row(path, ids)
        except (OSError, csv.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            shown.unread.append(f"{path}: {reason}")
            continue
        copy = row.get("copy")
        sheet = copy or str(path).removesuffix(LABEL_KEY)
        shown.described.add(sheet)
        if shows:
            shown.noted[sheet] = str(path)
            shown.lines.append(f"{sheet} (record: {path})" if copy else sheet)
    for sheet, record in sorted(noted.items()):
        if sheet not in shown.described and os.path.lexists(_path(sheet)):
            shown.noted[sheet] = record
            shown.lines.append(f"{sheet} (its key or record is missing: {record})")
    return shown


def _row(path: Path, ids: Collection[str]) -> tuple[dict[str, str], bool]:
    """The first row whose ``key`` has one of the tokens ``ids``, else the first one; and whether it has.

    Raises:
        OSError: the file can't be read.
        csv.Error: it is not a CSV file with such a column.
    """
    first: dict[str, str] = {}
    with open(path, encoding="utf-8", errors="replace", newline="") as stream:
        # strict: otherwise all rows after a quotation mark that is never closed are one field.
        reader = csv.DictReader(stream, strict=True)
        for row in reader:
            first = first or row
            if id_token(row.get("key") or "") in ids:
                return row, True
        if "key" not in (reader.fieldnames or ()):
            raise csv.Error("no column is named key")
        return first, False


def _path(sheet: str) -> str:
    """The path that a record writes in ASCII, with escapes."""
    try:
        return sheet.encode("ascii").decode("unicode_escape")
    except UnicodeError:
        return sheet


def _sources(results: Path, everything: Iterable[Made]) -> list[Path]:
    """Folders that the sources ``labels`` were read from; relative ones count from the folder of the results."""
    sources = (one for one in everything if one.study is not None and one.stage == "source")
    places = [one.record.get("settings", {}).get("at") for one in sources if one.path.name == LABELS]
    return [results.parent / at for at in places if isinstance(at, str)]
