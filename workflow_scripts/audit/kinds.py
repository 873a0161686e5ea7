"""The kinds of findings of an audit."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from workflow_scripts.core.artifact import command_for

RECOMPUTE = "recompute the artifact"


class Kind(StrEnum):
    """A kind of fault, or of what is none (:attr:`note`, :attr:`STALE`): name, meaning, what to do."""

    MISSING = "missing", "a file, an artifact or an input that is recorded is missing", "run snakemake"
    CHANGED_FILE = "changed-file", "a data file does not have the recorded bytes", RECOMPUTE
    UNREADABLE = (
        "unreadable",
        "a disk error, a missing permission, or a folder, FIFO, socket or device in its place prevents reading a file",
        "check disk and permissions, or remove what is in its place",
    )
    LINK = (
        "link",
        "a symbolic link inside a results folder",
        "put the file itself there; link the results folder instead",
    )
    UNNAMED = (
        "unnamed",
        "no manifest names the file or folder, or no run made the artifact",
        "move it out of the study, or delete it",
    )
    EDITED_RECORD = "edited-record", "a manifest or run record is not the one that was written", RECOMPUTE
    IMPOSSIBLE_TIME = "impossible-time", "a time lies in the future, or an end before its start", "check the clock"
    STALE = (
        "stale",
        "made from other inputs, or with other code or settings, than the current ones",
        "run snakemake, or see faithful-pairs accept",
    )
    CHANGED_SOURCE = "changed-source", "an external source is not what was hashed", RECOMPUTE
    DAMAGED_NOTE = (
        "damaged-note",
        "the note of the study's config and artifacts is missing, or it, the acceptances, a record of a copy, or a "
        "file of ratings is damaged",
        "see docs/audit.md",
    )
    DAMAGED_STORE = (
        "damaged-store",
        "an entry of the cache or a segment of the store of fetched bytes is damaged; it is never used",
        "check the disk; an entry of the cache can be deleted",
    )
    BROKEN_CRATE = "broken-crate", "the crate is damaged, or describes another state of the study", "write it again"
    ACCEPTED = (
        "accepted",
        "code counts as other code, since someone vouched for the edit with faithful-pairs accept",
        "",
    )
    NOT_COMPARED = "not-compared", "a source, the current settings or the cache is not here to compare with", ""
    OUTSIDE = "not-behind-the-report", "artifacts that the report does not depend on, so outside the root hash", ""
    LEFTOVER = (
        "leftover",
        "a partial file of a killed process, or a deleted file that a process still has open",
        "delete it when no job is running",
    )

    meaning: str
    repair: str

    def __new__(cls, label: str, meaning: str, repair: str) -> "Kind":
        """A member whose value is its label."""
        kind = str.__new__(cls, label)
        kind._value_, kind.meaning, kind.repair = label, meaning, repair
        return kind

    @property
    def note(self) -> bool:
        """Whether this is only information."""
        return self in (Kind.ACCEPTED, Kind.NOT_COMPARED, Kind.OUTSIDE, Kind.LEFTOVER)

    @property
    def fault(self) -> bool:
        """Whether something is damaged or unnamed: neither a note nor stale, which the next run repairs."""
        return not self.note and self is not Kind.STALE


@dataclass(frozen=True, order=True)
class Finding:
    """A finding.

    Attributes:
        path: the file that it is about.
        detail: what was expected and what is there.
        advice: what to do.
        owner: the manifest of the artifact that it concerns; ``path`` where it belongs to none.
    """

    path: Path
    kind: Kind
    detail: str
    advice: str
    owner: Path = field(compare=False)


def finding(kind: Kind, path: Path, detail: str, owner: Path | None = None) -> Finding:
    """A finding; Snakemake must make ``owner`` again, if that is the remedy."""
    forced = owner is not None and (kind is Kind.MISSING or kind.repair == RECOMPUTE)
    advice = f"recompute it: {command_for(owner)}" if owner and forced else kind.repair
    return Finding(path, kind, detail, advice, owner or path)
