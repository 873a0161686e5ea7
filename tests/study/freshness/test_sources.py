"""External sources are compared by their content."""

from pathlib import Path

import pytest

from tests.helpers import make_artifact, run
from tests.study.config.configs import merged, planned
from tests.study.freshness.jobs import Reason, job, record
from workflow_scripts.stages import source
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units


def test_a_source_without_its_list_of_files_is_stale(results: Path, units: Units, reason: Reason) -> None:
    wanted = units.settings("source", {"source": "annotations"})
    made = run(source.STAGE, results, "source/annotations", wanted, unit={"source": "annotations"})
    made.path(".files.json").unlink()
    assert reason(job(made.manifest_path, {"source": "annotations"})) == "its list of files is missing"


@pytest.mark.parametrize(
    ("listed", "why"),
    [
        ("[]", "the config states another sha256"),
        ("[7]", "its list of files is damaged"),
        ('{"a": 1}', "its list of files is damaged"),
        ("[{}]", "the config states another sha256"),
        ("{", "its list of files is damaged"),
        ("[" * 100_000, "its list of files is damaged"),
    ],
)
def test_a_fetched_source_with_a_damaged_file_list_is_stale(
    results: Path, reason: Reason, listed: str, why: str
) -> None:
    config = merged("tests/config/tiny.yaml")
    config["annotations"]["source"] = {"at": "https://example.org/a.zip", "sha256": "0" * 64}
    fetched = Units(load_study(config))
    path = make_artifact(results, "source", "annotations", {".files.json": listed.encode(), ".data": b""}, {})
    record(path, fetched, {"source": "annotations"}, {})
    assert reason(job(path, {"source": "annotations"}), of=fetched) == why


def test_a_changed_source_is_always_stale_and_a_missing_source_never(
    results: Path, units: Units, reason: Reason
) -> None:
    wanted = units.settings("source", {"source": "annotations"})
    made = run(source.STAGE, results, "source/annotations", wanted, unit={"source": "annotations"})
    one = job(made.manifest_path, {"source": "annotations"})
    assert reason(one) is None
    path = Path(wanted["at"])
    path.write_bytes(b"other")
    for _ in range(2):
        assert reason(one) == "the source changed"
    path.unlink()
    assert reason(one) is None


def test_a_missing_model_makes_no_finished_artifact_stale(
    results: Path, reason: Reason, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    full = planned()
    path = make_artifact(results, "source", "matcher", {".files.json": b"[]"}, {"source": "matcher"})
    record(path, full, {"source": "matcher"}, {})
    assert reason(job(path, {"source": "matcher"}), of=full) is None
