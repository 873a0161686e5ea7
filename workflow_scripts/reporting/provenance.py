"""Where the page's numbers come from: files of artifacts, cited by relative path and hash."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workflow_scripts.core.artifact import MANIFEST

SHORT = 10  # hex digits shown of a sha256; the manifest has all of them


@dataclass(frozen=True)
class Record:
    """An artifact that the page was made from: `label` is `<stage>/<name>`, `digest` its manifest's sha256."""

    label: str
    digest: str
    manifest: dict[str, Any]


@dataclass(frozen=True)
class Source:
    """One file of one artifact: path relative to the study's folder, short sha256, anchor in the page's table."""

    file: str
    digest: str
    anchor: str


@dataclass(frozen=True)
class Number:
    """A number as shown, with its interval (may be empty), its source, and which rows of the file it is from."""

    text: str
    interval: str = ""
    source: Source | None = None
    rows: str = ""

    @property
    def title(self) -> str:
        """The tooltip of the number."""
        if self.source is None:
            return self.rows
        where = f"{self.source.file} · sha256 {self.source.digest}…"
        return f"{where} · {self.rows}" if self.rows else where


@dataclass(frozen=True)
class ArtifactRow:
    """A line of the table of artifacts."""

    anchor: str
    stage: str
    label: str
    digest: str
    rows_in: int | None
    rows_out: int | None
    dropped: dict[str, int]


class ArtifactIndex:
    """All artifacts that the page was made from, in the order given, each with an anchor."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records: dict[str, Record] = {}
        self._anchors: dict[str, str] = {}
        for one in records:
            self.add(one)

    def add(self, record: Record) -> None:
        """Take an artifact into the table, if it is not there."""
        if record.label not in self._records:
            self._records[record.label] = record
            self._anchors[record.label] = f"a-{len(self._records)}"

    def source(self, label: str, suffix: str) -> Source:
        """The file `<label><suffix>`. Raises KeyError when no such artifact was given to the page."""
        entry = self._records[label].manifest["files"][suffix]
        return Source(f"{label}{suffix}", str(entry["sha256"])[:SHORT], self._anchors[label])

    def manifest(self, label: str) -> Source:
        """The manifest itself, for row counts."""
        record = self._records[label]
        return Source(f"{label}{MANIFEST}", record.digest[:SHORT], self._anchors[label])

    def rows(self) -> list[ArtifactRow]:
        """The table of artifacts."""
        return [self._row(record) for record in self._records.values()]

    def _row(self, record: Record) -> ArtifactRow:
        rows = record.manifest.get("rows") or {}
        return ArtifactRow(
            anchor=self._anchors[record.label],
            stage=record.label.split("/")[0],
            label=record.label,
            digest=record.digest[:SHORT],
            rows_in=rows.get("in"),
            rows_out=rows.get("out"),
            dropped={str(reason): int(n) for reason, n in sorted((rows.get("dropped") or {}).items())},
        )
