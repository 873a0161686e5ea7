"""Lists everything in a study's folder, and what there can't be part of a study."""

import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from workflow_scripts.audit.kinds import Finding, Kind, finding
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.files.bounded_json import kind_of
from workflow_scripts.core.files.names import COPIES, CRATE, LABELS, LOGS

BESIDE = (LOGS, "benchmarks", CRATE)  # folders of a study without artifacts
AHEAD = 300.0  # seconds by which clocks of a cluster may differ
_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{32}\.part|\.nfs[0-9a-f]+")


@dataclass
class Scan:
    """What is in a study's folder.

    Attributes:
        files: regular files, and links to such, with their status, in sorted order.
        empty: folders with nothing in them.
        found: what is wrong with an entry by itself, notes too.
        odd: entries with a fault; they are not checked further.
        closed: folders that can't be read.
    """

    files: dict[Path, os.stat_result] = field(default_factory=dict)
    empty: list[Path] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)
    odd: set[Path] = field(default_factory=set)
    closed: set[Path] = field(default_factory=set)

    def hides(self, path: Path) -> bool:
        """Whether nothing is known of ``path``, since it lies in a folder that can't be read."""
        return bool(self.closed) and path not in self.files and any(parent in self.closed for parent in path.parents)

    def tell(self, kind: Kind, path: Path, detail: str) -> None:
        """Add a finding."""
        self.found.append(finding(kind, path, detail))
        if not kind.note:
            self.odd.add(path)


def scan(study: Path) -> Scan:
    """Visit every entry once. Links are reported and followed, so that they hide nothing; no file is opened."""
    seen: set[tuple[int, int]] = set()
    found, waiting = Scan(), [study]
    if not os.path.lexists(study):
        return found
    if study.is_symlink():
        found.tell(Kind.LINK, study, f"leads to {os.readlink(study)}")
    while waiting:
        folder = waiting.pop()
        entries = _entries(folder, found, seen)
        for name in entries or ():
            path = folder / name
            if not (folder == study and name in BESIDE):
                _look(path, found, waiting)
            elif path.is_symlink():
                _followed(path, found)
        if entries == []:
            found.empty.append(folder)
    found.files = dict(sorted(found.files.items()))
    return found


def _entries(folder: Path, found: Scan, seen: set[tuple[int, int]]) -> list[str] | None:
    """Names in a folder; None when they can't be read, or were read under another name."""
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return None
        seen.add((status.st_dev, status.st_ino))
        names = sorted(os.listdir(folder), reverse=True)
    except OSError as error:
        found.tell(Kind.UNREADABLE, folder, str(error.strerror))
        found.closed.add(folder)
        return None
    if status.st_mode & 0o500 != 0o500:
        found.tell(Kind.UNREADABLE, folder, f"mode {stat.S_IMODE(status.st_mode):o} denies access to its owner")
    return names


def _look(path: Path, found: Scan, waiting: list[Path]) -> None:
    try:
        status = path.lstat()
    except OSError as error:
        found.closed.add(path.parent)
        if path.parent not in found.odd:
            found.tell(Kind.UNREADABLE, path, str(error.strerror))
        return
    if stat.S_ISLNK(status.st_mode):
        status = _followed(path, found) or status
    elif stat.S_ISREG(status.st_mode) and _LEFTOVER.fullmatch(path.name):
        found.tell(Kind.LEFTOVER, path, f"{status.st_size} bytes")
        return
    if stat.S_ISDIR(status.st_mode):
        if path.name.endswith((MANIFEST, RUN)) and path not in found.odd:
            found.tell(Kind.UNREADABLE, path, "it is a folder")
        waiting.append(path)
    elif stat.S_ISREG(status.st_mode):
        found.files[path] = status
        _check_file(path, status, found)
    elif path not in found.odd:
        found.tell(Kind.UNREADABLE, path, f"it is {kind_of(status.st_mode)}")


def _followed(path: Path, found: Scan) -> os.stat_result | None:
    try:
        target, status = os.readlink(path), path.stat()
    except OSError as error:
        found.tell(Kind.LINK, path, f"leads nowhere ({error.strerror})")
        return None
    found.tell(Kind.LINK, path, f"leads to {target}")
    return status


def _check_file(path: Path, status: os.stat_result, found: Scan) -> None:
    if path in found.odd:
        return
    if not status.st_mode & stat.S_IRUSR:
        found.tell(Kind.UNREADABLE, path, f"mode {stat.S_IMODE(status.st_mode):o} denies access to its owner")
    elif status.st_mtime > time.time() + AHEAD:
        found.tell(Kind.IMPOSSIBLE_TIME, path, "its modification time is in the future")


def beside(study: Path, scanned: Scan) -> set[Path]:
    """What lies in a study's folder for people, without a manifest: label sheets, ratings, and records of copies."""
    labels, copies = study / LABELS, study / COPIES
    files = {path for path in scanned.files if labels in path.parents}
    records = {path for path in scanned.files if path.parent == copies and path.suffix in (".csv", ".parquet")}
    return {*files, *records} | ({labels, copies} - scanned.files.keys())


def beside_findings(study: Path, scanned: Scan) -> Iterator[Finding]:
    """Damaged records of copies, whose names are hashes of what they hold, and damaged keys and ratings."""
    sound = beside(study, scanned) & scanned.files.keys() - scanned.odd
    records = [path for path in sorted(sound) if path.parent == study / COPIES]
    if records:
        # Not before: loading it takes longer than auditing a small study.
        from workflow_scripts.core.files.copies import is_intact

        for path in records:
            try:
                detail = "" if is_intact(path) else "it does not hold what its name is the hash of"
            except OSError as error:
                detail = str(error)
            if detail:
                yield finding(Kind.DAMAGED_NOTE, path, detail)
    odd = any(path.is_relative_to(study / LABELS) for path in scanned.odd)  # a FIFO would block the reader
    if not odd and any(path.parent == study / LABELS for path in sound):
        from workflow_scripts.captions.labels.reading import damage

        for path, detail in damage(study / LABELS):
            yield finding(Kind.DAMAGED_NOTE, path, detail)
