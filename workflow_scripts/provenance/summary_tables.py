"""The tables of a study's summary, each row with the files that it was computed from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import read_object
from workflow_scripts.provenance.nodes import Node
from workflow_scripts.provenance.run_metadata import value_text

SUMMARY = "summary"  # the stage
CONTRASTS = "contrasts"
NAMED = ("contrast", "run", "method", "augmentation", "backbone", "tag", "step", "dataset", "metric", "level")
KINDS = {"rows": ".parquet", CONTRASTS: ".contrasts.parquet"}


@dataclass(frozen=True)
class Row:
    """One row: its values by column, and file (``<stage>/<name><suffix>``) -> sha256 of the file's manifest."""

    values: Mapping[str, Any]
    files: Mapping[str, str]


def read_rows(summary: Node, kind: str) -> list[Row]:
    """The rows of a summary's table of this kind (see :data:`KINDS`).

    Raises:
        PipelineError: the table or the list of its sources is missing or damaged.
    """
    import pyarrow.parquet as pq

    try:
        listed = read_object(summary.file(".sources.json"))
        files = [(str(one["file"]), str(one["manifest_sha256"])) for one in listed["files"]]
        rows = pq.read_table(summary.file(KINDS[kind])).to_pylist()
        return [
            Row(row, dict(files[number] for number in numbers)) for row, numbers in zip(rows, listed[kind], strict=True)
        ]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        value = f"{type(error).__name__}: {error}"
        raise PipelineError("damaged table", summary.path, value, "see faithful-pairs audit") from None


def has_verdict(values: Mapping[str, Any]) -> bool:
    """Whether a row is the one with the verdict of a primary contrast."""
    return bool(values.get("verdict")) and bool(values.get("primary"))


def title_of(values: Mapping[str, Any]) -> str:
    """What a row is about: ``run=... dataset=... metric=...``, for people."""
    return " ".join(f"{name}={value_text(values[name])}" for name in NAMED if values.get(name))
