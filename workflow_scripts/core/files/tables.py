"""Parquet files in which the same rows always give the same bytes, written and read part by part."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
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


def write_parts(path: Path, schema: pa.Schema, parts: Iterable[pa.Table]) -> int:
    """Write tables one after the other; gives the number of rows.

    Row groups, and so the bytes, do not depend on how the rows are divided into parts. A part and a row group are in
    memory; texts of a part may be ``large_string``, where the schema says ``string``.
    """
    rows, waiting = 0, schema.empty_table()
    with pq.ParquetWriter(path, schema, compression="zstd", write_statistics=True, version="2.6") as writer:
        for part in chain(parts, [None]):
            at = 0
            while part is not None and at < len(part):
                piece = part.slice(at, ROW_GROUP - len(waiting)).cast(schema)
                waiting, at = pa.concat_tables([waiting, piece]), at + len(piece)
                if len(waiting) == ROW_GROUP:
                    writer.write_table(waiting.combine_chunks(), row_group_size=ROW_GROUP)
                    waiting = schema.empty_table()
            rows += 0 if part is None else len(part)
        if len(waiting):
            writer.write_table(waiting.combine_chunks(), row_group_size=ROW_GROUP)
    return rows


class RowReader:
    """Reads the rows of parquet files in order, any number of them at a time.

    Args:
        paths: files of the same columns.
        columns: those that are read; None: all.
    """

    def __init__(self, paths: Sequence[Path], columns: Sequence[str] | None = None) -> None:
        self._columns = None if columns is None else list(columns)
        schema = pq.read_schema(paths[0])
        names = schema.names if self._columns is None else self._columns
        self._schema = pa.schema([schema.field(name) for name in names]).remove_metadata()
        self._batches = chain.from_iterable(self._read(path) for path in paths)
        self._waiting: pa.Table = self._schema.empty_table()

    def _read(self, path: Path) -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(ROW_GROUP, columns=self._columns):
                yield batch.select(self._schema.names)

    def read(self, rows: int) -> pa.Table:
        """The next rows; fewer at the end."""
        parts, have = [self._waiting], len(self._waiting)
        while have < rows and (batch := next(self._batches, None)) is not None:
            parts.append(pa.Table.from_batches([batch]).cast(self._schema))
            have += len(batch)
        whole = pa.concat_tables(parts)
        self._waiting = whole.slice(rows)
        return whole.slice(0, rows)


class TableWriter(pq.ParquetWriter):  # type: ignore[misc] # pyarrow has no types
    """Writes tables to one file in turn, each as its own row groups; equal tables give equal bytes."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        super().__init__(path, schema, compression="zstd", version="2.6")
        self.rows = 0

    def write(self, table: pa.Table) -> None:
        """Append ``table``; an empty one adds nothing."""
        if len(table):
            self.write_table(table.cast(self.schema), row_group_size=len(table))
            self.rows += len(table)
