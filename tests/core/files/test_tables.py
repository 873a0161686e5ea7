"""Tables written and read part by part."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.core.files import tables
from workflow_scripts.core.files.tables import RowReader, TableWriter, write_parts, write_table

SCHEMA = pa.schema([("key", pa.string()), ("tags", pa.list_(pa.string())), ("n", pa.int16())])
ROWS = pa.table(
    {"key": [f"k{i}" for i in range(11)], "tags": [[str(i)] * (i % 3) for i in range(11)], "n": list(range(11))}
).cast(SCHEMA)


@pytest.fixture(autouse=True)
def _small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROW_GROUP", 4)


def parts(size: int) -> list[pa.Table]:
    return [ROWS.slice(start, size) for start in range(0, len(ROWS), size)]


def test_bytes_do_not_depend_on_the_parts(tmp_path: Path) -> None:
    large = pa.schema([("key", pa.large_string()), *list(SCHEMA)[1:]])
    for size in (1, 3, 4, 5, 11):
        assert write_parts(tmp_path / str(size), SCHEMA, [one.cast(large) for one in parts(size)]) == 11
    assert len({(tmp_path / str(size)).read_bytes() for size in (1, 3, 4, 5, 11)}) == 1
    assert pq.read_table(tmp_path / "3") == ROWS
    assert [pq.ParquetFile(tmp_path / "3").metadata.row_group(i).num_rows for i in range(3)] == [4, 4, 3]
    assert write_parts(tmp_path / "none", SCHEMA, []) == 0
    assert pq.read_table(tmp_path / "none") == SCHEMA.empty_table()


def test_a_reader_gives_the_rows_in_order_across_files(tmp_path: Path) -> None:
    for number, one in enumerate((ROWS.slice(0, 6), ROWS.slice(6, 0), ROWS.slice(6))):
        write_table(tmp_path / str(number), one, row_group_size=4)
    reader = RowReader([tmp_path / str(number) for number in range(3)], ["n", "key"])
    found = [reader.read(size) for size in (1, 7, 0, 2, 5, 3)]
    assert [len(one) for one in found] == [1, 7, 0, 2, 1, 0]
    assert pa.concat_tables(found) == ROWS.select(["n", "key"])
    assert found[1].column_names == ["n", "key"]
    assert RowReader([tmp_path / "0"]).read(99) == ROWS.slice(0, 6)


NUMBERS = pa.schema([("n", pa.int64())])


def test_parts_become_row_groups_and_empty_parts_are_skipped(tmp_path: Path) -> None:
    parts = [pa.table({"n": list(range(size))}, schema=NUMBERS) for size in (3, 0, 70_000)]
    with TableWriter(tmp_path / "a", NUMBERS) as writer:
        for part in parts:
            writer.write(part)
    assert writer.rows == 70_003
    assert pq.read_table(tmp_path / "a").equals(pa.concat_tables(parts))
    assert pq.ParquetFile(tmp_path / "a").num_row_groups == 2


def test_a_table_without_rows_has_its_schema(tmp_path: Path) -> None:
    with TableWriter(tmp_path / "a", NUMBERS):
        pass
    assert pq.read_table(tmp_path / "a").schema == NUMBERS
