"""While the first process works alone, no other one waits in an exchange, which would end after a while."""

import json
import multiprocessing
import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.distributed import TCPStore  # type: ignore[attr-defined]

from tests.pretraining.shapes import plan
from tests.pretraining.together import together
from workflow_scripts.pretraining.monitor.probing import OnlineProbe
from workflow_scripts.pretraining.training import checkpoint, trainer
from workflow_scripts.pretraining.training.interrupt import Interrupt
from workflow_scripts.pretraining.training.meeting import NAME
from workflow_scripts.pretraining.training.plan import OUTCOME

PATIENCE = timedelta(seconds=90)
ALONE = ((OnlineProbe, "__init__"), (OnlineProbe, "__call__"), (checkpoint, "save"), (checkpoint, "write_tensors"))
multiprocessing.set_forkserver_preload([__name__])  # torch is imported once


def slow(work: Callable[..., Any], calls: list[str]) -> Callable[..., Any]:
    """``work``, begun when all other processes are waiting at the next meeting."""

    def slowly(*given: Any) -> Any:
        store, processes = TCPStore("localhost", int(os.environ["MASTER_PORT"]), is_master=False), dist.get_world_size()
        while store.add(NAME, 0) % processes != processes - 1:
            time.sleep(0.01)
        calls.append(work.__qualname__)
        return work(*given)

    return slowly


def train(rank: int, folder: Path) -> None:
    trainer.PATIENCE, calls = PATIENCE, []
    for where, name in ALONE:
        setattr(where, name, slow(getattr(where, name), calls))
    probe = {"every": 1, "images": 10, "neighbours": 3}
    changed: dict[str, Any] = {"steps": 2, "warmup_steps": 1, "checkpoints": [1], "checkpoint_every": 1}
    run = plan(folder / str(rank), processes=int(os.environ["WORLD_SIZE"]), probe=probe, **changed)
    trainer.train(run, Interrupt())
    backend: Any = dist.group.WORLD._get_backend(torch.device("cpu"))  # type: ignore[union-attr]
    assert backend.options._timeout == PATIENCE
    assert len(set(calls)) == (len(ALONE) if rank == 0 else 0)


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_meet_after_all_that_the_first_one_does_alone(processes: int, tmp_path: Path) -> None:
    together(train, tmp_path, processes)
    steps = [row["step"] for row in json.loads((tmp_path / "0" / "work" / OUTCOME).read_text())["curve"]]
    assert steps == [0, 1, 2]
