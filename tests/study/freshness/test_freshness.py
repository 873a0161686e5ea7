"""What the run records say of an artifact, compared with the study of today."""

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers import make_artifact
from tests.study.freshness.jobs import ALL, CPU, Reason, job, record, study
from workflow_scripts.core.artifact import manifest_hash
from workflow_scripts.core.key import artifact_key
from workflow_scripts.study.config.stages import declaration
from workflow_scripts.study.freshness import Freshness, other_keys, other_settings
from workflow_scripts.study.units import PlannedJob, Units


def test_an_artifact_with_unchanged_settings_code_and_inputs_is_fresh(card: PlannedJob, reason: Reason) -> None:
    assert reason(card) is None


@pytest.mark.parametrize(
    ("changes", "trigger", "said"),
    [
        ({"code": "other"}, "code", "made by other code"),
        ({"settings": {"confidence": 0.5}}, "params", "made with other settings (confidence 0.5 then, null today)"),
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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, None),
        ({"code": "other"}, "made by other code"),
        ({"environment": {**CPU, "packages": {"numpy": "0.9"}}}, "numpy 0.9 then, none today"),
    ],
)
def test_each_part_of_the_key_gives_another_one_packages_too(
    results: Path, units: Units, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str | None
) -> None:
    monkeypatch.setattr("workflow_scripts.study.freshness.environment", lambda *_: {"packages": {}})
    made = make_artifact(results, "shard_plan", "plan", {".parquet": b"x"})
    rows = make_artifact(results, "annotations", "rows", {".parquet": b"x"})
    gone = make_artifact(results, "select_captions", "gone", {".parquet": b"x"})
    record(made, units, {}, {"annotations": [rows]}, **changes)
    study = made.parent.parent.name
    found = other_keys(results, units, study, ["shard_plan/plan", f"select_captions/{gone.name.split('.')[0]}"])
    expected = {} if said is None else {"shard_plan/plan": said}
    assert found == expected | {"select_captions/gone": "the study no longer has it"}


def test_a_bug_is_not_reported_as_a_damaged_record(
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


def test_a_planned_input_is_compared_by_name_before_it_exists(results: Path, card: PlannedJob, reason: Reason) -> None:
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


def test_other_lists_of_objects_are_counted_and_their_keys_named(units: Units) -> None:
    today = units.settings("summary", {})
    runs = today["runs"]
    changed = [{**runs[0], "alike": "other"}, *runs[1:]]
    for then, said in (
        (changed, "runs: alike differs in 1"),
        (runs[1:], "runs: 1 added"),
        ([*changed[:-1], {**runs[-1], "run": "gone"}], "runs: 1 added, 1 removed, alike differs in 1"),
        (runs[::-1], "runs: in another order"),
    ):
        assert other_settings({"settings": {**today, "runs": then}}, "summary", today) == [said]


def test_other_objects_are_told_by_their_values_that_differ(units: Units) -> None:
    today = units.settings("report", {})
    methods = today["methods"]
    then = {**methods, "image_side": 7, "arms": {**methods["arms"], "gone": "x"}}
    assert other_settings({"settings": {**today, "methods": then}}, "report", today) == [
        f'methods.arms.gone "x" then, null today; methods.image_side 7 then, {methods["image_side"]} today'
    ]
    many = {**methods, "evaluation": dict.fromkeys("abcde", 1)}
    (said,) = other_settings(
        {"settings": {**today, "methods": many}}, "report", {**today, "methods": {**methods, "evaluation": {}}}
    )
    assert said.endswith("methods.evaluation.c 1 then, null today; 2 more in methods.evaluation")


def test_equal_values_in_other_notation_and_new_defaults_do_not_count(units: Units) -> None:
    today = units.settings("pretrain", {"run": units.runs[0]})
    older = {name: value for name, value in today.items() if name != "patience"} | {"lr": 0.008, "log_every": 2}
    del older["probe"]["temperature"]
    today = {**units.settings("pretrain", {"run": units.runs[0]}), "lr": 8e-3}
    assert other_settings({"settings": older}, "pretrain", today) == []
    assert other_settings({"settings": older}, "pretrain", {**today, "patience": 3}) == ["patience null then, 3 today"]
    unknown = {**older, "gone": 1}
    assert "gone 1 then, null today" in other_settings({"settings": unknown}, "pretrain", today)


def test_stale_jobs_to_run_are_logged_once_per_stage_with_the_reason(
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


@settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture], max_examples=60
)
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
    check._code = lambda *_: now["code"]
    today.settings = lambda *_: recorded[1]["settings"]  # type: ignore[method-assign]
    planned = job(made, unit, **({"vectors": [read[name] for name in now["inputs"]]} if now["inputs"] else {}))
    assert check.decide([planned], ALL) == {planned: keys[0] != keys[1]}
