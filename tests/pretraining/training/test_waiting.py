"""Processes wait for what the first one does alone, although it takes longer than an exchange may."""

import json
import multiprocessing
import os
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist

from tests.pretraining.shapes import plan
from tests.pretraining.together import together
from workflow_scripts.pretraining.monitor.probing import OnlineProbe
from workflow_scripts.pretraining.training import checkpoint, trainer
from workflow_scripts.pretraining.training.interrupt import Interrupt
from workflow_scripts.pretraining.training.plan import OUTCOME

PATIENCE, WORK = 5, 7  # seconds
SLOW = {
    "images": (OnlineProbe, "__init__"),
    "probe": (OnlineProbe, "__call__"),
    "checkpoint": (checkpoint, "save"),
    "weights": (checkpoint, "write_tensors"),
}
multiprocessing.set_forkserver_preload([__name__])  # torch is imported once


def slow(work: Callable[..., Any]) -> Callable[..., Any]:
    """``work``, whose first call takes :data:`WORK` longer."""
    calls: list[int] = []

    def slowly(*given: Any) -> Any:
        if not calls:
            time.sleep(WORK)
        calls.append(1)
        return work(*given)

    return slowly


def train(what: str, rank: int, folder: Path) -> None:
    where, name = SLOW[what]
    setattr(where, name, slow(getattr(where, name)))
    trainer.PATIENCE = timedelta(seconds=PATIENCE)
    processes, probe = int(os.environ["WORLD_SIZE"]), {"every": 1, "images": 10, "neighbours": 3}
    changed: dict[str, Any] = {"steps": 2, "warmup_steps": 1, "checkpoints": [1], "checkpoint_every": 1}
    trainer.train(plan(folder / str(rank), processes=processes, probe=probe, **changed), Interrupt())
    assert dist.group.WORLD is not None
    backend: Any = dist.group.WORLD._get_backend(torch.device("cpu"))
    assert backend.options._timeout == trainer.PATIENCE


@pytest.mark.parametrize(("what", "processes"), [("images", 2), ("probe", 2), ("checkpoint", 4), ("weights", 2)])
def test_processes_wait_for_the_first_one(what: str, processes: int, tmp_path: Path) -> None:
    together(partial(train, what), tmp_path, processes)
    steps = [row["step"] for row in json.loads((tmp_path / "0" / "work" / OUTCOME).read_text())["curve"]]
    assert steps == [0, 1, 2]
