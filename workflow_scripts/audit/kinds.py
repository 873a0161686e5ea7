"""The kinds of findings of an audit."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Kind(Enum):
    """A kind of fault, or (:attr:`note`) information that is not a fault: name, meaning, what to do."""

    MISSING_FILE = ("missing-file", "a data file that the manifest names is missing", "force")
    WRONG_SIZE = ("wrong-size", "a data file is shorter or longer than recorded", "force")
    WRONG_CONTENT = ("wrong-content", "a data file has the recorded size but other bytes", "force")
    SWAPPED_FILE = ("swapped-file", "a data file has the bytes that are recorded for another one", "force")
    UNREADABLE = (
        "unreadable",
        "a disk error or missing permission prevents reading a file",
        "check disk and permissions",
    )
    NOT_A_FILE = (
        "not-a-file",
        "a folder, FIFO, socket or device where only files can be",
        "remove it, then run snakemake",
    )
    LINK = (
        "link",
        "a symbolic link inside a results folder",
        "put the file itself there; link the results folder instead",
    )
    UNNAMED_FILE = ("unnamed-file", "no manifest names the file or folder", "move it out of the study, or delete it")
    MISSING_MANIFEST = ("missing-manifest", "a run record without its manifest", "force")
    BROKEN_MANIFEST = ("broken-manifest", "a manifest is malformed", "force")
    EDITED_MANIFEST = ("edited-manifest", "a manifest is not the one that was written", "force")
    MISSING_RECORD = ("missing-record", "a manifest without its run record", "force")
    BROKEN_RECORD = ("broken-record", "a run record is malformed", "force")
    EDITED_RECORD = ("edited-record", "a run record is not the one that was written", "force")
    MISPLACED = ("misplaced", "a manifest or run record belongs to another artifact", "force")
    IMPOSSIBLE_TIME = ("impossible-time", "a time lies in the future, or an end before its start", "check the clock")
    CYCLE = ("cycle", "run records say that artifacts were made from each other", "force")
    UNKNOWN_ARTIFACT = (
        "unknown-artifact",
        "no run made the artifact: it is neither noted nor in the cache",
        "move its files out of the study",
    )
    MISSING_ARTIFACT = ("missing-artifact", "an artifact that was finished is missing", "run snakemake")
    MISSING_INPUT = ("missing-input", "an input that the run record names is missing", "run snakemake")
    CHANGED_INPUT = ("changed-input", "an input is not the one that was read: it was recomputed since", "run snakemake")
    CHANGED_SOURCE = ("changed-source", "an external source is not what was hashed", "force")
    OTHER_CODE = ("other-code", "made by code that is not current", "run snakemake, or see faithful-pairs accept")
    OTHER_SETTINGS = ("other-settings", "made with settings that differ from the current config", "run snakemake")
    BROKEN_NOTE = (
        "broken-note",
        "a note of the study's config, artifacts or acceptances, a record of a copy, or a file of ratings is damaged",
        "see docs/provenance.md",
    )
    MISSING_NOTE = (
        "missing-note",
        "the study has no note of its config and artifacts",
        "start snakemake -n, or give --configfile",
    )
    DAMAGED_CACHE = (
        "damaged-cache",
        "a cache entry is damaged; it is never used, but recomputed",
        "delete the entry's folder",
    )
    DAMAGED_STORE = (
        "damaged-store",
        "bytes, lines or index of a segment of the store of fetched bytes are damaged",
        "check the disk",
    )
    BROKEN_CRATE = ("broken-crate", "the study's crate has a fault", "write it again: snakemake crate")
    ACCEPTED = (
        "accepted",
        "code counts as other code, since someone vouched for the edit with faithful-pairs accept",
        "",
    )
    NOT_HERE = ("source-not-here", "an external source is not on this machine, so it was not compared", "")
    NO_CONFIG = (
        "settings-not-compared",
        "the current config is not known, so settings were not compared",
        "give --configfile",
    )
    NO_CACHE = ("cache-not-compared", "artifacts have no cache entry to compare them with", "")
    OUTSIDE = ("not-behind-the-report", "artifacts that the report does not depend on, so outside the root hash", "")
    NFS = ("nfs-file", "a deleted file that a process still has open", "")
    LEFTOVER = ("leftover", "a partial file of a killed process", "delete it when no job is running")

    def __init__(self, label: str, meaning: str, repair: str) -> None:
        self.label, self.meaning, self.repair = label, meaning, repair

    @property
    def note(self) -> bool:
        """Whether this is information rather than a fault."""
        return self in _NOTES


_NOTES = frozenset((Kind.ACCEPTED, Kind.NOT_HERE, Kind.NO_CONFIG, Kind.NO_CACHE, Kind.OUTSIDE, Kind.NFS, Kind.LEFTOVER))


@dataclass(frozen=True, order=True)
class Finding:
    """A finding.

    Attributes:
        path: the file that it is about.
        label: the kind's name.
        detail: what was expected and what is there.
        advice: what to do.
    """

    path: Path
    label: str
    detail: str
    advice: str

    @property
    def kind(self) -> Kind:
        """Its kind."""
        return BY_LABEL[self.label]


BY_LABEL = {kind.label: kind for kind in Kind}


def finding(kind: Kind, path: Path, detail: str, manifest: Path | None = None) -> Finding:
    """A finding; ``manifest`` is the file that Snakemake must make again, if that is the remedy."""
    advice = kind.repair
    if advice == "force":
        advice = f"recompute it: snakemake --force {manifest}" if manifest else "recompute the artifact"
    return Finding(path, kind.label, detail, advice)
