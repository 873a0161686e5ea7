"""The rows that are not used, as a table for people: CSV that a spreadsheet opens."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from workflow_scripts.acquisition.annotations.local_image import parse_local
from workflow_scripts.acquisition.states import State
from workflow_scripts.core.errors.text import redacted

LOST = pa.schema([("id", pa.string()), ("file_or_url", pa.string()), ("reason", pa.string())])
FORMULA = r"^[=+\-@\t\r\n]"  # how a cell begins that spreadsheets would compute


def write_lost(path: Path, tables: Iterable[Path]) -> None:
    """Write id, file or URL, and reason of each row that is not used, in the order of the tables.

    URLs are without their queries, which may hold secrets.

    Args:
        tables: the unused annotation rows, and the shards, whose state is the reason.
    """
    with csv.CSVWriter(path, LOST) as writer:
        for batch in _batches(tables):
            writer.write_batch(batch)


def _batches(tables: Iterable[Path]) -> Iterator[pa.RecordBatch]:
    for table in tables:
        with pq.ParquetFile(table) as file:
            is_shard = "state" in file.schema_arrow.names
            columns = ["key", "url", "state"] if is_shard else ["image_id", "url", "reason"]
            for batch in file.iter_batches(columns=columns):
                rows = pa.RecordBatch.from_arrays([batch[name] for name in columns], schema=LOST)
                if is_shard:
                    rows = rows.filter(pc.not_equal(rows["reason"], str(State.OK)))
                places = pa.array([_place(url) for url in rows["file_or_url"].to_pylist()], pa.string())
                cells = [_inert(cell) for cell in (rows["id"], places, rows["reason"])]
                yield pa.RecordBatch.from_arrays(cells, schema=LOST)


def _place(url: str | None) -> str | None:
    local = parse_local(url) if url else None
    return local.path if local else redacted(url) if url else url


def _inert(cells: pa.Array) -> pa.Array:
    marked = pc.binary_join_element_wise(pa.scalar("'"), cells, "")
    return pc.if_else(pc.match_substring_regex(cells, FORMULA), marked, cells)
