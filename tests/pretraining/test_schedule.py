"""How epochs become steps."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from safetensors.torch import load_file

from tests.pretraining.shapes import SMALL, plan
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.monitor.live_curve import CURVE_LINES, read_curve
from workflow_scripts.pretraining.schedule import Schedule, schedule
from workflow_scripts.pretraining.settings import Pretrain, step_name
from workflow_scripts.pretraining.training.interrupt import Interrupt
from workflow_scripts.pretraining.training.trainer import train


def settings(**changed: Any) -> Pretrain:
    """A run of batches of 8; of 6 steps and a warm-up of 2 unless lengths are given."""
    return Pretrain.model_validate({**SMALL, "checkpoints": [], **changed})


def test_checkpoints_are_named_by_step_or_epoch() -> None:
    assert [step_name(200), step_name(10, epochs=True), step_name("best", epochs=True)] == [
        "step-000200",
        "epoch-0010",
        "best",
    ]


def test_an_epoch_leaves_out_the_pairs_that_fill_no_batch() -> None:
    run = settings(steps=None, epochs=10, checkpoints=[1, 4, 10])
    assert schedule(run, 31) == Schedule(30, 3, 2, {3: "epoch-0001", 12: "epoch-0004", 30: "epoch-0010"})
    assert schedule(run, 32).steps == 40


def test_steps_do_not_depend_on_the_number_of_pairs() -> None:
    run = settings(steps=6, checkpoints=[2, 4])
    assert schedule(run, 31) == Schedule(6, 3, 2, {2: "step-000002", 4: "step-000004"})
    assert schedule(run, 1000).steps == 6


def test_a_warm_up_in_epochs_is_converted_to_steps() -> None:
    run = settings(steps=None, epochs=3, warmup_steps=None, warmup_epochs=0.5)
    assert (schedule(run, 40).warmup, schedule(run, 40).steps) == (2, 15)
    assert schedule(settings(warmup_steps=None, warmup_epochs=1), 16).warmup == 2
    too_long = settings(steps=None, epochs=2, warmup_steps=6)
    with pytest.raises(
        PipelineError, match=r"warm-up too long .*takes 6 steps, but the run has 6, 3 of them per epoch"
    ):
        schedule(too_long, 24)


def test_settings_of_steps_are_compared_with_epochs_once_the_pairs_are_counted() -> None:
    head = {"frozen_steps": 7, "queue": 0}
    run = settings(method="swav", simclr=None, swav=head, steps=None, epochs=2, warmup_steps=1)
    assert schedule(run, 32).steps == 8
    assert schedule(run, 0).steps == 0, "not counted yet"
    with pytest.raises(
        PipelineError, match=r"setting without effect .*swav\.frozen_steps is 7, but the run has 6 steps"
    ):
        schedule(run, 24)


def test_log_spaced_checkpoints_are_in_epochs() -> None:
    assert settings(steps=None, epochs=100, checkpoints={"log_spaced": 3, "first": 1}).checkpoints == (1, 10)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"steps": 6, "epochs": 2}, "steps 6 and epochs 2 are both given; one must be null"),
        ({"steps": None}, "neither steps nor epochs is given"),
        ({"warmup_epochs": 1}, "warmup_steps 2 and warmup_epochs 1 are both given"),
        (
            {"steps": None, "epochs": 2, "warmup_steps": None, "warmup_epochs": 2},
            "warmup_epochs is 2.0, but the run has",
        ),
        ({"steps": None, "epochs": 2, "checkpoints": [3]}, "checkpoint 3 is not among the run's epochs, 1 to 2"),
        ({"steps": None, "epochs": 0}, "greater than 0"),
    ],
)
def test_lengths_that_contradict_each_other(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**changed)


def test_only_the_lengths_that_a_run_uses_are_in_its_key() -> None:
    in_steps, in_epochs = settings(steps=6), settings(steps=None, epochs=2)
    assert not {"epochs", "warmup_epochs"} & in_steps.model_dump(mode="json").keys()
    assert in_epochs.model_dump(mode="json") == in_steps.model_dump(mode="json") | {"steps": None, "epochs": 2}
    for run in (in_steps, in_epochs):
        assert Pretrain.model_validate_json(run.model_dump_json()) == run


def test_the_length_that_a_run_is_certain_to_reach() -> None:
    probe: dict[str, Any] = {"probe": {"every": 1}, "patience": 2}
    assert settings(**probe).sure_length == 3
    assert settings(steps=None, epochs=5).sure_length == 5
    assert settings(steps=None, epochs=5, **probe).sure_length == 0


def test_epochs_train_as_their_steps_do(tmp_path: Path) -> None:
    """24 images in batches of 8: two epochs are six steps."""
    runs = {"steps": {"steps": 6, "checkpoints": [3]}, "epochs": {"steps": None, "epochs": 2, "checkpoints": [1]}}
    for name, changed in runs.items():
        train(plan(tmp_path / name, **changed), Interrupt())
    first, second = (tmp_path / name / "work" for name in runs)
    assert (first / "outcome.json").read_bytes() == (second / "outcome.json").read_bytes()
    for one, other in (("last", "last"), ("step-000003", "epoch-0001")):
        weights = load_file(first / f"{one}.safetensors"), load_file(second / f"{other}.safetensors")
        assert all((weights[0][key] == value).all() for key, value in weights[1].items())
    rows = read_curve(second / CURVE_LINES)
    assert [row["epoch"] for row in rows] == pytest.approx([step / 3 for step in range(7)])
    assert {row["steps"] for row in rows} == {6}
    assert json.loads((second / "outcome.json").read_text())["curve"][-1]["lr"] == pytest.approx(1e-6)
