"""Starts the processes of a run: none beside this one, or one per GPU on this machine."""

import json
import logging
import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

import torch
from torch.multiprocessing.spawn import ProcessContext, ProcessExitedException, start_processes

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.plan import Plan
from workflow_scripts.pretraining.trainer import TERMINATED, train

SECONDS_TO_END = 60


def launch(plan: Plan) -> None:
    """Train ``plan`` in as many processes as its settings say; see :func:`trainer.train` for what is left behind.

    Raises:
        PipelineError: whatever a process raised; fewer GPUs than processes; or another launcher started this one.
        SystemExit: 143 after SIGTERM.
    """
    processes = plan.settings.processes
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        value = f"WORLD_SIZE is {os.environ['WORLD_SIZE']}"
        raise PipelineError("started by a launcher", "pretrain", value, "run the stage once; it starts its processes")
    if plan.device == "cuda" and torch.cuda.device_count() < processes:
        value = f"{torch.cuda.device_count()} for {processes} processes"
        raise PipelineError("too few GPUs", "pretrain", value, "lower processes or ask for more GPUs")
    if processes == 1:
        train(plan)
        return
    for rank in range(processes):
        _error_file(plan, rank).unlink(missing_ok=True)
    # Port 0 would make each process choose its own.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = start_processes(_child, (plan, port), processes, join=False, start_method="spawn")
    _wait(plan, context)


def _wait(plan: Plan, context: ProcessContext) -> None:
    def forward(number: int, frame: FrameType | None) -> None:
        for process in context.processes:
            process.terminate()

    before = signal.signal(signal.SIGTERM, forward)
    try:
        while not context.join(grace_period=SECONDS_TO_END):
            pass
    except ProcessExitedException as exited:
        for rank in range(plan.settings.processes):
            if _error_file(plan, rank).exists():
                raise PipelineError(**json.loads(_error_file(plan, rank).read_text())) from None
        if exited.exit_code == TERMINATED:
            raise SystemExit(TERMINATED) from None
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _error_file(plan: Plan, rank: int) -> Path:
    return plan.work / f"error-{rank}.json"


def _child(rank: int, plan: Plan, port: int) -> None:
    os.environ |= {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(plan.settings.processes),
        "LOCAL_WORLD_SIZE": str(plan.settings.processes),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    level = logging.INFO if rank == 0 else logging.WARNING
    logging.basicConfig(stream=sys.stderr, level=level, format=f"%(asctime)s [{rank}] %(message)s")
    try:
        train(plan)
    except PipelineError as error:
        fields = {
            "what": error.what,
            "where": str(error.where),
            "value": str(error.value),
            "advice": error.advice,
        }
        _error_file(plan, rank).write_text(json.dumps(fields))
        raise SystemExit(1) from None
    # Everything is on disk and all processes have met. Taking gloo down in order can wait for ever on a peer that
    # has gone, so the system does it.
    sys.stderr.flush()
    os._exit(0)
