"""Sweeps: which runs they give, how these are named, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.study.config.configs import ROOT, changed, merged, planned
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.study.config.files import read_config
from workflow_scripts.study.config.runs import short
from workflow_scripts.study.config.stages import declaration
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units

SIMCLR: dict[str, Any] = {"method": "simclr", "pairs": "self", "augmentation": "crop", "seeds": [0, 1]}
UNTRAINED = {"method": "untrained", "pairs": "none", "augmentation": "none"}
GRID = {"steps": [4, 6], "lr": [0.001, 0.003]}
PREFIX = "simclr-self-crop-resnet_small"


def units(*runs: dict[str, Any]) -> Units:
    """The small study with these runs."""
    return planned("tests/config/tiny.yaml", change={"runs": list(runs)})


def keyed(study: Units, run: str) -> dict[str, Any]:
    """The settings in the key of a training."""
    stage = declaration("pretrain")
    assert stage is not None
    return stage.in_key(study.settings("pretrain", {"run": run}))


def test_a_grid_with_seeds_gives_a_tagged_run_for_each_combination() -> None:
    study = units(SIMCLR | {"sweep": GRID})
    assert study.runs == [
        f"{PREFIX}-steps-{steps}_lr-{lr}-s{seed}" for steps in (4, 6) for lr in ("1e-3", "3e-3") for seed in (0, 1)
    ]
    settings = study.trainings[f"{PREFIX}-steps-4_lr-3e-3-s1"].settings
    assert (settings.steps, settings.lr, settings.seed, settings.checkpoints) == (4, 0.003, 1, (2, 4))
    rows = {row["run"]: row for row in study.settings("summary", {})["runs"]}
    assert [rows[run]["tag"] for run in study.runs[::4]] == ["steps-4_lr-1e-3", "steps-6_lr-1e-3"]


def test_the_report_knows_the_values_of_each_point() -> None:
    found = units(SIMCLR, SIMCLR | {"tag": "a", "sweep": GRID}).report_settings()["sweeps"]
    assert len(found) == 8
    assert found[f"{PREFIX}-a_steps-4_lr-3e-3-s1"] == {"tag": "a", "values": {"steps": 4, "lr": 0.003}}


def test_the_order_in_which_settings_are_written_changes_no_name() -> None:
    one, other = (units(SIMCLR | {"sweep": grid}).runs for grid in (GRID, dict(reversed(GRID.items()))))
    assert one != other and sorted(one) == sorted(other)


def test_an_added_sweep_point_leaves_other_runs_and_keys_unchanged() -> None:
    plain = {**SIMCLR, "augmentation": "simclr"}
    before = units(plain, SIMCLR | {"sweep": GRID})
    more = units(plain, SIMCLR | {"sweep": {**GRID, "lr": [*GRID["lr"], 0.01]}})
    assert set(more.runs) - set(before.runs) == {
        f"{PREFIX}-steps-{n}_lr-1e-2-s{seed}" for n in (4, 6) for seed in (0, 1)
    }
    assert [keyed(more, run) for run in before.runs] == [keyed(before, run) for run in before.runs]
    for stage in ("features", "linear_probe", "few_shot", "knn", "saliency"):
        assert set(before.names(stage) or ()) < set(more.names(stage) or ())


def test_a_sweep_point_has_the_key_of_the_same_explicit_settings() -> None:
    swept, written = units(SIMCLR | {"sweep": GRID}), units(SIMCLR | {"set": {"steps": 4, "lr": 0.003}})
    assert keyed(swept, f"{PREFIX}-steps-4_lr-3e-3-s0") == keyed(written, f"{PREFIX}-s0")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (4, "4"),
        (4.0, "4"),
        (0.001, "1e-3"),
        (0.003, "3e-3"),
        (1.5, "15e-1"),
        (250_000, "250000"),
        (1e-6, "1e-6"),
        ("1e-3", "1e-3"),
        (0, "0"),
        (0.0, "0"),
        (1e30, "1e30"),
        (-2.5, "-25e-1"),
        (None, "null"),
        (True, "true"),
        ("bf16", "bf16"),
        ([64, 32], "64-32"),
        ("a.b/c d", "a-b-c-d"),
        (float("inf"), "inf"),
        ({"projector": [64, 32], "temperature": 0.2}, "projector-64-32-temperature-2e-1"),
    ],
)
def test_values_are_short_and_fit_into_file_names(value: Any, shown: str) -> None:
    assert short(value) == shown


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_short_forms_are_equal_only_for_equal_numbers(one: float, other: float) -> None:
    assert (short(one) == short(other)) == (one == other)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        ({"sweep": {}}, "invalid value in config.runs.0.sweep: {}; Dictionary should have at least 1 item"),
        ({"sweep": {"lr": []}}, "invalid value in config.runs.0.sweep.lr: []; List should have at least 1 item"),
        ({"sweep": [{"lr": 1}]}, "invalid value in config.runs.0.sweep: [{'lr': 1}]"),
        ({"sweep": {"lr": 0.1}}, "invalid value in config.runs.0.sweep.lr: 0.1"),
        ({"sweep": {"stepz": [4]}}, "unknown key in config.runs.0.sweep.stepz: 'stepz'; did you mean steps?"),
        ({"sweep": {"seed": [4]}}, "setting without effect in config.runs.0.sweep.seed: [4]; remove it"),
        ({"sweep": {"clip": [{"width": 3}]}}, "setting without effect in config.runs.0.sweep.clip: [{'width': 3}]"),
        ({"set": {"clip": {"widht": 3}}}, "setting without effect in config.runs.0.set.clip: {'widht': 3}; remove it"),
        (UNTRAINED | {"set": {"lr": 1}}, "without effect in config.runs.0.set.lr: 1; remove it; runs of"),
        (
            {"set": {"lr": 0.1}, "sweep": {"lr": [0.2]}},
            "setting in both set and sweep in config.runs.0.sweep.lr: lr; remove it from one of them",
        ),
        ({"sweep": {"lr": [0.1, 0.2, 0.10]}}, "repeated run in config.runs.0: simclr-self-crop-resnet_small-lr-1e-1"),
        ({"sweep": {"steps": [4, "many"]}}, "invalid value in config.runs.0.sweep.steps.1: 'many'"),
        ({"sweep": {"steps": [4, 1]}}, "contradictory settings in config.runs.0"),
        ({"sweep": {"lr": [*range(1, 40)], "weight_decay": [*range(40)]}}, "sweep too large in config.runs.0.sweep"),
        (UNTRAINED | {"sweep": {"lr": [1]}}, "without effect in config.runs.0.sweep.lr: [1]; remove it; runs of"),
    ],
)  # fmt: skip
def test_config_mistakes_are_reported(run: dict[str, Any], message: str) -> None:
    with pytest.raises(PipelineError) as mistake:
        units(SIMCLR | run)
    assert message in str(mistake.value)


def test_points_of_different_items_may_not_have_the_same_name() -> None:
    with pytest.raises(
        PipelineError, match=r"repeated run in config\.runs\.1: simclr-self-crop-resnet_small-lr-1e-2-s0"
    ):
        units(SIMCLR | {"sweep": {"lr": [0.01]}}, SIMCLR | {"tag": "lr-1e-2"})


def test_a_mistake_in_a_sweep_point_is_reported_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("runs:\n- method: simclr\n  pairs: self\n  augmentation: crop\n  sweep:\n    stepz: [4]\n")
    with pytest.raises(PipelineError, match=r"study\.yaml:6 \(runs\.0\.sweep\.stepz\)"):
        load_study(read_config([ROOT / "config.yaml", ROOT / "tests/config/tiny.yaml", path]))


def test_a_shared_blur_is_no_setting_of_a_run_without_blur() -> None:
    blur = {"blur_kernel": 5, "blur": "old_kornia"}
    shared = changed(merged("tests/config/tiny.yaml"), {"pretraining": blur, "runs": [SIMCLR]})
    plain = planned("tests/config/tiny.yaml", change={"runs": [SIMCLR]})
    run = f"{PREFIX}-s0"
    assert Units(load_study(shared)).settings("pretrain", {"run": run}) == plain.settings("pretrain", {"run": run})
