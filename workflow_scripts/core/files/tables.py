"""Parquet output in which the same rows always give the same bytes."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROW_GROUP = 65_536


def write_table(path: Path, table: pa.Table, row_group_size: int = ROW_GROUP) -> None:
    """Write ``table`` as zstd parquet without pandas metadata; equal tables give equal files."""
    pq.write_table(
        table.replace_schema_metadata(None),
        path,
        compression="zstd",
        row_group_size=row_group_size,
        write_statistics=True,
        store_schema=True,
        version="2.6",
    )
