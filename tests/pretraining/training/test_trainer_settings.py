"""Settings of a run reach what trains it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator

from tests.pretraining.shapes import of_method, plan
from workflow_scripts.pretraining.losses.contrastive import units
from workflow_scripts.pretraining.training.trainer import Trainer, learning_rate


def trainer(folder: Path, **changed: Any) -> Trainer:
    return Trainer(plan(folder, **changed), Accelerator(cpu=True))


def views(folder: Path, **changed: Any) -> tuple[torch.Tensor, ...]:
    """The views of the first batch."""
    return trainer(folder, **changed).batches[1].finish().views


def test_norm_weights_have_a_separate_weight_decay(tmp_path: Path) -> None:
    groups = trainer(tmp_path, weight_decay=0.5, norm_weight_decay=0.25).optimizer.param_groups
    assert [(group["weight_decay"], {weight.ndim > 1 for weight in group["params"]}) for group in groups] == [
        (0.5, {True}),
        (0.25, {False}),
    ]


def test_the_learning_rate_runs_from_initial_over_peak_to_final(tmp_path: Path) -> None:
    made = trainer(tmp_path, lr=0.4, initial_lr=0.002, final_lr=0.001, warmup_steps=2, steps=6, batch_size=8)
    peak = 0.4 * 8 / 512
    rates = [learning_rate(step, made.settings, made.schedule) for step in (0, 1, 2, 6)]
    assert rates == pytest.approx([0.002, (0.002 + peak) / 2, peak, 0.001])


@pytest.mark.parametrize(("key", "values"), [("blur_kernel", (3, 9)), ("blur", ("sampled", "old_kornia"))])
def test_only_blurred_views_depend_on_the_blur(key: str, values: tuple[Any, Any], tmp_path: Path) -> None:
    made = [
        views(tmp_path / str(value), augmentation="crop", batch_size=16, **of_method("slip"), **{key: value})
        for value in values
    ]
    assert [torch.equal(*pair) for pair in zip(*made, strict=True)] == [True, False, False]


def test_swav_prototypes_move_only_after_they_are_unfrozen(tmp_path: Path) -> None:
    made = trainer(tmp_path, **of_method("swav"), warmup_steps=0, lr=1.0)  # frozen for two steps
    prototypes = made.model.get_parameter("heads.prototypes.weight")
    start, moved = units(prototypes.detach()), []
    for step in (1, 2, 3):
        made._step(made.batches[step])
        moved.append((prototypes.detach() - start).norm().item())
    assert moved[:2] == pytest.approx([0, 0], abs=1e-6) and moved[2] > 1e-3


def test_the_online_probe_gets_its_settings(tmp_path: Path) -> None:
    probe = trainer(tmp_path, probe={"every": 2, "images": 20, "neighbours": 3, "temperature": 0.5}).probe
    assert probe is not None and (probe._probe.neighbours, probe._probe.temperature) == (3, 0.5)
