"""The input artifacts of a report, by input name, and how the page cites them."""

import hashlib
import json
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import MANIFEST, Artifact
from workflow_scripts.core.shards import images_of_keys
from workflow_scripts.reporting.settings import Report
from workflow_scripts.reporting.tables import Table as TableFile
from workflow_scripts.reporting.tables import stem
from workflow_scripts.reporting.text import arm_class
from workflow_scripts.reporting.thumbnails import thumbnail
from workflow_scripts.stats.seeds import derive

SHORT = 10  # hex digits shown of a sha256; the manifest has all of them
Row = dict[str, Any]
ENDS = ("value", "low", "high")
SEED = 0  # of the choice of examples
SAMPLE = 20_000  # rows from which examples are chosen
GROUPS = 8  # row groups that a sample is drawn from: 8 × 65,536 rows at most are read of any table
THUMBNAIL = 160  # longer side in pixels


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
    def shown(self) -> str:
        """The number and its interval, for a file."""
        return f"{self.text} {self.interval}".strip()

    @property
    def title(self) -> str:
        """The tooltip of the number."""
        if self.source is None:
            return self.rows
        where = f"{self.source.file} · sha256 {self.source.digest}…"
        return f"{where} · {self.rows}" if self.rows else where


def number_of(row: Row | None, written: Callable[[float], str], source: Source | None, where: str) -> Number:
    """The finite value of a row as ``written``, with its interval and ``n`` if it has them; a dash without a value."""
    if row is None or row["value"] is None or not math.isfinite(row["value"]):
        return Number("—")
    value, *ends = (None if row.get(end) is None else written(row[end]).replace("-", "−") for end in ENDS)
    interval = "" if None in ends else f"[{ends[0]}, {ends[1]}]"
    return Number(str(value), interval, source, f"{where}, n = {row['n']}" if row.get("n") else where)


@dataclass(frozen=True)
class TableLine:
    """A line of a table: who (run, or floor), colour class, step, cells."""

    name: str
    css: str
    step: str
    cells: list[Number]


@dataclass
class Table:
    """A table as the page shows it: caption, column heads, lines; ``file`` has the same as text, with a note."""

    title: str
    columns: list[str]
    lines: list[TableLine]
    note: str = ""
    file: TableFile = field(init=False)

    def __post_init__(self) -> None:
        rows = [[line.name, line.step, *(cell.shown for cell in line.cells)] for line in self.lines]
        name = stem("".join(char for char in self.title.lower() if char not in ",:"))
        self.file = TableFile(name, self.title, ["run", "step", *self.columns], rows, note=self.note)


def sample_rows(path: Path, columns: Sequence[str], use: str) -> list[Row]:
    """At most `SAMPLE` rows in table order, a seeded choice inside a seeded choice of row groups."""
    with pq.ParquetFile(path) as file:
        groups = sample_positions(file.num_row_groups, GROUPS, derive(SEED, "groups"), use)
        table = file.read_row_groups(groups, columns=list(columns))
    chosen = np.asarray(sample_positions(len(table), SAMPLE, SEED, use), dtype=np.int64)
    return list(table.take(chosen).to_pylist())


def rows_of(path: Path, column: str, keys: Collection[str], columns: list[str] | None = None) -> list[Row]:
    """The rows whose `column` is among `keys`, in table order; the table is scanned in batches."""
    if not keys:
        return []
    return list(pq.read_table(path, columns=columns, filters=[(column, "in", sorted(set(keys)))]).to_pylist())


def label(artifact: Artifact) -> str:
    """`<stage>/<name>`: the artifact's path relative to the study's folder, without suffix."""
    return f"{artifact.manifest['stage']}/{artifact.name}"


def labelled_sets(artifacts: Iterable[Artifact]) -> dict[str, tuple[int, int, int, int]]:
    """Name of each labelled set -> numbers of its images for training, validation and tests, and of its classes."""
    found = {}
    for artifact in artifacts:
        classes = json.loads(artifact.path(".json").read_bytes())["classes"]
        splits = pq.read_table(artifact.path(".parquet"), columns=["split"])["split"].to_pylist()
        train, validation, test = map(splits.count, ("train", "val", "test"))
        found[unit_of(artifact, "dataset")] = train, validation, test, len(classes)
    return found


def same_training(artifacts: Iterable[Artifact], among: Collection[str]) -> list[list[str]]:
    """Names of labelled sets, of those among ``among``, that have the same images for training and validation."""
    found: dict[str, list[str]] = {}
    for artifact in artifacts:
        name = unit_of(artifact, "dataset")
        if name in among:
            table = pq.read_table(artifact.path(".parquet"), columns=["sha256"], filters=[("split", "!=", "test")])
            hashes = sorted(table["sha256"].to_pylist()) or [name]  # no images are not the same images
            found.setdefault(hashlib.sha256("\n".join(hashes).encode()).hexdigest(), []).append(name)
    return [names for names in found.values() if len(names) > 1]


def paired_images(artifacts: Iterable[Artifact]) -> dict[str, tuple[int, int]]:
    """Name of each pair table -> number of its images that have a partner, and of all."""
    tables = [table for table in artifacts if table.rows]
    return {unit_of(table, "pairs"): (int(table.rows["out"]), int(table.rows["in"])) for table in tables}


def leaked_images(artifacts: Iterable[Artifact]) -> dict[str, tuple[int, int]]:
    """Name of each checked set -> number of its test images that equal a stored image, or nearly so, and of all."""
    checks = [json.loads(artifact.path(".json").read_bytes()) for artifact in artifacts]
    return {check["dataset"]: (check["identical"] + check["near"], check["test_images"]) for check in checks}


