"""All annotation rows of a RedCaps zip in one canonical order, and apart from them what is not used."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar
from zipfile import ZipFile

import pyarrow as pa

from workflow_scripts.acquisition.annotations.id_set import IdSet
from workflow_scripts.acquisition.annotations.rows import ROWS, Apart, host_of, is_cut, is_listed, read_row, removed
from workflow_scripts.acquisition.annotations.zip_reader import Member, members, read_member
from workflow_scripts.acquisition.shards.parquet import TableWriter
from workflow_scripts.core.errors import PipelineError

APART = ROWS.append(pa.field("reason", pa.string()))
ROWS_AT_ONCE, CHARACTERS_AT_ONCE = 16_384, 8 << 20  # read and judged together
ROW_GROUP = 65_536
_ENDING = re.compile(r"\.([A-Za-z0-9]{1,5})$")
T = TypeVar("T")


class Filter:
    """The years and subreddits that a study is about (None keeps all), and the tokens of its removal list."""

    def __init__(
        self,
        years: Collection[int] | None,
        subreddits: Collection[str] | None,
        removal: Collection[str] = (),
    ) -> None:
        self.years = None if years is None else frozenset(years)
        self.subreddits = None if subreddits is None else frozenset(name.lower() for name in subreddits)
        self.removal = frozenset(removal)

    def reason(self, row: dict[str, Any]) -> Apart | None:
        """Why a well-formed row is not used, as far as the row alone can tell."""
        if self.subreddits is not None and row["subreddit"] not in self.subreddits:
            return Apart.FILTERED_SUBREDDIT
        if self.years is not None and row["year"] not in self.years:
            return Apart.FILTERED_YEAR
        if not (row["caption"] or "").strip():
            return Apart.EMPTY_CAPTION
        return None


def gather(zip_path: Path, wanted: Filter, max_bytes: int, max_chars: int, kept: Path, apart: Path) -> dict[str, Any]:
    """Write the kept rows to ``kept`` (sorted by subreddit, year, image_id) and the others to ``apart``.

    Memory holds the rows of one subreddit at a time, besides 8 bytes for each image id. The order of the files in
    the zip changes nothing: of a repeated id the row stays that comes first by subreddit, file name and place.

    Args:
        max_bytes: of a file in the zip, unpacked.
        max_chars: of a caption; longer ones are cut.

    Returns:
        Counts: ``rows``, ``kept``, ``apart`` by reason, and of the kept rows ``hosts``, ``years``, ``subreddits`` and
        ``endings`` (of the urls' paths, empty for none); ``truncated``, the kept rows whose caption was cut, where
        there are any.

    Raises:
        PipelineError: a zip or file that is not RedCaps', an unknown subreddit, or nothing left to use.
    """
    found = members(zip_path)
    _check_subreddits(zip_path, wanted, found)
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("apart", "hosts", "years", "subreddits", "endings")}
    seen, total, truncated = IdSet(), 0, 0
    with ZipFile(zip_path) as archive, TableWriter(kept, ROWS) as keep, TableWriter(apart, APART) as other:
        for _, files in groupby(found, lambda member: member.subreddit):
            good, bad = [ROWS.empty_table()], [APART.empty_table()]
            for member in files:
                for raw_rows in batches(read_member(archive, member, max_bytes)):
                    rows, reasons = _judge(raw_rows, member, wanted, seen, max_chars)
                    total += len(rows)
                    used = [row for row, why in zip(rows, reasons, strict=True) if why is None]
                    kept_raw = (raw for raw, why in zip(raw_rows, reasons, strict=True) if why is None)
                    truncated += sum(is_cut(raw, max_chars) for raw in kept_raw)
                    good.append(pa.Table.from_pylist(used, schema=ROWS))
                    bad.append(_apart(rows, reasons))
                    _count(used, counts)
                    counts["apart"].update(str(reason) for reason in reasons if reason)
            _write(keep, pa.concat_tables(good).sort_by([("year", "ascending"), ("image_id", "ascending")]))
            _write(other, pa.concat_tables(bad))
        if keep.rows == 0:
            value = f"0 of {total} rows ({dict(counts['apart'])})"
            raise PipelineError("no rows left", zip_path, value, "widen annotations.years or annotations.subreddits")
    named = {name: dict(sorted(count.items())) for name, count in counts.items()}
    return {"rows": total, "kept": keep.rows, **named, **({"truncated": truncated} if truncated else {})}


def _write(writer: TableWriter, table: pa.Table) -> None:
    for start in range(0, len(table), ROW_GROUP):
        writer.write(table.slice(start, ROW_GROUP))


def batches(
    items: Iterable[tuple[T, int]], rows: int = ROWS_AT_ONCE, most: int = CHARACTERS_AT_ONCE
) -> Iterator[list[T]]:
    """Lists of so many items, or fewer once their sizes exceed ``most``."""
    batch: list[T] = []
    size = 0
    for item, characters in items:
        batch.append(item)
        size += characters
        if len(batch) == rows or size > most:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _check_subreddits(zip_path: Path, wanted: Filter, found: list[Member]) -> None:
    missing = (wanted.subreddits or frozenset()) - {member.subreddit for member in found}
    if missing:
        advice = "correct annotations.subreddits; it takes the names of the files in the zip"
        raise PipelineError("no such subreddit", zip_path, ", ".join(sorted(missing)), advice)


def _judge(
    raw_rows: list[Any], member: Member, wanted: Filter, seen: IdSet, max_chars: int
) -> tuple[list[dict[str, Any]], list[Apart | None]]:
    rows, reasons = [], []
    for raw in raw_rows:
        row, reason = read_row(raw, member.subreddit, member.year, max_chars)
        if wanted.removal and is_listed(row, wanted.removal):
            row, reason = removed(row), Apart.EXCLUDED
        rows.append(row)
        reasons.append(reason or wanted.reason(row))
    fit = [place for place, reason in enumerate(reasons) if reason is None]
    fresh = seen.first_seen([rows[place]["image_id"] for place in fit])
    for place, first in zip(fit, fresh, strict=True):
        reasons[place] = None if first else Apart.REPEATED_ID
    return rows, reasons


def _apart(rows: list[dict[str, Any]], reasons: list[Apart | None]) -> pa.Table:
    unused = [{**row, "reason": str(why)} for row, why in zip(rows, reasons, strict=True) if why is not None]
    return pa.Table.from_pylist(unused, schema=APART)


def _count(rows: list[dict[str, Any]], counts: dict[str, Counter[str]]) -> None:
    counts["hosts"].update(host_of(row["url"]) or "" for row in rows)
    counts["years"].update(str(row["year"]) for row in rows)
    counts["subreddits"].update(row["subreddit"] for row in rows)
    counts["endings"].update(_ending(row["url"]) for row in rows)


def _ending(url: str) -> str:
    found = _ENDING.search(url.partition("?")[0].partition("#")[0].rpartition("/")[2])
    return found[1].lower() if found else ""
