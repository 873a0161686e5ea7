"""What the run records know when Snakemake's own memory does not."""

import json
from pathlib import Path

import pytest

from tests.core.test_config import merged
from tests.helpers import make_artifact, run
from workflow_scripts.core.artifact import manifest_hash
from workflow_scripts.core.config import load_study
from workflow_scripts.core.digest import code_digest
from workflow_scripts.core.freshness import stale_manifests
from workflow_scripts.core.units import Units
from workflow_scripts.stages import source


@pytest.fixture
def units(tmp_path: Path) -> Units:
    """A study whose annotation zip is a file of this test."""
    (tmp_path / "a.zip").write_bytes(b"first")
    config = merged("tests/config/tiny.yaml")
    config["annotations"]["source"] = str(tmp_path / "a.zip")
    return Units(load_study(config))


def record(results: Path, stage: str, units: Units, **changes: object) -> Path:
    """An artifact whose record says that it was made by today's code and settings, but for ``changes``."""
    path = make_artifact(results, stage, "x", {".txt": b"x"})
    values = {"stage": stage, "unit": {}, "code": code_digest(stage), "settings": units.settings(stage, {})}
    path.with_name("x.run.json").write_text(json.dumps({**values, **changes}))
    return path


def test_todays_code_and_settings_are_fresh(results: Path, units: Units) -> None:
    record(results, "data_card", units)
    assert stale_manifests(results / "study", units) == []


@pytest.mark.parametrize(
    "changes",
    [{"code": "other"}, {"settings": {"confidence": 0.5, "hosts_shown": 12}}, {"unit": None}],
)
def test_other_code_settings_or_an_unreadable_record_are_stale(
    results: Path, units: Units, changes: dict[str, object]
) -> None:
    path = record(results, "data_card", units, **changes)
    if changes == {"unit": None}:
        path.with_name("x.run.json").write_text("{")
    assert stale_manifests(results / "study", units) == [str(path)]


def test_another_input_is_stale(results: Path, units: Units) -> None:
    upstream = make_artifact(results, "shard_plan", "plan", {".json": b"{}"})
    made_from = {"input_files": {"plan": [str(upstream)]}, "inputs": {"plan": [manifest_hash(upstream)]}}
    path = record(results, "data_card", units, **made_from)
    assert str(path) not in stale_manifests(results / "study", units)
    make_artifact(results, "shard_plan", "plan", {".json": b"[]"})
    assert str(path) in stale_manifests(results / "study", units)


def test_a_changed_source_is_told_every_time_and_a_missing_one_stops_nothing(results: Path, units: Units) -> None:
    wanted = units.settings("source", {"source": "annotations"})
    made = run(source.main, results, "source/annotations", wanted, unit={"source": "annotations"})
    assert stale_manifests(results / "study", units) == []
    path = Path(wanted["at"])
    path.write_bytes(b"other")
    for _ in range(2):
        assert stale_manifests(results / "study", units) == [str(made.manifest_path)]
    path.unlink()
    assert stale_manifests(results / "study", units) == []


def test_a_model_that_is_nowhere_stops_nothing_that_is_finished(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    full = Units(load_study(merged()))
    path = make_artifact(results, "source", "matcher", {".files.json": b"[]"}, {"source": "matcher"})
    values = {"stage": "source", "unit": {"source": "matcher"}, "code": "format-1", "settings": {}}
    path.with_name("matcher.run.json").write_text(json.dumps(values))
    assert stale_manifests(results / "study", full) == []


def test_results_of_an_earlier_config_are_left_alone(results: Path, units: Units) -> None:
    """A run that the config no longer names can't be made again; forcing it would stop every command."""
    path = make_artifact(results, "features", "dropped-run.last", {".x": b""}, {"run": "dropped-run", "step": "last"})
    values = {"stage": "features", "unit": {"run": "dropped-run", "step": "last"}, "code": "other", "settings": {}}
    path.with_name("dropped-run.last.run.json").write_text(json.dumps(values))
    assert stale_manifests(results / "study", units) == []