class Study:
    """Inputs by name, settings, and the artifacts that the page cites, in the order given, each with an anchor.

    Args:
        scores: the judges' scores, which can be thousands of artifacts; the page cites those of shown captions.
    """

    def __init__(
        self, given: Mapping[str, Sequence[Artifact]], settings: Report, scores: Sequence[Artifact] = ()
    ) -> None:
        self.given, self.settings, self.scores = given, settings, scores
        self._cited: dict[str, tuple[str, Artifact]] = {}  # label -> anchor, artifact
        for artifact in chain.from_iterable(given.values()):
            self._anchor(artifact)

    def _anchor(self, artifact: Artifact) -> str:
        return self._cited.setdefault(label(artifact), (f"a-{len(self._cited) + 1}", artifact))[0]

    def all(self, name: str) -> Sequence[Artifact]:
        """The input artifacts named `name`, possibly none."""
        return self.given.get(name, ())

    @cached_property
    def alike(self) -> list[list[str]]:
        """Evaluated sets that have the same images for training and validation."""
        return same_training(self.all("datasets"), self.settings.methods.datasets)

    def of_stage(self, stage: str) -> list[Artifact]:
        """The input artifacts of a stage, possibly none."""
        return [
            artifact for artifact in chain.from_iterable(self.given.values()) if artifact.manifest["stage"] == stage
        ]

    def one(self, name: str) -> Artifact | None:
        """The first input artifact named `name`, or None."""
        return next(iter(self.all(name)), None)

    def source(self, artifact: Artifact, suffix: str) -> Source:
        """How the page cites a file of an artifact, which joins the table of cited ones if it is not there."""
        entry = artifact.manifest["files"][suffix]
        return Source(f"{label(artifact)}{suffix}", str(entry["sha256"])[:SHORT], self._anchor(artifact))

    def manifest(self, artifact: Artifact) -> Source:
        """The manifest itself, for row counts."""
        return Source(f"{label(artifact)}{MANIFEST}", artifact.hash[:SHORT], self._anchor(artifact))

    def cited(self) -> list[Row]:
        """The table of cited artifacts."""
        return [
            {
                "anchor": anchor,
                "label": name,
                "stage": name.split("/")[0],
                "digest": artifact.hash[:SHORT],
                "rows_in": artifact.rows.get("in"),
                "rows_out": artifact.rows.get("out"),
                "dropped": dict(sorted(artifact.rows.get("dropped", {}).items())),
            }
            for name, (anchor, artifact) in self._cited.items()
        ]

    def table(self, artifact: Artifact, suffix: str = ".parquet") -> list[Row]:
        """All rows of a small table."""
        return list(pq.read_table(artifact.path(suffix)).to_pylist())

    def json(self, artifact: Artifact, suffix: str = ".json") -> Any:
        """A JSON file of an artifact."""
        return json.loads(artifact.path(suffix).read_bytes())

    def charts(self, artifacts: Sequence[Artifact]) -> list[Source]:
        """The charts that stages drew; the page links them, since each is as large as a section."""
        return [self.source(artifact, ".png") for artifact in artifacts if artifact.has(".png")]

    def thumbnails(self, keys: Sequence[str]) -> dict[str, str]:
        """key -> data: address, for the keys that the image index has."""
        index = self.one("images")
        if index is None or not keys:
            return {}
        images, at = images_of_keys(index, keys)
        return {key: thumbnail(images.image(row), THUMBNAIL) for key, row in at.items()}

    @cached_property
    def runs(self) -> dict[str, Row]:
        """run -> method, pairs, augmentation, seed, as the summary has them."""
        summary = self.one("summary")
        return {} if summary is None else {row["run"]: row for row in self.table(summary)}

    def method_and_pairs(self, run: str) -> tuple[str, str]:
        """Method and pairs of a run; from its name (`<method>-<pairs>-…`) if the summary does not list it."""
        if run in self.runs:
            return self.runs[run]["method"], self.runs[run]["pairs"]
        method, pairs, *_ = *run.split("-"), ""
        return method, pairs

    def css(self, run: str) -> str:
        """The colour class of a run: that of its pairs."""
        return arm_class(self.method_and_pairs(run)[1])

    def labels(self, runs: Sequence[str], parts: Sequence[str]) -> dict[str, str]:
        """Run -> its ``parts`` (columns of the summary) that not all runs share, without ``none``; else its name."""
        known = {run: self.runs[run] for run in runs if run in self.runs}
        differing = [name for name in parts if len({row[name] for row in known.values()}) > 1]
        told = {run: [row[name] for name in differing] for run, row in known.items()}
        return {run: " ".join(part for part in told.get(run, ()) if part not in ("", "none")) or run for run in runs}


def sample_positions(rows: int, most: int, seed: int, *use: str) -> list[int]:
    """At most `most` distinct row numbers below `rows`, sorted."""
    if rows <= most:
        return list(range(rows))
    draw = np.random.default_rng(derive(seed, "report", *use))
    return sorted(int(at) for at in draw.choice(rows, size=most, replace=False))


def rows_by_key(artifact: Artifact, column: str, keys: Sequence[str]) -> dict[str, Row]:
    return {row[column]: row for row in rows_of(artifact.path(".parquet"), column, keys)}


def unit_of(artifact: Artifact, name: str) -> str:
    return artifact.unit.get(name, artifact.name)
