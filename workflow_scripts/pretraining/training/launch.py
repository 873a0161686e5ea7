"""Starts the processes of a run: none beside this one, several on this node, or several on each node of a SLURM job.

The stage itself is always started once. There is one process per GPU; they find one another through a store that
this process serves on a port chosen by the system.
"""

import json
import logging
import signal
import socket
import sys
from datetime import timedelta
from pathlib import Path

from torch.distributed import TCPStore

from workflow_scripts.core.errors import ERROR, PipelineError
from workflow_scripts.core.files.durable import write_atomic
from workflow_scripts.core.pinned_code import handed_to_machines
from workflow_scripts.pretraining.training.checkpoint import step_reached
from workflow_scripts.pretraining.training.interrupt import TERMINATED, Interrupt
from workflow_scripts.pretraining.training.plan import Plan, write_plan
from workflow_scripts.pretraining.training.processes import python, run_node, start, wait, with_our_code
from workflow_scripts.pretraining.training.slurm import back_to_queue, check_gpus, check_start, environment_for_step
from workflow_scripts.pretraining.training.stage_in import staged_plan
from workflow_scripts.pretraining.training.trainer import train
from workflow_scripts.pretraining.training.worker import error_file, raise_error

log = logging.getLogger(__name__)
STARTS = "starts.json"


def launch(plan: Plan, interrupt: Interrupt) -> list[int]:
    """Train ``plan`` in as many processes as its settings say; see :func:`trainer.train` for its output files.

    Returns:
        Steps at which the run was started and resumed, this time included.

    Raises:
        PipelineError: whatever a process raised or that one died; nodes or GPUs are not as many as the settings say;
            or the stage was started more than once.
        SystemExit: 143 after an interrupt; a SLURM job of its own is back in the queue then.
    """
    check_start(plan.settings)
    if plan.device == "cuda":
        check_gpus(plan.local)
    starts = _record_start(plan.work)
    try:
        if plan.settings.processes == 1:
            with staged_plan(plan, interrupt) as near:
                train(near, interrupt)
        else:
            _train_together(plan, interrupt)
    except SystemExit as ended:
        if ended.code == TERMINATED:
            back_to_queue()
            value = f"step {step_reached(plan.work)} of {plan.schedule.steps} is kept"
            error = PipelineError("stopped by a signal", "pretrain", value, "run the same command again to continue")
            sys.stderr.write(f"{ERROR}{error}\n")
        raise
    return starts


def _record_start(work: Path) -> list[int]:
    """Append the step of the last checkpoint, from which training goes on, to the record of starts in ``work``.

    Without a checkpoint training starts at step 0, and so does the record.

    Returns:
        All recorded steps, in the order of the starts.
    """
    path, step = work / STARTS, step_reached(work)
    starts: list[int] = [*(json.loads(path.read_text()) if step and path.exists() else []), step]
    write_atomic(path, json.dumps(starts).encode())
    return starts


def _train_together(plan: Plan, interrupt: Interrupt) -> None:
    ranks, several = range(plan.settings.processes), plan.settings.nodes > 1
    for rank in ranks:
        error_file(plan.work, rank).unlink(missing_ok=True)
    file = plan.work.absolute() / "plan.npz"
    write_plan(plan, file)
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False, timeout=timedelta(minutes=10))
    if several:
        rank, status = _run_nodes(plan, file, (socket.gethostname(), store.port), interrupt)
    else:
        rank, status = run_node(file, 0, (plan.settings.processes, plan.local), ("localhost", store.port), interrupt)
    if status == 0:
        return
    if status == TERMINATED:
        raise SystemExit(status)
    raise_error(plan.work, ranks)
    value = ("srun " if several else f"process {rank} ") + (f"by signal {-status}" if status < 0 else f"({status})")
    advice = "see the traceback above; if there is none, the job ran out of memory: raise its mem_mb"
    raise PipelineError("a training process died", "pretrain", value, advice)


def _run_nodes(plan: Plan, file: Path, store: tuple[str, int], interrupt: Interrupt) -> tuple[int, int]:
    nodes, shape = plan.settings.nodes, (plan.settings.processes, plan.local)
    command = [
        "srun",
        f"--nodes={nodes}",
        f"--ntasks={nodes}",
        "--ntasks-per-node=1",
        f"--cpus-per-task={plan.workers}",
        # Each node's full share of the job, in addition to the step that this stage runs in.
        "--mem=0",
        "--overlap",
        "--kill-on-bad-exit=1",
        "--cpu-bind=none",
        "--input=none",
        *([f"--gres=gpu:{plan.local}"] if plan.device == "cuda" else []),
        *python("workflow_scripts.pretraining.training.processes", file, plan.device, *map(str, (*shape, *store))),
    ]
    log.info("%d processes on each of %d nodes", plan.local, nodes)
    environment = with_our_code(environment_for_step() | {"SLURM_EXPORT_ENV": "ALL"} | handed_to_machines(plan.work))
    # srun forwards SIGUSR1 to its tasks, while SIGTERM makes it kill them.
    return wait(start([(command, environment)]), interrupt, stop=signal.SIGUSR1)
