"""A table written in parts."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.acquisition.shards.parquet import TableWriter

SCHEMA = pa.schema([("n", pa.int64())])


def test_parts_become_row_groups_and_empty_ones_nothing(tmp_path: Path) -> None:
    parts = [pa.table({"n": list(range(size))}, schema=SCHEMA) for size in (3, 0, 70_000)]
    with TableWriter(tmp_path / "a", SCHEMA) as writer:
        for part in parts:
            writer.write(part)
    assert writer.rows == 70_003
    assert pq.read_table(tmp_path / "a").equals(pa.concat_tables(parts))
    assert pq.ParquetFile(tmp_path / "a").num_row_groups == 2


def test_no_rows_at_all_is_a_table(tmp_path: Path) -> None:
    with TableWriter(tmp_path / "a", SCHEMA):
        pass
    assert pq.read_table(tmp_path / "a").schema == SCHEMA
