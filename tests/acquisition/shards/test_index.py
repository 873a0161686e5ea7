"""The index lists every stored image of all shards, in order."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.acquisition.shards.index import INDEX, index
from workflow_scripts.acquisition.shards.packing import SHARD
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.tables import write_table


def shard(path: Path, keys: list[str], states: list[str]) -> Path:
    rows = [
        {"key": key, "state": state, "subreddit": "pics", "year": 2020}
        | ({"offset": 512 * n, "bytes": 100 + n, "width": 5, "height": 6, "sha256": "ab"} if state == "ok" else {})
        for n, (key, state) in enumerate(zip(keys, states, strict=True))
    ]
    write_table(path, pa.Table.from_pylist(rows, schema=SHARD))
    return path


def test_the_index_lists_stored_images_in_shard_order(tmp_path: Path) -> None:
    first = shard(tmp_path / "0", ["c", "a", "b"], ["ok", "timeout", "ok"])
    second = shard(tmp_path / "1", ["d"], ["ok"])
    none = shard(tmp_path / "2", [], [])
    rows, lost = index([(0, first), (7, second), (8, none)], tmp_path / "out")
    table = pq.read_table(tmp_path / "out")
    assert rows == 3 and lost == {"timeout": 1} and table.schema == INDEX
    assert table["key"].to_pylist() == ["c", "b", "d"] and table["shard"].to_pylist() == [0, 0, 7]
    assert table["size"].to_pylist() == [100, 102, 100] and table["offset"].to_pylist() == [0, 1024, 0]


def test_shards_without_any_image_are_an_error(tmp_path: Path) -> None:
    only = shard(tmp_path / "0", ["a", "b"], ["dns", "dns"])
    with pytest.raises(PipelineError, match=r"no images.*0 of 2 rows.*'dns': 2"):
        index([(0, only)], tmp_path / "out")
