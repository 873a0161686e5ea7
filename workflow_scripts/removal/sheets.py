"""Finds the label sheets that show removed rows. Their ratings are people's work, so they are named, not removed."""

import csv
from collections.abc import Iterable
from pathlib import Path

from workflow_scripts.core.files.names import LABEL_KEY, LABELS
from workflow_scripts.provenance.lineage import Made


def sheets_of(results: Path, everything: Iterable[Made], ids: set[str]) -> tuple[list[str], list[str]]:
    """Label sheets whose key names one of ``ids``, and the keys that can't be read, each with the reason.

    Keys are looked for in every study's folder of sheets, and in the folders that ``caption_labels`` read.
    """
    folders = [*results.glob(f"*/{LABELS}"), *_sources(results, everything)]
    keys = {path.resolve(): path for folder in folders for path in folder.glob(f"*{LABEL_KEY}")}
    shown, unreadable = [], []
    for path in sorted(keys.values()):
        try:
            with open(path, encoding="utf-8", errors="replace", newline="") as stream:
                # strict: otherwise all rows after a quotation mark that is never closed are one field.
                reader = csv.DictReader(stream, strict=True)
                if any(row.get("key") in ids for row in reader):
                    shown.append(str(path).removesuffix(LABEL_KEY))
                elif "key" not in (reader.fieldnames or ()):
                    unreadable.append(f"{path}: no column is named key")
        except (OSError, csv.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            unreadable.append(f"{path}: {reason}")
    return shown, unreadable


def _sources(results: Path, everything: Iterable[Made]) -> list[Path]:
    """Folders that the sources ``labels`` were read from; relative ones count from the folder of the results."""
    sources = (one for one in everything if one.study is not None and one.stage == "source")
    places = [one.record.get("settings", {}).get("at") for one in sources if one.path.name == LABELS]
    return [results.parent / at for at in places if isinstance(at, str)]
