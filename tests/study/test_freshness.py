"""What the run records say of an artifact, compared with the study of today."""

import copy
import errno
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers import make_artifact, run
from tests.study.config.test_study import merged
from workflow_scripts.core import artifact
from workflow_scripts.core.artifact import manifest_hash
from workflow_scripts.core.digest import code_digest
from workflow_scripts.core.files import bounded_json
from workflow_scripts.core.key import artifact_key
from workflow_scripts.stages import source
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.freshness import Freshness, other_settings
from workflow_scripts.study.snakemake.planning import PlannedJob
from workflow_scripts.study.stages import declaration
from workflow_scripts.study.units import Units

ALL = frozenset({"code", "input", "mtime", "params", "software-env"})
CPU = {"device": "cpu", "threads": 1, "packages": {}}
STAGES = Path(source.__file__).parent


def study(tmp_path: Path, **compute: object) -> Units:
    """A study whose annotation zip is a file of this test."""
    (tmp_path / "a.zip").write_bytes(b"first")
    config = merged("tests/config/tiny.yaml")
    config["annotations"]["source"] = str(tmp_path / "a.zip")
    config["compute"] |= compute
    return Units(load_study(config))


@pytest.fixture
def units(tmp_path: Path) -> Units:
    return study(tmp_path)


def job(manifest: Path, unit: Mapping[str, str] | None = None, **inputs: Sequence[Path]) -> PlannedJob:
    """The job of an artifact, as it is planned today."""
    named = {name: [str(path) for path in paths] for name, paths in inputs.items()}
    run = str(manifest).replace(".manifest.json", ".run.json")
    return PlannedJob(manifest.parent.name, dict(unit or {}), named, [str(manifest), run], requested=True)


def record(
    manifest: Path, units: Units, unit: dict[str, str], read: Mapping[str, Sequence[Path]], **changes: Any
) -> None:
    """Write an artifact's run record: made by today's code and settings, but for ``changes``."""
    stage = manifest.parent.name
    values: dict[str, Any] = {"stage": stage, "unit": unit, "code": code_digest(stage), "environment": CPU}
    values["settings"] = units.settings(stage, unit)
    values["input_files"] = {name: [str(path) for path in paths] for name, paths in read.items()}
    values["inputs"] = {name: [manifest_hash(path) for path in paths] for name, paths in read.items()}
    path = Path(str(manifest).replace(".manifest.json", ".run.json"))
    path.write_text(json.dumps({**values, **changes}))


Reason = Callable[..., str | None]


@pytest.fixture
def reason(results: Path, units: Units) -> Reason:
    """Why the artifact of the last job is stale, or None."""

    def ask(*jobs: PlannedJob, of: Units = units, triggers: frozenset[str] = ALL) -> str | None:
        check = Freshness(results, of)
        stale = check.decide(jobs, triggers)[jobs[-1]]
        why = check.reasons.get(jobs[-1].outputs[0])
        assert stale == (why is not None)
        return why

    return ask


@pytest.fixture
def card(results: Path, units: Units) -> PlannedJob:
    """A data card that is as today's code, settings and inputs make it."""
    shards = [make_artifact(results, "download", name, {".tar": name.encode()}) for name in ("00000", "00001")]
    made = make_artifact(results, "data_card", "data_card", {".txt": b"x"})
    record(made, units, {}, {"download": shards})
    return job(made, download=shards)


def test_what_would_be_made_as_it_was_is_fresh(card: PlannedJob, reason: Reason) -> None:
    assert reason(card) is None


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


@pytest.mark.parametrize(
    ("changes", "trigger", "said"),
    [
        ({"code": "other"}, "code", "made by other code"),
        (
            {"settings": {"confidence": 0.5, "hosts_shown": 12}},
            "params",
            "made with other settings (confidence 0.5 then, 0.95 today)",
        ),
        ({"environment": {**CPU, "threads": 8}}, "params", "computed with 8 math threads, but the config says 1"),
        ({"environment": {**CPU, "device": "cuda"}}, "params", "computed on cuda, but the config says cpu"),
        ({"input_files": {}, "inputs": {}}, "input", "made from other inputs (download: 0 then, 2 today)"),
    ],
)
def test_each_part_of_the_key_is_compared_and_its_trigger_switches_that_off(
    card: PlannedJob, units: Units, reason: Reason, changes: dict[str, Any], trigger: str, said: str
) -> None:
    inputs = {name: [Path(path) for path in paths] for name, paths in card.inputs.items()}
    record(Path(card.outputs[0]), units, {}, inputs, **changes)
    assert reason(card) == said
    assert reason(card, triggers=ALL - {trigger}) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"environment": None},
        {"environment": {"device": "cpu"}},
        {"code": 7},
        {"settings": []},
        {"inputs": {"download": "ab"}},
        {"inputs": {"download": [7, 8]}},
        {"input_files": None},
    ],
)
def test_a_record_without_what_is_compared_is_damaged(
    card: PlannedJob, units: Units, reason: Reason, changes: dict[str, Any]
) -> None:
    inputs = {name: [Path(path) for path in paths] for name, paths in card.inputs.items()}
    record(Path(card.outputs[0]), units, {}, inputs, **changes)
    assert reason(card) == "its run record is damaged"


