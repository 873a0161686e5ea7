"""Which row goes to which shard: fixed by the rows' canonical order alone."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.acquisition.parquet import TableWriter
from workflow_scripts.core.errors import PipelineError

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


def plan(rows: Path, shards: int, rows_per_shard: int, out: Path) -> dict[str, Any]:
    """Cut the kept annotation rows into shards and write the plan to ``out``, one row group per shard that has rows.

    Returns:
        ``shards`` (number), ``slices`` (sha256 of each shard's rows) and ``rows`` (number of rows of each shard).

    Raises:
        PipelineError: more rows than ``shards`` shards can hold.
    """
    total = pq.ParquetFile(rows).metadata.num_rows
    needed = -(-total // rows_per_shard)
    if needed > shards:
        value = f"{total} rows need {needed} shards of {rows_per_shard}, the config has {shards}"
        raise PipelineError("too few shards", "shard_plan.shards", value, f"set shard_plan.shards to {needed}")
    slices, sizes = [], []
    with TableWriter(out, PLAN) as writer:
        for shard, part in enumerate(_slices(rows, rows_per_shard)):
            numbers = pa.array([shard] * len(part), pa.int32()), pa.array(range(len(part)), pa.int32())
            writer.write(pa.Table.from_arrays([*numbers, *part.columns], schema=PLAN))
            slices.append(slice_hash(part))
            sizes.append(len(part))
    unused = shards - len(slices)
    return {"shards": shards, "slices": slices + [slice_hash(None)] * unused, "rows": sizes + [0] * unused}


def _slices(rows: Path, size: int) -> Iterator[pa.Table]:
    waiting = pa.table({name: [] for name in COLUMNS}, schema=pq.read_schema(rows).empty_table().select(COLUMNS).schema)
    for batch in pq.ParquetFile(rows).iter_batches(batch_size=max(size, 1024), columns=COLUMNS):
        waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch]).select(COLUMNS)])
        while len(waiting) >= size:
            yield waiting.slice(0, size).combine_chunks()
            waiting = waiting.slice(size)
    if len(waiting):
        yield waiting.combine_chunks()


def slice_hash(part: pa.Table | None) -> str:
    """sha256 over what a shard's bytes depend on: key, url, subreddit, year and caption of its rows, in order."""
    digest = hashlib.sha256()
    for row in zip(*(column.to_pylist() for column in part.columns), strict=True) if part is not None else ():
        digest.update(json.dumps(row, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()


def shard_rows(plan_path: Path, shard: int) -> pa.Table:
    """The rows of one shard, in order of position; an unused shard has none."""
    table = pq.read_table(plan_path, filters=[("shard", "=", shard)], schema=PLAN)
    return table.sort_by("position")
