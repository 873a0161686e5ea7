"""Rows of the summary's tables, and the artifacts that each was computed from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.bounded_json import read_object
from workflow_scripts.provenance.nodes import Input, Node, read_node

TABLES = {".parquet": "rows", ".csv": "rows", ".contrasts.parquet": "contrasts", ".contrasts.csv": "contrasts"}


@dataclass(frozen=True)
class Cell:
    """One row of a table: its values by column, and the artifacts that it was computed from."""

    row: dict[str, Any]
    sources: tuple[Input, ...]


def cells(summary: Node, suffix: str, wanted: Mapping[str, str]) -> list[Cell]:
    """The rows of ``summary``'s table whose columns have the ``wanted`` values.

    Raises:
        PipelineError: the file is none of the summary's tables, a column is not there, or no row has these values.
    """
    import pyarrow.parquet as pq

    kind = TABLES.get(suffix) if summary.stage == "summary" else None
    if kind is None:
        advice = f"rows can be selected in summary/summary with {', '.join(TABLES)}"
        raise PipelineError("not a table of the summary", summary.path, suffix or "the artifact", advice)
    try:
        listed = read_object(summary.file(".sources.json"))
        rows = pq.read_table(summary.file(".parquet" if kind == "rows" else ".contrasts.parquet")).to_pylist()
        _check_columns(rows, wanted, summary.file(suffix))
        found = []
        for row, numbers in zip(rows, listed[kind], strict=True):
            if all(str(row[column]) == value for column, value in wanted.items()):
                sources = {listed["files"][number]["file"]: listed["files"][number] for number in numbers}
                found.append(Cell(row, tuple(_source(summary, one) for one in sources.values())))
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        value = f"{type(error).__name__}: {error}"
        raise PipelineError("damaged table", summary.path, value, "see faithful-pairs audit") from None
    if not found:
        value = " ".join(f"{column}={text}" for column, text in wanted.items())
        raise PipelineError("no matching row", summary.file(suffix), value, _choices(rows, wanted))
    return found


def _check_columns(rows: list[dict[str, Any]], wanted: Mapping[str, str], where: Path) -> None:
    columns = list(rows[0]) if rows else []
    for column in wanted:
        if column not in columns:
            raise PipelineError("unknown column", where, column, f"it has {', '.join(columns) or 'no rows'}")


def _choices(rows: list[dict[str, Any]], wanted: Mapping[str, str]) -> str:
    """Advice: values of the first column that no row has."""
    for column, value in wanted.items():
        there = sorted({str(row[column]) for row in rows})
        if value not in there:
            return f"{column} is one of {', '.join(there[:20])}{' ...' if len(there) > 20 else ''}"
    return "each value occurs, but no row has all of them"


def _source(summary: Node, listed: Mapping[str, str]) -> Input:
    """The artifact behind a file of the summary's list: ``<stage>/<name><suffix>`` with its manifest's hash."""
    stage, _, name = listed["file"].partition("/")
    while name:
        path = summary.study / stage / f"{name}{MANIFEST}"
        if path.is_file():
            return Input(stage, listed["manifest_sha256"], path, read_node(path))
        name = name.rpartition(".")[0]
    return Input(stage, listed["manifest_sha256"], None, None)