def test_a_fault_of_our_own_is_not_taken_for_a_damaged_record(
    card: PlannedJob, units: Units, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise KeyError("resnet18")

    monkeypatch.setattr(units, "settings", fails)
    with pytest.raises(KeyError, match="resnet18"):
        Freshness(results, units).decide([card], ALL)


def test_changed_content_and_a_changed_order_of_inputs_always_count(
    results: Path, card: PlannedJob, reason: Reason
) -> None:
    shards = [Path(path) for path in card.inputs["download"]]
    swapped = job(Path(card.outputs[0]), download=shards[::-1])
    assert reason(swapped) == reason(swapped, triggers=frozenset({"mtime"})) == "made from another download"
    make_artifact(results, "download", "00001", {".tar": b"other"})
    assert reason(card, triggers=frozenset({"mtime"})) == "made from another download"


def test_a_new_input_counts_by_name_before_it_is_there(results: Path, card: PlannedJob, reason: Reason) -> None:
    first, second = (Path(path) for path in card.inputs["download"])
    more = job(Path(card.outputs[0]), download=[first, second, second.with_name("00002.manifest.json")])
    assert reason(more) == "made from other inputs (download: 2 then, 3 today)"
    other = job(Path(card.outputs[0]), download=[first, second.with_name("00002.manifest.json")])
    label = "download/0000{}"
    assert reason(other) == f"made from other inputs (download: {label.format(1)} then, {label.format(2)} today)"


@pytest.mark.parametrize(("wanted", "stale"), [("auto", False), ("cuda", True)])
def test_the_device_of_the_config(
    results: Path, tmp_path: Path, units: Units, reason: Reason, wanted: str, stale: bool
) -> None:
    made = make_artifact(results, "embed_images", "blip2", {".npy": b"x"})
    record(made, units, {"encoder": "blip2"}, {})
    today = study(tmp_path, device=wanted, math_threads=1)
    assert reason(job(made, {"encoder": "blip2"}), of=today) == (
        "computed on cpu, but the config says cuda" if stale else None
    )
    card = make_artifact(results, "data_card", "data_card", {".txt": b"x"})
    record(card, units, {}, {})
    assert reason(job(card), of=today) is None, "computes on the CPU whatever the config says"


def test_fetched_bytes_depend_on_no_device_or_threads_or_settings_outside_the_key(
    results: Path, tmp_path: Path, units: Units, reason: Reason
) -> None:
    made = make_artifact(results, "download", "00000", {".tar": b"x"})
    own = units.settings("download", {"shard": "00000"}) | {"attempts": 77}
    record(made, units, {"shard": "00000"}, {}, settings=own, environment={**CPU, "threads": 64})
    one = job(made, {"shard": "00000"})
    assert reason(one, of=study(tmp_path, device="cuda", math_threads=3)) is None
    record(made, units, {"shard": "00000"}, {}, settings=own | {"jpeg_quality": 3})
    assert reason(one) == "made with other settings (jpeg_quality 3 then, 90 today)"


def test_neither_the_way_a_value_is_written_nor_a_default_that_is_new_counts(units: Units) -> None:
    today = units.settings("pretrain", {"run": units.runs[0]})
    older = {name: value for name, value in today.items() if name != "patience"} | {"lr": 0.008, "log_every": 2}
    del older["probe"]["temperature"]
    today = {**units.settings("pretrain", {"run": units.runs[0]}), "lr": 8e-3}
    assert other_settings({"settings": older}, "pretrain", today) == []
    assert other_settings({"settings": older}, "pretrain", {**today, "patience": 3}) == ["patience null then, 3 today"]
    unknown = {**older, "gone": 1}
    assert "gone 1 then, null today" in other_settings({"settings": unknown}, "pretrain", today)


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


def test_what_nothing_was_made_from_is_not_missed(results: Path, reason: Reason) -> None:
    assert reason(job(results / "study" / "shard_plan" / "plan.manifest.json")) is None


@pytest.mark.parametrize("content", [None, b"{", b"[]", b"\xff"])
def test_an_artifact_without_a_readable_record_is_stale_unless_the_cache_knows_it(
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
def test_a_disk_that_fails_makes_nothing_stale(
    card: PlannedJob, reason: Reason, monkeypatch: pytest.MonkeyPatch, number: int, place: int
) -> None:
    failing = Path(card.outputs[place] if place else card.inputs["download"][0])

    def failing_at(read: Callable[..., bytes]) -> Callable[..., bytes]:
        def fails(path: Path, *limits: int) -> bytes:
            if path == failing:
                raise OSError(number, "it fails", str(path))
            return read(path, *limits)

        return fails

    for module in (artifact, bounded_json):
        monkeypatch.setattr(module, "read_bytes", failing_at(bounded_json.read_bytes))
    with pytest.raises(OSError, match="it fails"):
        reason(card)


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
def test_a_damaged_list_of_a_fetched_source_makes_it_stale(
    results: Path, reason: Reason, listed: str, why: str
) -> None:
    config = merged("tests/config/tiny.yaml")
    config["annotations"]["source"] = {"at": "https://example.org/a.zip", "sha256": "0" * 64}
    fetched = Units(load_study(config))
    path = make_artifact(results, "source", "annotations", {".files.json": listed.encode(), ".data": b""}, {})
    record(path, fetched, {"source": "annotations"}, {})
    assert reason(job(path, {"source": "annotations"}), of=fetched) == why


def test_a_run_record_that_is_a_pipe_is_not_waited_for(results: Path, units: Units, reason: Reason) -> None:
    made = make_artifact(results, "recaption", "00000", {".parquet": b"x"})
    run_record = Path(str(made).replace(".manifest.json", ".run.json"))
    run_record.unlink()
    os.mkfifo(run_record)
    assert reason(job(made, {"shard": "00000"})) == "its run record is missing or unreadable"


@pytest.mark.parametrize("name", ["manifest", "input", "listing", "entry"])
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


def test_a_changed_source_is_told_every_time_and_a_missing_one_stops_nothing(
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


def test_a_model_that_is_nowhere_stops_nothing_that_is_finished(
    results: Path, reason: Reason, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    full = Units(load_study(merged()))
    path = make_artifact(results, "source", "matcher", {".files.json": b"[]"}, {"source": "matcher"})
    record(path, full, {"source": "matcher"}, {})
    assert reason(job(path, {"source": "matcher"}), of=full) is None


def test_stale_jobs_that_run_are_told_with_their_reason_once_for_each_stage(
    results: Path, units: Units, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = []
    for name in ("00000", "00001", "00002"):
        made = make_artifact(results, "recaption", name, {".parquet": b"x"})
        record(made, units, {"shard": name}, {}, code="other")
        jobs.append(job(made, {"shard": name}))
    check = Freshness(results, units)
    check.decide(jobs, ALL)
    check.tell(jobs[1:], dry_run=True)
    (line,) = caplog.messages
    assert line == f"2 artifacts of recaption ({jobs[1].outputs[0]}, ...): made by other code; recomputed"
    caplog.clear()
    check.tell(jobs[:1], dry_run=True)
    assert caplog.messages == [f"{jobs[0].outputs[0]}: made by other code; recomputed"]
    caplog.clear()
    check.tell([], dry_run=True)
    assert caplog.messages == []


PARTS = {
    "code": st.sampled_from(["today", "other"]),
    "settings": st.fixed_dictionaries(
        {"lr": st.sampled_from([8e-3, 9e-3]), "checkpoint_every": st.sampled_from([2, 5]), "cache_mb": st.just(9)}
    ),
    "inputs": st.lists(st.sampled_from(["a", "b", "c"]), unique=True, max_size=3),
    "device": st.sampled_from(["cpu", "cuda"]),
    "threads": st.sampled_from([1, 2]),
}
MADE = st.fixed_dictionaries(PARTS)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(then=MADE, now=MADE, stage=st.sampled_from(["pretrain", "data_card"]))
def test_stale_is_what_would_have_another_key(
    results: Path, units: Units, then: dict[str, Any], now: dict[str, Any], stage: str
) -> None:
    """Run and check agree on what is in the key, for any two ways to make an artifact."""
    read = {name: make_artifact(results, "embed_images", name, {".npy": name.encode()}) for name in "abc"}
    unit = {"run": units.runs[0]} if stage == "pretrain" else {}
    base, declared = units.settings(stage, unit), declaration(stage)
    made = make_artifact(results, stage, "x", {".x": b"x"})
    recorded, keys = [], []
    for one in (then, now):
        own = {**base, **(one["settings"] if stage == "pretrain" else {})}
        where = {"device": declared.device(one["device"]), "threads": one["threads"], "packages": {}}
        hashes = {"vectors": [manifest_hash(read[name]) for name in one["inputs"]]} if one["inputs"] else {}
        recorded.append({"code": one["code"], "settings": own, "environment": where, "inputs": hashes})
        keys.append(artifact_key(stage, unit, one["code"], declared.in_key(own), hashes, where))
    record(made, units, unit, {"vectors": [read[name] for name in then["inputs"]]}, **recorded[0])
    today = copy.copy(units)
    compute = units.study.compute.model_copy(update={"device": now["device"], "math_threads": now["threads"]})
    today.study = units.study.model_copy(update={"compute": compute})
    check = Freshness(results, today)
    check._code = lambda _: now["code"]
    today.settings = lambda *_: recorded[1]["settings"]  # type: ignore[method-assign]
    planned = job(made, unit, **({"vectors": [read[name] for name in now["inputs"]]} if now["inputs"] else {}))
    assert check.decide([planned], ALL) == {planned: keys[0] != keys[1]}
