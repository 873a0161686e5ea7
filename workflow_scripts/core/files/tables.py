"""Parquet files in which the same rows always give the same bytes, written and read part by part."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

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
    rows = _Rows(schema, parts)
    with TableWriter(path, schema) as writer:
        while len(group := rows.read(ROW_GROUP)):
            writer.write(group.combine_chunks())
    return writer.rows


def read_rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Each row's values of some columns of a parquet file; a batch of rows is in memory at a time."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROW_GROUP, columns=list(columns)):
            yield from zip(*(batch[name].to_pylist() for name in columns), strict=True)


class _Rows:
    """The rows of tables in order, any number of them at a time."""

    def __init__(self, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
        self._schema, self._tables, self._waiting = schema, iter(tables), schema.empty_table()

    def read(self, rows: int) -> pa.Table:
        """The next rows; fewer at the end."""
        parts, have = [self._waiting], len(self._waiting)
        while have < rows and (table := next(self._tables, None)) is not None:
            parts.append(table.cast(self._schema))
            have += len(table)
        whole = pa.concat_tables(parts)
        self._waiting = whole.slice(rows)
        return whole.slice(0, rows)


class RowReader(_Rows):
    """Reads the rows of parquet files in order, any number of them at a time.

    Args:
        paths: files of the same columns.
        columns: those that are read; None: all.
    """

    def __init__(self, paths: Sequence[Path], columns: Sequence[str] | None = None) -> None:
        schema = pq.read_schema(paths[0])
        schema = pa.schema([schema.field(name) for name in columns or schema.names])
        super().__init__(schema, chain.from_iterable(_batches(path, schema.names) for path in paths))


def _batches(path: Path, columns: list[str]) -> Iterator[pa.Table]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROW_GROUP, columns=columns):
            yield pa.Table.from_batches([batch]).select(columns)


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
