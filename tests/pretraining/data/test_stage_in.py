"""What a run's record says of copies is that of its last start."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from workflow_scripts.pretraining.training.interrupt import Interrupt
from workflow_scripts.pretraining.training.stage_in import REPORT, stage_in_facts, staged_plan


def test_a_start_without_copies_forgets_those_of_an_earlier_start(tmp_path: Path) -> None:
    report = {"files": 1, "bytes": 2, "copied": 2, "seconds": 0.5, "on_shared": {}}
    (tmp_path / REPORT.format(0)).write_text(json.dumps(report))
    assert stage_in_facts(tmp_path)["files"] == 1
    plan = cast("Any", SimpleNamespace(settings=SimpleNamespace(stage_in=None), work=tmp_path))
    with staged_plan(plan, Interrupt()) as same:
        assert same is plan
    assert stage_in_facts(tmp_path) == {}
