"""Parquet written group by group, for tables larger than memory."""

from pathlib import Path
from types import TracebackType

import pyarrow as pa
import pyarrow.parquet as pq


class TableWriter:
    """Writes tables to one file in turn, each as its own row groups; equal tables give equal bytes."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.rows = 0
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", version="2.6")

    def write(self, table: pa.Table) -> None:
        """Append ``table``; an empty one adds nothing."""
        if len(table):
            self._writer.write_table(table.cast(self._schema), row_group_size=len(table))
            self.rows += len(table)

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()
