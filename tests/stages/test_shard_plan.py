"""The shard_plan stage, run as the workflow runs it."""

import json
from pathlib import Path

from tests.acquisition.zips import row, write_zip
from tests.helpers import Fails, run
from workflow_scripts.stages import annotations, shard_plan


def test_rows_are_planned_and_too_few_shards_are_an_error(results: Path, tmp_path: Path, fails: Fails) -> None:
    files = {"pics_2020": [row(f"a{n}") for n in range(5)], "aww_2020": [row(f"b{n}") for n in range(2)]}
    path = write_zip(tmp_path / "a.zip", files)
    rows = run(annotations.STAGE, results, "annotations/rows", {}, sources={"annotations": path})
    inputs = {"annotations": rows.manifest_path}
    made = run(shard_plan.STAGE, results, "shard_plan/plan", {"shards": 5, "rows_per_shard": 2}, inputs)
    plan = json.loads(made.path(".json").read_bytes())
    assert (plan["rows"][0], sum(plan["rows"][1:4]), plan["rows"][4]) == (2, 5, 0)
    assert len(plan["slices"]) == plan["shards"] == 5 and made.rows == {"in": 7, "out": 7, "dropped": {}}
    one = {"shards": 4, "rows_per_shard": 2, "group": "all"}
    assert (
        sum(
            json.loads(run(shard_plan.STAGE, results, "shard_plan/one", one, inputs).path(".json").read_bytes())["rows"]
        )
        == 7
    )
    with fails("too few shards"):
        run(shard_plan.STAGE, results, "shard_plan/plan", {"shards": 3, "rows_per_shard": 2}, inputs)
