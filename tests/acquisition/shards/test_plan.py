"""Rows to shards, by content alone."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workflow_scripts.acquisition.annotations.rows import ROWS
from workflow_scripts.acquisition.shards import plan as module
from workflow_scripts.acquisition.shards.plan import EMPTY, plan, shard_rows, slice_hash
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files import tables

GROUPS = {("a", 2019): 7, ("b", 2019): 40, ("b", 2020): 23, ("d", 2020): 4}


def row(subreddit: str, year: int, number: int, **changed: Any) -> dict[str, Any]:
    key = f"{subreddit}{year % 100}{number:03d}"
    found = {"image_id": key, "subreddit": subreddit, "year": year, "url": f"http://a.test/{key}.jpg"}
    return {**found, "caption": f"picture {key}", "raw_caption": "", "created_utc": None, "permalink": "", **changed}


def made(
    tmp_path: Path,
    groups: dict[tuple[str, int], int],
    shards: int = 40,
    size: int = 10,
    group: str = "subreddit_year",
    without: frozenset[str] = frozenset(),
    **changed: Any,
) -> tuple[dict[str, Any], list[pa.Table]]:
    """The plan of groups of rows, and its shards."""
    rows = [row(*name, number, **changed) for name, count in sorted(groups.items()) for number in range(count)]
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.Table.from_pylist([one for one in rows if one["image_id"] not in without], ROWS), path)
    found = plan(path, shards, size, group, tmp_path / "plan.parquet")
    return found, [shard_rows(tmp_path / "plan.parquet", shard) for shard in range(shards)]


def used(found: dict[str, Any]) -> list[str]:
    return [one for one in found["slices"] if one != EMPTY]


def test_each_subreddit_and_year_has_separate_shards(tmp_path: Path) -> None:
    found, shards = made(tmp_path, GROUPS)
    assert found["shards"] == 40 == len(found["slices"]) == len(found["rows"])
    assert [set(zip(s["subreddit"].to_pylist(), s["year"].to_pylist(), strict=True)) for s in shards[:9]] == [
        {("a", 2019)}, *[{("b", 2019)}] * 4, *[{("b", 2020)}] * 3, {("d", 2020)}
    ]  # fmt: skip
    assert [len(shard) for shard in shards] == found["rows"] and sum(found["rows"]) == 74
    assert found["rows"][9:] == [0] * 31 and set(found["slices"][9:]) == {EMPTY}
    for shard in shards:
        assert shard["position"].to_pylist() == list(range(len(shard)))
        assert shard["key"].to_pylist() == sorted(shard["key"].to_pylist())
    assert found["slices"][2] == slice_hash(shards[2].select(module.PLAN.names[2:]))
    assert pq.ParquetFile(tmp_path / "plan.parquet").num_row_groups == 9
    # what hash deals out to a shard of ten is about ten
    assert all(2 <= len(shard) <= 20 for shard in shards[1:8])


def test_adding_a_subreddit_or_year_moves_no_row(tmp_path: Path) -> None:
    before, _ = made(tmp_path, GROUPS)
    after, _ = made(tmp_path, {**GROUPS, ("a", 2020): 30, ("c", 2012): 11})
    assert len(used(after)) == len(used(before)) + 5
    assert [one for one in used(after) if one in used(before)] == used(before)


def test_removing_a_row_changes_only_its_shard(tmp_path: Path) -> None:
    before, shards = made(tmp_path, GROUPS)
    after, _ = made(tmp_path, GROUPS, without=frozenset({shards[3]["key"][2].as_py()}))
    differ = [n for n, (one, other) in enumerate(zip(before["slices"], after["slices"], strict=True)) if one != other]
    assert differ == [3] and after["rows"][3] == before["rows"][3] - 1


def test_only_fields_that_affect_shard_bytes_change_the_slice_hash(tmp_path: Path) -> None:
    before, _ = made(tmp_path, GROUPS)
    assert made(tmp_path, GROUPS, permalink="/elsewhere/", raw_caption="Other")[0] == before
    assert not set(used(made(tmp_path, GROUPS, caption="other")[0])) & set(used(before))


def test_rows_can_be_planned_as_a_single_group(tmp_path: Path) -> None:
    found, shards = made(tmp_path, GROUPS, group="all", size=30)
    assert len(used(found)) == 3 and sum(found["rows"]) == 74
    assert len(set(shards[0]["subreddit"].to_pylist())) > 1
    after, _ = made(tmp_path, GROUPS, group="all", size=30, without=frozenset({shards[0]["key"][0].as_py()}))
    assert after["slices"][1:] == found["slices"][1:]


@pytest.mark.parametrize("at_once", [1, 3, 16, 1000])
def test_batches_change_nothing(tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, _ = made(tmp_path, GROUPS)
    data = (tmp_path / "plan.parquet").read_bytes()
    monkeypatch.setattr(tables, "ROW_GROUP", at_once)
    assert made(tmp_path, GROUPS)[0] == expected and (tmp_path / "plan.parquet").read_bytes() == data


def test_too_few_shards_names_the_number_needed(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match=r"74 rows in 4 groups need 9 shards of about 10, not 8; "):
        made(tmp_path, GROUPS, shards=8)
    made(tmp_path, GROUPS, shards=9)
