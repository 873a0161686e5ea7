"""Finds what is named, not removed: people's files that show removed rows, and files that nobody knows.

Those are label sheets, exported pages, and networks that learned from the rows: ratings are people's work, and pages
and networks may have been published. And nobody knows what a file shows that is not the project's own.
"""

import csv
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel

from workflow_scripts.acquisition.annotations.removal_tokens import id_token
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.files.copies import NETWORKS, read_network
from workflow_scripts.core.files.names import (
    BROWSE,
    CACHE,
    COPIES,
    CRATE,
    FETCHED,
    LABEL_KEY,
    LABELS,
    LOGS,
    RATING_COLUMNS,
    REMOVED,
    STAGING,
    WORK,
)
from workflow_scripts.core.files.notes import read_note, write_note
from workflow_scripts.provenance.lineage import Made
from workflow_scripts.removal.deletion import entries_below, is_artifact_file, may_delete
from workflow_scripts.study.config.stages import stage_names

DEPTH = 2  # of entries in the project's own folders: <stage>/<key>
SHOWN = 20  # files of a folder that are named one by one
LARGEST = 1 << 30  # bytes, with 70 for each id
_ADVICE = "restore it from a copy; without it, sheets, pages and networks may be missed whose records are missing too"


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


class Learned(NamedTuple):
    """A network that learned from removed images.

    Attributes:
        record: the file that says so; it may be missing by now.
        folder: where the network was written.
        weights: sha256 of its file of weights.
        keys: of the removed images; empty if the record is missing.
        ids: tokens of these keys.
    """

    record: Path
    folder: Path
    weights: str
    keys: list[str]
    ids: list[str]


def networks_of(
    results: Path, ids: Collection[str], noted: Mapping[str, tuple[str, str, list[str]]]
) -> tuple[list[Learned], list[str]]:
    """Networks of any study that learned from removed images; and the records that can't be read, and why.

    Args:
        ids: tokens of the ids of the removed images.
        noted: networks that were found before, whose record may be missing by now, by record.
    """
    found, unread = [], []
    records = sorted(results.glob(f"*/{COPIES}/*{NETWORKS}"))
    for path in records:
        try:
            network = read_network(path)
        except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors too
            unread.append(f"{path}: {error}")
            continue
        removed = {key: token for key in network.keys if (token := id_token(key)) in ids}
        if removed:
            found.append(Learned(path, network.folder, network.weights, list(removed), sorted(removed.values())))
    missing = {name: network for name, network in noted.items() if results / name not in records}
    for name, (folder, weights, tokens) in sorted(missing.items()):
        if learned := sorted(token for token in tokens if token in ids):
            found.append(Learned(results / name, Path(folder), weights, [], learned))
    return found, unread


class Known(BaseModel):
    """The note on a study's removed rows, beside that of its config.

    Files that show an image are found by its id, and the tables that hold the id are deleted by the first removal. So
    the tokens of ids, and what was found to show them, are on disk before anything is deleted, and every call compares
    again.

    Attributes:
        ids: tokens of their image ids.
        sheets: path of a label sheet or exported page that showed one -> its key or record.
        networks: record of an exported network that learned from some -> its folder, the sha256 of its weights and the
            tokens of their ids.
    """

    ids: set[str] = set()
    sheets: dict[str, str] = {}
    networks: dict[str, tuple[str, str, list[str]]] = {}


def note_of(results: Path, study: str) -> Path:
    """The file with what is known."""
    return results / REMOVED / f"{study}.json"


def read_known(results: Path, study: str) -> Known:
    """What earlier removals found.

    Raises:
        PipelineError: the note is damaged.
    """
    path = note_of(results, study)
    return Known.model_validate(read_note(path, _ADVICE, LARGEST))


def write_known(results: Path, study: str, known: Known) -> None:
    """Keep what is known; on disk when this returns."""
    if known != Known():
        write_note(note_of(results, study), known.model_dump() | {"ids": sorted(known.ids)})


def foreign_in(results: Path, study: str, named: Collection[Path]) -> list[str]:
    """Paths of what is not the project's own, or of a folder of it; a link stands for all that it leads to.

    Args:
        named: files of artifacts that are known to be made without the rows.
    """
    found = list(_of_study(results, results / study, frozenset(named)))
    for folder in (CACHE, WORK, BROWSE, FETCHED):
        found += _strange(results, results / folder, DEPTH)
    counts = Counter(path.parent for path in found)
    lines = [str(path) for folder in counts for path in [one for one in found if one.parent == folder][:SHOWN]]
    more = [f"{folder}: {count - SHOWN} more" for folder, count in counts.items() if count > SHOWN]
    return sorted(lines) + sorted(more)


def _of_study(results: Path, study: Path, named: frozenset[Path]) -> Iterator[Path]:
    if study.is_symlink():
        yield study
        return
    for path in sorted(study.iterdir()):
        if path.is_symlink() or not path.is_dir() or path.name not in {LABELS, COPIES, LOGS, CRATE, *stage_names()}:
            if not may_delete(results, path):
                yield path
            continue
        for file in entries_below(results, path):
            if file not in named and not _is_known(results, path.name, file):
                yield file


def _is_known(results: Path, folder: str, file: Path) -> bool:
    """Whether a file is the project's own, or is known to show no image, or is found by what it names."""
    if file.is_symlink():
        return False
    if folder == LABELS and file.parent.name == LABELS:
        return file.name.endswith(LABEL_KEY) or file.with_name(file.name + LABEL_KEY).is_file() or _holds_ratings(file)
    if folder == COPIES and file.parent.name == COPIES:
        return file.suffix in (".csv", NETWORKS)
    if folder in (LOGS, CRATE):
        return may_delete(results, file)
    return file.name.endswith((MANIFEST, RUN)) and is_artifact_file(folder, file.name)


def _holds_ratings(file: Path) -> bool:
    """Whether a file holds what a person rated, which names no image and no caption."""
    try:
        with open(file, encoding="utf-8-sig", newline="") as stream:
            return file.suffix == ".csv" and tuple(next(csv.reader(stream), ())) == RATING_COLUMNS
    except (OSError, ValueError, csv.Error):
        return False


def _strange(results: Path, path: Path, depth: int) -> Iterator[Path]:
    """Links and unknown things at most ``depth`` levels below a folder of the project's own."""
    if path.is_symlink():
        yield path
    elif depth and path.is_dir():
        own = depth == DEPTH or path.name == STAGING or not path.name.startswith(".")
        for inner in sorted(path.iterdir()) if own else ():  # others are hashes of sources and of imported URLs
            yield from _strange(results, inner, depth - 1)
    elif path.exists() and path.suffix != ".lock" and not may_delete(results, path):
        yield path
