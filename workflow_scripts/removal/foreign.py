"""What lies in a study's folder, or in the project's own folders, and is not the project's own.

Nobody knows what such a file shows, so it is neither deleted nor passed over in silence.
"""

import csv
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.files.copies import NETWORKS
from workflow_scripts.core.files.names import (
    BROWSE,
    CACHE,
    COPIES,
    CRATE,
    FETCHED,
    LABEL_KEY,
    LABELS,
    LOGS,
    STAGING,
    WORK,
)
from workflow_scripts.core.files.rating_files import RATING_COLUMNS
from workflow_scripts.removal.deletion import entries_below, is_artifact_file, may_delete
from workflow_scripts.study.config.stages import stage_names

DEPTH = 2  # of entries in the project's own folders: <stage>/<key>
SHOWN = 20  # files of a folder that are named one by one


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
