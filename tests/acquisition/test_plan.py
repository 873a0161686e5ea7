"""Rows to shards, by content alone."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.acquisition.zips import row, write_zip
from workflow_scripts.acquisition.annotations import Filter, gather
from workflow_scripts.acquisition.plan import plan, shard_rows
from workflow_scripts.core.errors import PipelineError


def rows_of(tmp_path: Path, files: dict[str, list[object]]) -> Path:
    path = tmp_path / "kept.parquet"
    gather(write_zip(tmp_path / "a.zip", files), Filter(None, None), 1 << 20, path, tmp_path / "apart.parquet")
    return path


def test_shards_follow_the_canonical_order(tmp_path: Path) -> None:
    rows = rows_of(
        tmp_path, {f"{name}_2020": [row(f"{name}{n}") for n in range(n)] for name, n in (("b", 7), ("a", 5))}
    )
    made = plan(rows, 5, 4, tmp_path / "plan.parquet")
    assert made["shards"] == 5 and made["rows"] == [4, 4, 4, 0, 0]
    assert made["slices"][3] == made["slices"][4] and len(set(made["slices"])) == 4
    shards = [shard_rows(tmp_path / "plan.parquet", shard) for shard in range(5)]
    keys = [key for shard in shards for key in shard["key"].to_pylist()]
    assert keys == pq.read_table(rows)["image_id"].to_pylist() == sorted(keys)
    assert [shard["position"].to_pylist() for shard in shards] == [[0, 1, 2, 3]] * 3 + [[], []]
    assert pq.ParquetFile(tmp_path / "plan.parquet").num_row_groups == 3


def test_a_slice_s_hash_is_its_content(tmp_path: Path) -> None:
    files = {"a_2020": [row(f"a{n}") for n in range(6)]}
    first = plan(rows_of(tmp_path, files), 3, 2, tmp_path / "p")["slices"]
    files["a_2020"][3] = row("a3", caption="other")
    changed = plan(rows_of(tmp_path, files), 3, 2, tmp_path / "p")["slices"]
    assert [one == other for one, other in zip(first, changed, strict=True)] == [True, False, True]
    # a field that reaches no byte of the shard changes no hash
    files["a_2020"][0] = row("a0", permalink="/elsewhere/")
    assert plan(rows_of(tmp_path, files), 3, 2, tmp_path / "p")["slices"] == changed


def test_too_few_shards_names_the_number_needed(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, {"a_2020": [row(f"a{n}") for n in range(9)]})
    with pytest.raises(PipelineError, match=r"too few shards.*9 rows need 5 shards of 2.*set shard_plan\.shards to 5"):
        plan(rows, 4, 2, tmp_path / "plan.parquet")
