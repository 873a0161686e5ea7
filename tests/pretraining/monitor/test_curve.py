"""Losses and weights that are not finite."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.pretraining.shapes import plan
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.monitor.curve import check_losses, check_weights
from workflow_scripts.pretraining.training import checkpoint, trainer
from workflow_scripts.pretraining.training.interrupt import Interrupt


def test_the_first_non_finite_loss_is_reported_with_the_kept_checkpoint():
    check_losses([1.0, 2.0], 9, 5)
    said = r"loss is not finite in step 8 of pretrain: inf; the checkpoint of step 5 is kept; lower lr"
    with pytest.raises(PipelineError, match=said):
        check_losses([1.0, float("inf"), float("nan")], 9, 5)
    with pytest.raises(PipelineError, match="step 9 of pretrain: nan; there was no checkpoint yet; lower lr"):
        check_losses([float("nan")], 9, 0)


@pytest.mark.parametrize("bad", [float("nan"), float("-inf")])
def test_the_first_bad_weight_is_named(bad):
    weights = {"a": torch.ones(3), "count": torch.tensor(4), "b": torch.ones(2, 2)}
    check_weights(weights, 3, 0)
    weights["b"][1, 1] = bad
    with pytest.raises(PipelineError, match="weights are not finite in step 3 of pretrain: b; there was no checkpoint"):
        check_weights(weights, 3, 0)


def test_a_nan_loss_is_an_error_that_names_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = trainer.build_network, []

    def broken(*given: object) -> torch.nn.Module:
        model = real(*given)
        forward = model.forward
        model.forward = lambda batch: calls.append(1) or forward(batch) * (float("nan") if len(calls) == 3 else 1)
        return model

    monkeypatch.setattr(trainer, "build_network", broken)
    with pytest.raises(PipelineError, match="loss is not finite in step 3 of pretrain: nan"):
        trainer.train(plan(tmp_path, steps=6, log_every=5), Interrupt())
    assert not (tmp_path / "work" / checkpoint.NAME).exists()


def spoil(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An overflow in the gradients of a step whose loss is finite."""
    real = trainer.Trainer._step

    def after(self: trainer.Trainer, batch: object) -> None:
        real(self, batch)
        if self.state.step == step:
            next(self.model.parameters()).data[0] = float("nan")

    monkeypatch.setattr(trainer.Trainer, "_step", after)


@pytest.mark.parametrize(
    "wanted", [{"checkpoint_every": 4}, {"checkpoints": [4]}, {"probe": {"every": 4, "images": 20, "neighbours": 3}}]
)
def test_non_finite_weights_are_never_written(
    wanted: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = plan(tmp_path, **{"steps": 6, "log_every": 50, "checkpoint_every": 3, "checkpoints": [], **wanted})
    kept = run.settings.checkpoint_every == 3
    spoil(4, monkeypatch)
    said = "the checkpoint of step 3 is kept" if kept else "there was no checkpoint yet"
    with pytest.raises(
        PipelineError, match=rf"weights are not finite in step 4 of pretrain: backbone.*; {said}; lower lr"
    ):
        trainer.train(run, Interrupt())
    assert [path.name for path in (tmp_path / "work").glob("*.safetensors")] == [checkpoint.NAME] * kept
    if kept:
        assert all(value.isfinite().all() for value in load_file(tmp_path / "work" / checkpoint.NAME).values())
