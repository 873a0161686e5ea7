"""What a step copies to the device and reads from it, on the device ``meta``, which holds no numbers."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tests.pretraining.shapes import HEADS, of_method, plan
from workflow_scripts.models import preprocessing
from workflow_scripts.pretraining.training import trainer
from workflow_scripts.pretraining.training.trainer import Trainer, parameter_groups

META = torch.device("meta")


class Crossings(TorchDispatchMode):
    """Operations that involve both devices; a scalar beside a tensor is an argument, not a copy.

    A tensor on ``meta`` refuses to be read, whether for a number, a condition or the size of a result.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, bool]] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = function(*args, **(kwargs or {}))
        tensors = [one for one in tree_leaves((args, kwargs, made)) if isinstance(one, torch.Tensor)]
        if len({one.device for one in tensors if one.dim() or "copy" in str(function)}) > 1:
            self.seen.append((str(function), (kwargs or {}).get("non_blocking", False)))
        return made


class OnMeta(Accelerator):
    """As if it had a GPU."""

    @property
    def device(self) -> torch.device:
        return META


@pytest.fixture
def on_meta(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    # The fused optimizer does not know the device; this one dispatches more operations.
    monkeypatch.setattr(trainer, "optimizer", lambda model, *decay: torch.optim.AdamW(parameter_groups(model, *decay)))
    preprocessing._statistics(META)  # copied once, not in each step


@pytest.mark.parametrize("micro_batch_size", [None, 4])
@pytest.mark.parametrize("method", HEADS)
@pytest.mark.usefixtures("on_meta")
def test_a_step_copies_its_batch_without_waiting_and_reads_nothing(
    method: str, micro_batch_size: int | None, tmp_path: Path
) -> None:
    changed = {
        **of_method(method),
        "micro_batch_size": micro_batch_size,
        "steps": 100,
        "log_every": 100,
        "probe": {"every": 50, "neighbours": 3},
    }
    made = Trainer(plan(tmp_path, **changed), OnMeta(cpu=True))
    made._step(made.batches[1])  # constants of the blur are copied once
    batch = made.batches[1]
    with Crossings() as crossings:
        made._step(batch)
        made._after_step()
    assert set(crossings.seen) == {("aten._to_copy.default", True)}
    with pytest.raises(RuntimeError, match="meta"):
        made.curve.collect()
