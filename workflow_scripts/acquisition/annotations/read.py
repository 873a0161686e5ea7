"""Annotation rows of a RedCaps zip: kept rows in canonical order, and unused rows separately."""

from itertools import groupby
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pyarrow as pa

from workflow_scripts.acquisition.annotations.counting import APART, Counts, Filter, batches
from workflow_scripts.acquisition.annotations.rows import ROWS, Apart, is_cut, is_listed, read_row, removed
from workflow_scripts.acquisition.annotations.zip_reader import Member, members, read_member
from workflow_scripts.acquisition.shards.parquet import TableWriter
from workflow_scripts.core.errors import PipelineError

ROW_GROUP = 65_536
ADVICE = {"": "widen annotations.years or annotations.subreddits"}


def gather(zip_path: Path, wanted: Filter, max_bytes: int, max_chars: int, kept: Path, apart: Path) -> dict[str, Any]:
    """Write the kept rows to ``kept`` (sorted by subreddit, year, image_id) and the others to ``apart``.

    Memory holds the rows of one subreddit at a time, besides 8 bytes for each image id. The order of the files in
    the zip does not matter: of a repeated id, the first row by subreddit, file name and position is kept.

    Args:
        max_bytes: maximum unpacked size of a file in the zip.
        max_chars: maximum length of a caption; longer ones are cut.

    Returns:
        Counts: see :meth:`workflow_scripts.acquisition.annotations.counting.Counts.summary`.

    Raises:
        PipelineError: the zip or a file is not RedCaps', a subreddit is unknown, or no row is kept.
    """
    found = members(zip_path)
    _check_subreddits(zip_path, wanted, found)
    counts = Counts()
    with ZipFile(zip_path) as archive, TableWriter(kept, ROWS) as keep, TableWriter(apart, APART) as other:
        for _, files in groupby(found, lambda member: member.subreddit):
            good, bad = [ROWS.empty_table()], [APART.empty_table()]
            for member in files:
                for raw_rows in batches(read_member(archive, member, max_bytes)):
                    rows, reasons = _judge(raw_rows, member, wanted, max_chars)
                    cut = [why is None and is_cut(raw, max_chars) for raw, why in zip(raw_rows, reasons, strict=True)]
                    used, unused = counts.add(rows, reasons, cut)
                    good.append(pa.Table.from_pylist(used, schema=ROWS))
                    bad.append(unused)
            _write(keep, pa.concat_tables(good).sort_by([("year", "ascending"), ("image_id", "ascending")]))
            _write(other, pa.concat_tables(bad))
        return counts.summary(zip_path, ADVICE)


def _write(writer: TableWriter, table: pa.Table) -> None:
    for start in range(0, len(table), ROW_GROUP):
        writer.write(table.slice(start, ROW_GROUP))


def _check_subreddits(zip_path: Path, wanted: Filter, found: list[Member]) -> None:
    missing = (wanted.subreddits or frozenset()) - {member.subreddit for member in found}
    if missing:
        advice = "correct annotations.subreddits; use the names of the files in the zip"
        raise PipelineError("unknown subreddit", zip_path, ", ".join(sorted(missing)), advice)


def _judge(
    raw_rows: list[Any], member: Member, wanted: Filter, max_chars: int
) -> tuple[list[dict[str, Any]], list[Apart | None]]:
    rows, reasons = [], []
    for raw in raw_rows:
        row, reason = read_row(raw, member.subreddit, member.year, max_chars)
        if wanted.removal and is_listed(row, wanted.removal):
            row, reason = removed(row), Apart.EXCLUDED
        rows.append(row)
        reasons.append(reason or wanted.reason(row))
    return rows, reasons
