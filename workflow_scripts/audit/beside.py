"""What lies in a study's folder for people, without a manifest: label sheets, ratings, and records of copies."""

from collections.abc import Iterator
from pathlib import Path

from workflow_scripts.audit.kinds import Finding, Kind, finding
from workflow_scripts.audit.scan import Scan
from workflow_scripts.core.files.names import COPIES, LABELS

RECORDS = (".csv", ".parquet")  # in ``copies``


def beside(study: Path, scanned: Scan) -> set[Path]:
    """The two folders and the files in them that may be there."""
    labels, copies = study / LABELS, study / COPIES
    files = {path for path in scanned.files if labels in path.parents}
    records = {path for path in scanned.files if path.parent == copies and path.suffix in RECORDS}
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
                yield finding(Kind.BROKEN_NOTE, path, detail)
    odd = any(path.is_relative_to(study / LABELS) for path in scanned.odd)  # a FIFO would block the reader
    if not odd and any(path.parent == study / LABELS for path in sound):
        from workflow_scripts.captions.labels.reading import damage

        for path, detail in damage(study / LABELS):
            yield finding(Kind.BROKEN_NOTE, path, detail)
