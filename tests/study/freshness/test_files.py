"""Files that are missing, damaged or unreadable: which artifacts are then stale."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import make_artifact, run
from tests.study.freshness.jobs import ALL, Reason, job, record
from workflow_scripts.core import artifact
from workflow_scripts.core import record as record_module
from workflow_scripts.stages import source
from workflow_scripts.study.freshness import Freshness
from workflow_scripts.study.units import PlannedJob, Units


def test_a_target_without_a_data_file_is_stale_and_an_input_is_left_to_its_reader(
    card: PlannedJob, reason: Reason
) -> None:
    text, tar = (
        Path(path.replace(".manifest.json", end))
        for path, end in ((card.outputs[0], ".txt"), (card.inputs["download"][0], ".tar"))
    )
    tar.unlink()
    assert reason(job(Path(card.inputs["download"][0]), {"shard": "00000"}), card) is None
    text.write_bytes(b"xy")
    assert reason(card) == "data_card.txt is missing or has another size"
    text.unlink()
    assert reason(card) == reason(card, triggers=frozenset({"mtime"})) == "data_card.txt is missing or has another size"


def test_a_missing_artifact_is_compared_by_the_cache(results: Path, units: Units, reason: Reason) -> None:
    """What was made from it recorded its hash; the cache holds the run record of that hash."""
    plan = make_artifact(results, "shard_plan", "plan", {".json": b"{}"})
    record(plan, units, {}, {})
    card = make_artifact(results, "data_card", "data_card", {".txt": b"x"})
    record(card, units, {}, {"plan": [plan]})
    entry = results / ".cache" / "shard_plan" / "somekey"
    entry.mkdir(parents=True)
    plan.rename(entry / "manifest.json")
    recorded = json.loads(plan.with_name("plan.run.json").read_bytes())
    plan.with_name("plan.run.json").rename(entry / "run.json")
    jobs = [job(card, plan=[plan]), job(plan)]
    assert reason(*jobs[::-1]) is None
    check = Freshness(results, units)
    assert check.decide(jobs[::-1], ALL) == dict.fromkeys(jobs, False)
    (entry / "run.json").write_text(json.dumps({**recorded, "code": "other"}))
    check = Freshness(results, units)
    assert list(check.decide(jobs[::-1], ALL).values()) == [False, True]
    assert check.reasons == {str(plan): "made by other code"}
    (entry / "manifest.json").unlink()
    check = Freshness(results, units)
    check.decide(jobs[::-1], ALL)
    assert check.reasons == {str(plan): "it is missing, and not in the cache"}


def test_an_artifact_not_yet_computed_is_not_stale(results: Path, reason: Reason) -> None:
    assert reason(job(results / "study" / "shard_plan" / "plan.manifest.json")) is None


@pytest.mark.parametrize("content", [None, b"{", b"[]", b"\xff"])
def test_an_artifact_without_a_readable_record_is_stale_unless_cached(
    results: Path, units: Units, card: PlannedJob, reason: Reason, content: bytes | None
) -> None:
    path = Path(card.outputs[1])
    known = path.read_bytes()
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert reason(card) == "its run record is missing or unreadable"
    entry = results / ".cache" / "data_card" / "somekey"
    entry.mkdir(parents=True)
    (entry / "manifest.json").write_bytes(Path(card.outputs[0]).read_bytes())
    (entry / "run.json").write_bytes(known)
    assert reason(card) is None


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE])
@pytest.mark.parametrize("place", [0, 1])
def test_a_failing_disk_makes_nothing_stale(
    card: PlannedJob, reason: Reason, monkeypatch: pytest.MonkeyPatch, number: int, place: int
) -> None:
    failing = Path(card.outputs[place] if place else card.inputs["download"][0])

    def failing_at(read: Callable[..., bytes]) -> Callable[..., bytes]:
        def fails(path: Path, *limits: int) -> bytes:
            if path == failing:
                raise OSError(number, "it fails", str(path))
            return read(path, *limits)

        return fails

    for module in (artifact, record_module):
        monkeypatch.setattr(module, "read_bytes", failing_at(artifact.read_bytes))
    with pytest.raises(OSError, match="it fails"):
        reason(card)


def test_a_manifest_that_names_an_outside_file_is_damaged(results: Path, card: PlannedJob, reason: Reason) -> None:
    manifest = Path(card.outputs[0])
    (manifest.parent.parent / "secret").write_bytes(b"x")
    content = json.loads(manifest.read_bytes())
    content["files"]["/../../secret"] = {"sha256": "0" * 64, "bytes": 1}
    (manifest.parent / manifest.name.removesuffix(".manifest.json")).mkdir()
    manifest.write_text(json.dumps(content))
    assert reason(card) == "its manifest is damaged"


@pytest.mark.parametrize("name", ["manifest", "record", "input", "listing", "entry"])
def test_no_file_that_is_a_pipe_is_waited_for(
    results: Path, units: Units, card: PlannedJob, reason: Reason, name: str
) -> None:
    def replace(path: Path) -> None:
        path.unlink(missing_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)

    if name == "manifest":
        replace(Path(card.outputs[0]))
        assert reason(card) == "its manifest is damaged"
    elif name == "record":
        replace(Path(card.outputs[1]))
        assert reason(card) == "its run record is missing or unreadable"
    elif name == "input":
        replace(Path(card.inputs["download"][0]))
        assert reason(card) == "made from another download"
    elif name == "entry":
        replace(results / ".cache/data_card/key/manifest.json")
        Path(card.outputs[1]).unlink()
        assert reason(card) == "its run record is missing or unreadable"
    else:
        wanted = units.settings("source", {"source": "annotations"})
        made = run(source.STAGE, results, "source/annotations", wanted, unit={"source": "annotations"})
        replace(made.location(".files.json"))
        assert reason(job(made.manifest_path, {"source": "annotations"})) == "its list of files is damaged"
