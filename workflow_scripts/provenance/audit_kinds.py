"""What an audit can find, and how it says so."""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Kind(Enum):
    """A kind of fault, or (:attr:`note`) something to know that is no fault: name, meaning, what to do."""

    MISSING_FILE = ("missing-file", "a data file that the manifest names is gone", "force")
    WRONG_SIZE = ("wrong-size", "a data file is shorter or longer than recorded", "force")
    WRONG_CONTENT = ("wrong-content", "a data file has the recorded size but other bytes", "force")
    SWAPPED_FILE = ("swapped-file", "a data file has the bytes that are recorded for another one", "force")
    UNREADABLE = ("unreadable", "the disk or a permission keeps a file from being read", "check disk and permissions")
    UNNAMED_FILE = ("unnamed-file", "no manifest names the file", "move it out of the study, or delete it")
    MISSING_MANIFEST = ("missing-manifest", "a run record stands there without its manifest", "force")
    BROKEN_MANIFEST = ("broken-manifest", "a manifest is no manifest any more", "force")
    EDITED_MANIFEST = ("edited-manifest", "a manifest is not the one that the run record was written for", "force")
    MISSING_RECORD = ("missing-record", "a manifest stands there without its run record", "force")
    BROKEN_RECORD = ("broken-record", "a run record is no JSON any more", "force")
    EDITED_RECORD = ("edited-record", "a run record does not have the digest that it states of itself", "force")
    MISPLACED = ("misplaced", "a manifest or run record belongs to another artifact", "force")
    MISSING_INPUT = ("missing-input", "an input that the run record names is gone", "run snakemake")
    CHANGED_INPUT = ("changed-input", "an input is not the one that was read: it was made again since", "run snakemake")
    CHANGED_SOURCE = ("changed-source", "a thing from outside is not what was hashed", "force")
    OTHER_CODE = ("other-code", "made by code other than today's", "run snakemake, or see tools.accept")
    OTHER_SETTINGS = ("other-settings", "made with settings other than today's config has", "run snakemake")
    ACCEPTED = ("accepted", "code counts as other code, since someone vouched for the edit with tools.accept", "")
    NOT_HERE = ("source-not-here", "a thing from outside is not on this machine, so it was not compared", "")
    NO_CONFIG = ("settings-not-compared", "no config is known for the study", "give --configfile")
    OUTSIDE = ("not-behind-the-report", "artifacts that the report was not made from, so outside the root hash", "")

    def __init__(self, label: str, meaning: str, repair: str) -> None:
        self.label, self.meaning, self.repair = label, meaning, repair

    @property
    def note(self) -> bool:
        """Whether it is to be known, but no fault."""
        return self in (Kind.ACCEPTED, Kind.NOT_HERE, Kind.NO_CONFIG, Kind.OUTSIDE)


@dataclass(frozen=True, order=True)
class Finding:
    """One thing found.

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
    """A finding; ``manifest`` is what Snakemake has to make again where that is the remedy."""
    advice = kind.repair
    if advice == "force":
        advice = f"make it again: snakemake --force {manifest}" if manifest else "make the artifact again"
    return Finding(path, kind.label, detail, advice)
