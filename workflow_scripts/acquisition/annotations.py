"""All annotation rows of a RedCaps zip in one canonical order, and apart from them what is not used."""

from collections import Counter
from collections.abc import Collection, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa

from workflow_scripts.acquisition.annotation_rows import ROWS, Apart, host_of, read_row
from workflow_scripts.acquisition.annotation_zip import Member, members, read_member
from workflow_scripts.acquisition.parquet import TableWriter
from workflow_scripts.acquisition.seen import SeenIds
from workflow_scripts.core.errors import PipelineError

APART = ROWS.append(pa.field("reason", pa.string()))


class Filter:
    """The years and subreddits that a study is about; None keeps all."""

    def __init__(self, years: Collection[int] | None, subreddits: Collection[str] | None) -> None:
        self.years = None if years is None else frozenset(years)
        self.subreddits = None if subreddits is None else frozenset(name.lower() for name in subreddits)

    def reason(self, row: dict[str, Any]) -> Apart | None:
        """Why a well-formed row is not used, as far as the row alone can tell."""
        if self.subreddits is not None and row["subreddit"] not in self.subreddits:
            return Apart.FILTERED_SUBREDDIT
        if self.years is not None and row["year"] not in self.years:
            return Apart.FILTERED_YEAR
        if not (row["caption"] or "").strip():
            return Apart.EMPTY_CAPTION
        return None


def gather(zip_path: Path, wanted: Filter, max_bytes: int, kept: Path, apart: Path) -> dict[str, Any]:
    """Write the kept rows to ``kept`` (sorted by subreddit, year, image_id) and the others to ``apart``.

    Memory holds one subreddit at a time, besides 8 bytes for each image id. The order of the files in the zip
    changes nothing: of a repeated id the row stays that comes first by subreddit, file name and place.

    Returns:
        Counts: ``rows``, ``kept``, ``apart`` by reason, and of the kept rows ``hosts``, ``years``, ``subreddits``.

    Raises:
        PipelineError: a zip or file that is not RedCaps', an unknown subreddit, or nothing left to use.
    """
    found = members(zip_path)
    _check_subreddits(zip_path, wanted, found)
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("apart", "hosts", "years", "subreddits")}
    seen, total = SeenIds(), 0
    with TableWriter(kept, ROWS) as keep, TableWriter(apart, APART) as other:
        for subreddit, files in groupby(found, lambda member: member.subreddit):
            tables = []
            for member in files:
                rows, reasons = _judge(read_member(zip_path, member, max_bytes), member, wanted, seen)
                total += len(rows)
                tables.append(_kept(rows, reasons))
                other.write(_apart(rows, reasons))
                counts["apart"].update(str(reason) for reason in reasons if reason)
            table = pa.concat_tables(tables).sort_by([("year", "ascending"), ("image_id", "ascending")])
            keep.write(table)
            _count(table, subreddit, counts)
        if keep.rows == 0:
            value = f"0 of {total} rows ({dict(counts['apart'])})"
            raise PipelineError("no rows left", zip_path, value, "widen annotations.years or annotations.subreddits")
    return {"rows": total, "kept": keep.rows, **{name: dict(sorted(count.items())) for name, count in counts.items()}}


def _check_subreddits(zip_path: Path, wanted: Filter, found: list[Member]) -> None:
    missing = (wanted.subreddits or frozenset()) - {member.subreddit for member in found}
    if missing:
        advice = "correct annotations.subreddits; it takes the names of the files in the zip"
        raise PipelineError("no such subreddit", zip_path, ", ".join(sorted(missing)), advice)


def _judge(
    raw_rows: Iterator[Any], member: Member, wanted: Filter, seen: SeenIds
) -> tuple[list[dict[str, Any]], list[Apart | None]]:
    rows, reasons = [], []
    for raw in raw_rows:
        row, reason = read_row(raw, member.subreddit, member.year)
        rows.append(row)
        reasons.append(reason or wanted.reason(row))
    fit = [place for place, reason in enumerate(reasons) if reason is None]
    fresh = seen.first_seen([rows[place]["image_id"] for place in fit])
    for place, first in zip(fit, fresh, strict=True):
        reasons[place] = None if first else Apart.REPEATED_ID
    return rows, reasons


def _kept(rows: list[dict[str, Any]], reasons: list[Apart | None]) -> pa.Table:
    return pa.Table.from_pylist([row for row, why in zip(rows, reasons, strict=True) if why is None], schema=ROWS)


def _apart(rows: list[dict[str, Any]], reasons: list[Apart | None]) -> pa.Table:
    unused = [{**row, "reason": str(why)} for row, why in zip(rows, reasons, strict=True) if why is not None]
    return pa.Table.from_pylist(unused, schema=APART)


def _count(table: pa.Table, subreddit: str, counts: dict[str, Counter[str]]) -> None:
    counts["hosts"].update(host_of(url) or "" for url in table["url"].to_pylist())
    counts["years"].update(str(year) for year in table["year"].to_pylist())
    if len(table):
        counts["subreddits"][subreddit] = len(table)
