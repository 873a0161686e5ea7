"""Keys follow bytes: neither a lock nor another name for the same revision changes one, and other bytes always do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import run
from tests.study.freshness.jobs import ALL, job
from tests.study.lock.hub import NEW, OLD, Hub
from tests.study.lock.test_pin import lock_of, study
from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.files.bounded_json import read_object
from workflow_scripts.stages.source import STAGE
from workflow_scripts.study.freshness import Freshness
from workflow_scripts.study.units import Units

UNIT = {"source": "captioner"}
SHA = "5a" * 32


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder of the hub's client."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_XET_CACHE", str(tmp_path / "xet"), raising=False)
    yield tmp_path / "hub"


def hashed(results: Path, units: Units) -> tuple[str, Artifact]:
    """Key and artifact of the captioner."""
    made = run(STAGE, results, "source/captioner", units.settings("source", UNIT), unit=UNIT)
    record = read_object(results / "study/source/captioner.run.json")
    return record["key"], made


def stale(results: Path, units: Units) -> str | None:
    """Why the artifact would be computed again."""
    freshness = Freshness(results, units)
    manifest = results / "study/source/captioner.manifest.json"
    freshness.decide([job(manifest, UNIT)], ALL)
    return freshness.reasons.get(str(manifest))


@pytest.mark.usefixtures("own_cache")
def test_a_lock_changes_no_key_and_outlives_a_moved_branch(results: Path, overlay: Path, hub: Hub) -> None:
    """With and without a lock, by branch and by commit; then the branch moves, and only an unlocked study follows."""
    text = overlay.read_text()
    with_hash = text.replace(f"{hub.address}/captions.csv", f"{{at: {hub.address}/captions.csv, sha256: {SHA}}}")
    overlay.write_text(with_hash)
    loose = Units(study(overlay))
    key, made = hashed(results, loose)
    locked = Units(study(overlay, lock_of(hub)))
    overlay.write_text(with_hash.replace("@main", f"@{OLD}"))
    by_commit = Units(study(overlay))
    overlay.with_suffix(".lock.yaml").unlink()
    for units in (locked, by_commit, Units(study(overlay))):
        assert stale(results, units) is None
        assert hashed(results, units)[0] == key
        assert hashed(results, units)[1].hash == made.hash
    hub.branches["main"] = NEW
    assert hashed(results, locked)[0] == key
    assert hashed(results, loose)[0] != key
    assert stale(results, locked) == "the source changed"
