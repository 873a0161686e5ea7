"""What the run records know when Snakemake's own memory does not."""

import json
import os
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest

from tests.core.test_config import merged
from tests.helpers import make_artifact, run
from workflow_scripts.core.artifact import manifest_hash
from workflow_scripts.core.config import load_study
from workflow_scripts.core.digest import code_digest
from workflow_scripts.core.freshness import stale_manifests
from workflow_scripts.core.memory import unremembered
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


def remembered(memory: Path, manifest: Path, seconds: float) -> Path:
    """Snakemake's file on an output, written at that time."""
    path = memory / urlsafe_b64encode(str(manifest).encode()).decode()
    if len(path.name) > 255:
        path = memory / f"@{path.name[:254]}" / path.name[254:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    os.utime(path, (seconds, seconds))
    return path


def test_a_memory_that_is_missing_or_older_is_told_once(
    results: Path, units: Units, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = record(results, "data_card", units, start="2026-01-01T12:00:00.000+00:00")
    noon = 1767268800.0
    memory = tmp_path / "memory"

    def told() -> list[str]:
        caplog.clear()
        stale_manifests(results / "study", units, memory)
        return [line for line in caplog.messages if "Snakemake's memory" in line]

    assert len(told()) == 1
    assert "missing or older for 1 of 1 artifacts" in told()[0]
    assert "0 of all are made again" in told()[0]
    entry = remembered(memory, made, noon + 5)
    assert told() == []
    os.utime(entry, (noon - 3600, noon - 3600))
    assert len(told()) == 1
    record(results, "data_card", units, code="other")
    entry.unlink()
    assert "1 of all are made again" in told()[0]


def test_a_long_path_is_remembered_in_folders(tmp_path: Path) -> None:
    long = Path("results") / ("s" * 64) / "linear_probe" / f"{'r' * 150}.manifest.json"
    assert unremembered([(long, "")], tmp_path) == 1
    remembered(tmp_path, long, 1.0)
    assert unremembered([(long, "")], tmp_path) == 0


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
