"""Which checkpoints runs keep, and which of them are evaluated."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.study.config.configs import merged, planned
from workflow_scripts.core.errors import PipelineError, PipelineErrors
from workflow_scripts.pretraining.schedule import schedule
from workflow_scripts.pretraining.settings import LogSpaced, Pretrain
from workflow_scripts.pretraining.training.run_metadata import kept_checkpoints
from workflow_scripts.study.config.run_checks import kept_errors
from workflow_scripts.study.config.runs import Item, Training
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.units import Units

BASE = {"method": "simclr", "pairs": "self", "augmentation": "simclr", "warmup_steps": 0}
PROBE = {"every": 10}


def run(steps: int, checkpoints: object, **more: Any) -> Pretrain:
    return Pretrain.model_validate({**BASE, "steps": steps, "checkpoints": checkpoints, **more})


def evaluated(wanted: list[int | str], runs: dict[str, Pretrain]) -> dict[str, list[str]]:
    """Names of the evaluated checkpoints of runs with these settings."""
    study = load_study(merged("tests/config/tiny.yaml"))
    evaluation = study.evaluation.model_copy(update={"steps": tuple(wanted)})
    study = study.model_copy(update={"evaluation": evaluation})
    return {name: Training(study, Item(study.runs[0], 0, {}), settings).steps for name, settings in runs.items()}


def units(**sections: Any) -> Units:
    """The small study with these sections changed."""
    return planned("tests/config/tiny.yaml", change=sections)


@given(st.integers(2, 12), st.integers(1, 3_000), st.integers(1, 300_000))
def test_log_spaced_steps_lie_before_the_end_and_spread_evenly(count: int, first: int, end: int) -> None:
    steps = LogSpaced(log_spaced=count, first=first).steps(end)
    assert steps == sorted(set(steps)) and len(steps) < count
    assert all(0.95 * first <= step < end for step in steps)
    # Both spellings are the same settings, and so the same key.
    assert run(end, {"log_spaced": count, "first": first}) == run(end, steps) == run(end, [*steps, *steps[::-1]])


def test_the_defaults_are_log_spaced() -> None:
    assert run(250_000, {}).checkpoints == (1000, 2200, 4800, 11_000, 23_000, 52_000, 110_000)
    assert Pretrain.model_validate({**BASE, "steps": 250_000}) == run(250_000, {})
    assert run(200, {}).kept == ["last"]
    assert run(200, [50], probe=PROBE).kept == [50, "best", "last"]


def test_evaluation_picks_from_what_each_run_keeps() -> None:
    untrained = Pretrain.model_validate({"method": "untrained", "pairs": "none", "augmentation": "none", "steps": 0})
    runs = {"long": run(200, [50, 150], probe=PROBE), "short": run(100, [50]), "floor": untrained}
    assert evaluated([150, "last", "best", 50, "last"], runs) == {
        "long": ["step-000150", "last", "best", "step-000050"],
        "short": ["last", "step-000050"],
        "floor": ["last"],
    }


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (
            100,
            "no run keeps this checkpoint in config.evaluation.steps.0: 100; choose from 50, 150, last, or add it to",
        ),
        ("best", "no run keeps this checkpoint in config.evaluation.steps.0: best; choose from 50, 150, last, or give"),
    ],
)
def test_evaluating_a_checkpoint_that_no_run_keeps_is_an_error(step: int | str, message: str) -> None:
    (error,) = kept_errors([step], {}, {"long": run(200, [50, 150]), "short": run(100, [50])})
    assert message in str(error)


def test_evaluating_a_step_that_a_run_may_not_reach_is_an_error() -> None:
    runs = {"run": run(100, [20, 30, 40], probe=PROBE, patience=2)}
    assert evaluated([30, "best"], runs) == {"run": ["step-000030", "best"]}
    (error,) = kept_errors([30, 40], {}, runs)
    assert "not be reached in config.evaluation.steps.1: 40; run may stop earlier: use steps up to 30" in str(error)
    kept = kept_checkpoints(runs["run"], schedule(runs["run"], 512), {"step": 30, "best_step": 10})
    assert kept == {"step-000020": 20, "step-000030": 30, "best": 10, "last": 30}


def test_numbers_are_epochs_in_runs_with_epochs() -> None:
    epochs = Pretrain.model_validate({**BASE, "epochs": 90, "checkpoints": [10, 50]})
    runs = {"steps": run(200, [50]), "epochs": epochs}
    assert evaluated([50, 10, "last"], runs) == {
        "steps": ["step-000050", "last"],
        "epochs": ["epoch-0050", "epoch-0010", "last"],
    }
    assert list(kept_errors([50], {"epochs": 90, "checkpoints": [50, 90]}, runs)) == []
    (error,) = kept_errors([50], {"epochs": 90, "checkpoints": [50, 91]}, runs)
    assert "config.pretraining.checkpoints.1: 91; the longest run has 90 epochs" in str(error)
    stopped = {"run": Pretrain.model_validate({**epochs.model_dump(), "probe": PROBE, "patience": 2})}
    (error,) = kept_errors([10], {}, stopped)
    assert "10; run may stop earlier: use last or best, or set patience to null" in str(error)


def test_a_run_may_have_epochs_where_the_others_have_steps() -> None:
    head = {"method": "simclr", "pairs": "self", "augmentation": "crop"}
    runs = [head, head | {"tag": "long", "set": {"epochs": 12, "warmup_epochs": 1, "checkpoints": [3, 6]}}]
    study = units(runs=runs, evaluation={"steps": [6, 4, "last"]}, pretraining={"checkpoints": [2, 4]})
    in_steps, in_epochs = (study.settings("pretrain", {"run": name}) for name in study.runs)
    differ = {"steps": None, "epochs": 12, "warmup_steps": None, "warmup_epochs": 1.0, "checkpoints": [3, 6]}
    assert in_epochs == in_steps | differ
    assert [study.trainings[name].steps for name in study.runs] == [["step-000004", "last"], ["epoch-0006", "last"]]
    assert study.settings("report", {})["headline_step"] == "epoch-0006"
    shared = {"steps": None, "epochs": 12, "checkpoints": [3, 6]}
    other = units(runs=[head, head | {"tag": "short", "set": {"steps": 6}}], pretraining=shared)
    assert [other.trainings[name].settings.checkpoints for name in other.runs] == [(3, 6), ()]
    assert [other.trainings[name].settings.steps for name in other.runs] == [None, 6]
    swept = units(runs=[head | {"sweep": {"epochs": [1, 2]}}])
    assert [name.split("-", 4)[4] for name in swept.runs] == ["epochs-1-s0", "epochs-2-s0"]


def test_both_lengths_are_a_contradiction_that_names_the_run() -> None:
    head = {"method": "simclr", "pairs": "self", "augmentation": "crop"}
    with pytest.raises(
        PipelineError, match=r"in config\.runs\.0: steps 6 and epochs 2 are both given; one must be null"
    ):
        units(runs=[head], pretraining={"epochs": 2})


def test_the_evaluated_steps_do_not_change_training_settings() -> None:
    before, after = units(), units(evaluation={"steps": ["last", 2, "best"]})
    assert [before.settings("pretrain", {"run": run}) for run in before.runs] == [
        after.settings("pretrain", {"run": run}) for run in after.runs
    ]
    assert len(after.checkpoints) == 3 * 3 + 1


def test_a_shorter_run_skips_steps_beyond_its_length() -> None:
    runs = [
        {"method": "simclr", "pairs": "self", "augmentation": "simclr", "seeds": [0]},
        {"method": "simclr", "pairs": "self", "augmentation": "crop", "seeds": [0], "set": {"steps": 3}},
    ]
    found = units(runs=runs, evaluation={"steps": [2, 4, "last"]})
    assert [found.trainings[name].steps for name in found.runs] == [
        ["step-000002", "step-000004", "last"],
        ["step-000002", "last"],
    ]
    with pytest.raises(
        PipelineError,
        match=r"checkpoint after the end of training in config\.pretraining\.checkpoints\.1: 40; the longest run",
    ):
        units(pretraining={"checkpoints": [2, 40]})
    with pytest.raises(PipelineErrors, match=r"config\.pretraining\.checkpoints\.1.*many"):
        units(pretraining={"checkpoints": [2, "many"]})


def test_an_untrained_network_depends_on_no_setting_of_training() -> None:
    def untrained(study: Units) -> tuple[dict[str, Any], list[str]]:
        (name,) = (run for run in study.runs if run.startswith("untrained"))
        return study.settings("pretrain", {"run": name}), study.read("pretrain", "images", {"run": name}) + study.read(
            "pretrain", "probe", {"run": name}
        )

    before = untrained(units())
    trained = {"lr": 1.0, "steps": 7, "batch_size": 16, "checkpoints": [3], "patience": 3, "precision": "bf16"}
    assert untrained(units(pretraining=trained)) == before
    assert before[1] == []
    assert untrained(units(pretraining={"image_size": 24})) != before
    with pytest.raises(PipelineError, match="unknown key"):
        units(runs=[{"method": "untrained", "set": {"sedd": 1}}])
