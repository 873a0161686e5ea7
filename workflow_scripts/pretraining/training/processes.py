"""Child processes of a run: started with signals blocked, told to stop once, ended if one of them fails.

``python -m workflow_scripts.pretraining.training.processes PLAN DEVICE PROCESSES LOCAL HOST PORT`` is what SLURM starts
once on each of several nodes. It does not read the plan or import torch; its processes do.
"""

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from workflow_scripts.core.digest import ROOT
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime.meter import measuring
from workflow_scripts.pretraining.training.interrupt import SIGNALS, TERMINATED, Interrupt
from workflow_scripts.pretraining.training.slurm import check_gpus
from workflow_scripts.pretraining.training.worker import write_error

# A process that dies breaks the connections of the others; which of them ends first is random.
SECONDS_TO_SHOW = 2
SECONDS_TO_END = 30
Process = subprocess.Popen[bytes]


def start(commands: Sequence[tuple[Sequence[str], Mapping[str, str]]]) -> list[Process]:
    """Start (command, environment) pairs.

    They start with the signals of :mod:`interrupt` blocked, and handle an early one as soon as they can. Their
    standard input is closed when this process ends, for any reason.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        return [subprocess.Popen(command, env=environment, stdin=subprocess.PIPE) for command, environment in commands]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def python(module: str, *arguments: str | Path) -> list[str]:
    """Command that runs one of our modules with this Python."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def with_our_code(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` in which :func:`python` finds our modules, whatever the working directory."""
    return {**environment, "PYTHONPATH": f"{ROOT}:{environment.get('PYTHONPATH', '')}".rstrip(":")}


def wait(children: Sequence[Process], interrupt: Interrupt, stop: signal.Signals = signal.SIGTERM) -> tuple[int, int]:
    """Wait until all have ended; forward an interrupt as ``stop``.

    Once one has failed the others can't continue: those that don't fail within ``SECONDS_TO_SHOW`` are told to stop,
    and killed ``SECONDS_TO_END`` later. A process that stopped on request is not a failure, and the others may finish
    writing.

    Returns:
        Number and status of the one that failed, by :func:`_cause` where several did, else of the first with status
        143, else 0 and 0. A status below 0 is a signal.
    """
    stopped = False
    while _running(children) and not _failed(children):
        if interrupt.here and not stopped:
            stopped = True
            _tell(children, stop)
        time.sleep(0.05)
    _await(children, SECONDS_TO_SHOW)
    failed = _failed(children)
    _tell(children, signal.SIGTERM)
    _await(children, SECONDS_TO_END)
    _tell(children, signal.SIGKILL)
    _await(children, math.inf)
    ended = ((number, child.returncode) for number, child in enumerate(children) if child.returncode)
    return _cause(failed) if failed else next(ended, (0, 0))


def _running(children: Sequence[Process]) -> bool:
    return None in [child.poll() for child in children]  # all are looked at


def _await(children: Sequence[Process], seconds: float) -> None:
    end = time.monotonic() + seconds
    while _running(children) and time.monotonic() < end:
        time.sleep(0.05)


def _failed(children: Sequence[Process]) -> dict[int, int]:
    """Number and status of those that have."""
    ended = enumerate(child.returncode for child in children)
    return {number: status for number, status in ended if status not in (None, 0, TERMINATED)}


def _cause(failed: Mapping[int, int]) -> tuple[int, int]:
    """One killed from outside, rather than one that raised, perhaps because its peer had ended, rather than one that
    aborted, as NCCL's watchdog does where a peer has raised; of the same kind the first.
    """
    return min(failed.items(), key=lambda one: 2 if one[1] == -signal.SIGABRT else int(one[1] > 0))


def _tell(children: Sequence[Process], number: signal.Signals) -> None:
    for child in children:
        child.send_signal(number)


def run_node(
    file: Path, node: int, shape: tuple[int, int], store: tuple[str, int], interrupt: Interrupt
) -> tuple[int, int]:
    """Start node ``node``'s processes and wait for them.

    Args:
        file: where :func:`plan.write_plan` wrote the run.
        node: number of this node, from 0.
        shape: processes of the run, and of each node.
        store: host and port where the processes find one another.
        interrupt: forwarded to them.

    Returns:
        Rank and exit status of the process that decides; see :func:`wait`.
    """
    processes, local = shape
    commands = []
    for number in range(local):
        environment = {
            "RANK": str(node * local + number),
            "LOCAL_RANK": str(number),
            "WORLD_SIZE": str(processes),
            "LOCAL_WORLD_SIZE": str(local),
            "MASTER_ADDR": store[0],
            "MASTER_PORT": str(store[1]),
            # The store is already served by the process that started the run, so no other process uses its port.
            "TORCHELASTIC_USE_AGENT_STORE": "True",
            "TORCHELASTIC_RESTART_COUNT": "0",
        }
        commands.append(
            (python("workflow_scripts.pretraining.training.worker", file), with_our_code(os.environ | environment))
        )
    number, status = wait(start(commands), interrupt)
    return node * local + number, status


def main(file: str, device: str, processes: str, local: str, host: str, port: str) -> int:
    """Run this node, as numbered by SLURM; returns the exit status."""
    node, shape = int(os.environ["SLURM_PROCID"]), (int(processes), int(local))
    with Interrupt() as interrupt:
        try:
            if device == "cuda":
                check_gpus(shape[1])
        except PipelineError as error:
            write_error(Path(file).parent, node * shape[1], error)
            return 1
        with measuring(Path(file).parent, f"node-{node}"):
            _, status = run_node(Path(file), node, shape, (host, int(port)), interrupt)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
