"""Which row belongs to which shard; it depends only on the rows of the same subreddit and year.

A group of n rows has as many shards as it needs at the configured size, and a hash of a row's id selects its shard.
So another subreddit or year adds shards and moves no row, and the removal of a row leaves all other shards unchanged,
unless its group then needs one shard fewer.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.tables import RowReader, TableWriter

PLAN = pa.schema(
    [
        ("shard", pa.int32()),
        ("position", pa.int32()),
        ("key", pa.string()),
        ("url", pa.string()),
        ("subreddit", pa.string()),
        ("year", pa.int16()),
        ("caption", pa.string()),
    ]
)
COLUMNS = ["image_id", "url", "subreddit", "year", "caption"]
EMPTY = hashlib.sha256().hexdigest()  # slice hash of a shard without rows


def plan(rows: Path, shards: int, rows_per_shard: int, group: str, out: Path) -> dict[str, Any]:
    """Assign the kept annotation rows to shards and write the plan to ``out``, one row group per non-empty shard.

    Memory holds the rows of one group, and subreddit and year of all rows.

    Args:
        rows: annotation rows, sorted by subreddit, year and image_id.
        shards: number of shards; spare ones stay empty.
        rows_per_shard: approximate size of a shard, since rows are assigned by hash.
        group: ``subreddit_year``, or ``all`` for one group of all rows.
        out: path of the plan.

    Returns:
        ``shards`` (number), ``slices`` (sha256 of each shard's rows) and ``rows`` (number of rows of each shard).

    Raises:
        PipelineError: the groups need more shards than there are.
    """
    sizes = _group_sizes(rows, group)
    needed = sum(-(-size // rows_per_shard) for size in sizes)
    if needed > shards:
        value = f"{sum(sizes)} rows in {len(sizes)} groups need {needed} shards of about {rows_per_shard}, not {shards}"
        raise PipelineError("too few shards", "shards.shards", value, f"set shards.shards to {needed}")
    slices: list[str] = []
    counts: list[int] = []
    with TableWriter(out, PLAN) as writer:
        reader = RowReader([rows], COLUMNS)
        for size in sizes:
            for part in _dealt(reader.read(size).combine_chunks(), -(-size // rows_per_shard)):
                numbers = pa.array([len(slices)] * len(part), pa.int32()), pa.array(range(len(part)), pa.int32())
                writer.write(pa.Table.from_arrays([*numbers, *part.columns], schema=PLAN))
                slices.append(slice_hash(part))
                counts.append(len(part))
    unused = shards - len(slices)
    return {"shards": shards, "slices": slices + [EMPTY] * unused, "rows": counts + [0] * unused}


def _group_sizes(rows: Path, group: str) -> list[int]:
    """Number of rows of each subreddit and year, in the order of the rows; of all together for ``all``."""
    if group == "all":
        count = pq.read_metadata(rows).num_rows
        return [count] if count else []
    names = ["subreddit", "year"]
    groups = pq.read_table(rows, columns=names).group_by(names, use_threads=False).aggregate([([], "count_all")])
    return list(groups["count_all"].to_pylist())


def _dealt(table: pa.Table, shards: int) -> Iterator[pa.Table]:
    """The rows of each shard of a group, in order of their ids."""
    ids = table["image_id"].to_pylist()
    which = np.array([int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) % shards for key in ids])
    order = np.lexsort((np.array(ids, dtype=bytes), which))
    edges = np.searchsorted(which[order], np.arange(shards + 1))
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        yield table.take(pa.array(order[start:end])).combine_chunks()


def slice_hash(part: pa.Table) -> str:
    """sha256 of what a shard's bytes depend on: key, url, subreddit, year and caption of its rows, in order."""
    digest = hashlib.sha256()
    for row in zip(*(column.to_pylist() for column in part.columns), strict=True):
        digest.update(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def shard_rows(plan_path: Path, shard: int) -> pa.Table:
    """The rows of one shard, in order of position; an unused shard has none."""
    table = pq.read_table(plan_path, filters=[("shard", "=", shard)], schema=PLAN)
    return table.sort_by("position")
