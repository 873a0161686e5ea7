"""The shard_plan stage, run as the workflow runs it."""

import json
from pathlib import Path

import pytest

from tests.acquisition.zips import row, write_zip
from tests.helpers import run
from workflow_scripts.stages import annotations, shard_plan


def test_plan_and_too_few_shards(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_zip(tmp_path / "a.zip", {"pics_2020": [row(f"a{n}") for n in range(5)]})
    rows = run(annotations.main, results, "annotations/rows", {}, sources={"annotations": path})
    inputs = {"annotations": rows.manifest_path}
    made = run(shard_plan.main, results, "shard_plan/plan", {"shards": 4, "rows_per_shard": 2}, inputs)
    plan = json.loads(made.path(".json").read_bytes())
    assert plan["rows"] == [2, 2, 1, 0] and len(plan["slices"]) == plan["shards"] == 4
    with pytest.raises(SystemExit):
        run(shard_plan.main, results, "shard_plan/plan", {"shards": 2, "rows_per_shard": 2}, inputs)
    assert "too few shards" in capsys.readouterr().err.splitlines()[-1]
