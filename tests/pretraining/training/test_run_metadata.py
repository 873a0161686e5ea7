"""What ``run.json`` says about how a run ended."""

import pytest

from tests.pretraining.test_methods import run_of
from workflow_scripts.pretraining.schedule import Schedule
from workflow_scripts.pretraining.training.run_metadata import run_metadata


@pytest.mark.parametrize(("spreads", "step"), [((0.2, 0.3, 0.06), None), ((0.2, 0.04, 0.3), 10), ((0.2, None, 0), 20)])
def test_the_first_step_that_looks_collapsed_is_named(spreads: tuple[float | None, ...], step: int | None) -> None:
    curve = [{"step": 10 * at, "spread": spread} for at, spread in enumerate(spreads)]
    outcome = {"step": 20, "best_step": 10, "best": 0.5, "stopped": True, "curve": curve}
    about = run_metadata(run_of("simclr"), {}, Schedule(30, 5, 0, {10: "step-000010", 30: "step-000030"}), outcome, {})
    assert about["collapsed_step"] == step
    assert (about["steps"], about["steps_done"], about["stopped_early"]) == (30, 20, True)
    assert about["checkpoints"] == {"step-000010": 10, "last": 20}
