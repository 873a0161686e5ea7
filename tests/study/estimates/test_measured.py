"""Estimates from what finished jobs took."""

import json
from pathlib import Path

import pytest

from workflow_scripts.commands.main import main
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.study.active_config import remember
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.estimates.cost import KEPT, busy_seconds, costs
from workflow_scripts.study.estimates.measured import CPU, WITHOUT, account, cells, measure
from workflow_scripts.study.units import Units

TWO = {"images": 100.0, "loop_seconds": 50.0, "wait_seconds": 5.0, "memory_peak_bytes": 3e9}


def finish(study: Path, stage: str, name: str, figures: dict, device: str = "cpu", rows: dict | None = None) -> None:
    folder = study / stage
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}{MANIFEST}").write_text(json.dumps({"rows": rows or {}}))
    made = {"figures": figures, "environment": {"device": device}}
    (folder / f"{name}{RUN}").write_text(json.dumps({"cached": True, "original": made}))


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Units:
    """Of the demo, whose results folder is below ``tmp_path``."""
    monkeypatch.chdir(tmp_path)
    remember(Path("results"), "demo", ["config.yaml", "profiles/demo/study.yaml"], {})
    from workflow_scripts.core.digest import ROOT
    from workflow_scripts.study.config.files import read_config

    return Units(load_study(read_config([ROOT / "config.yaml", ROOT / "profiles/demo/study.yaml"])))


def test_estimates_of_a_stage_become_what_its_finished_jobs_took(units: Units) -> None:
    study, rows = Path("results/demo"), 3_115
    finish(study, "annotations", "rows", {}, rows={"in": 9 * rows, "out": rows})
    for shard in units.shards:
        finish(study, "recaption", shard, {"work_seconds": 40.0, **TWO})
    (expected,) = {max(busy_seconds(units, "recaption", units.shards, (rows, rows * KEPT), 40))}
    found = measure(Path("results"), "cpu", 40)
    assert found.stages["recaption"].factor == pytest.approx(40 * len(units.shards) / expected)
    assert found.stages["recaption"].figures["images_per_s"] == pytest.approx(2)
    before, after = ({line.stage: line for line in costs(units, rows, 40, factors)} for factors in ({}, found.factors))
    starts = before["recaption"].core_hours * 3600 - expected * units.study.compute.workers
    took = 40 * len(units.shards) * units.study.compute.workers
    assert after["recaption"].core_hours * 3600 == pytest.approx(took + starts)
    assert after["pretrain"] == before["pretrain"]
    assert cells(found, units, "recaption", rows)[:3] == [str(len(units.shards)), "2", "10%"]
    assert cells(found, units, "pretrain", rows) == [""] * 6
    assert found.left_out["annotations"] == {WITHOUT: 1}
    said = account(found, ["recaption", "pretrain", "annotations"])
    assert "docs/cost.md: pretrain, annotations." in said and "without figures: annotations 1." in said


def test_jobs_on_another_device_or_of_unknown_names_are_not_measured(units: Units) -> None:
    finish(Path("results/demo"), "recaption", units.shards[0], {"work_seconds": 40.0})
    finish(Path("results/demo"), "recaption", "99999", {"work_seconds": 40.0}, "cuda")
    found = measure(Path("results"), "auto", 40)
    assert not found.stages and found.left_out["recaption"] == {CPU: 1}


def test_cost_shows_which_stages_were_measured(units: Units, capsys: pytest.CaptureFixture[str]) -> None:
    finish(Path("results/demo"), "recaption", units.shards[0], {"work_seconds": 40.0, **TWO})
    assert main(["cost", "--measured", "--configfile", "profiles/demo/study.yaml"]) == 1  # no such file here
    from workflow_scripts.core.digest import ROOT

    capsys.readouterr()
    assert main(["cost", "--measured", "--configfile", str(ROOT / "profiles/demo/study.yaml")]) == 0
    said = capsys.readouterr().out
    line = next(line for line in said.splitlines() if line.startswith("| recaption |"))
    assert line.endswith("| 1 | 2 | 10% |  | 3.0 GB | 4.0 GB |")
    assert "No finished jobs; estimated by the rates in docs/cost.md: " in said
    assert " recaption" not in said.split("docs/cost.md: ")[1].splitlines()[0]
