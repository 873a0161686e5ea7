"""The processes of one node.

``python -m workflow_scripts.pretraining.training.node PLAN DEVICE PROCESSES LOCAL HOST PORT`` is what SLURM
starts once on each of several nodes. It does not read the plan or import torch; its processes do.
"""

import os
import sys
from pathlib import Path

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime.meter import measuring
from workflow_scripts.pretraining.training.interrupt import Interrupt
from workflow_scripts.pretraining.training.processes import python, start, wait, with_our_code
from workflow_scripts.pretraining.training.slurm import check_gpus
from workflow_scripts.pretraining.training.worker import write_error


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
        Rank and exit status of the process that decides; see :func:`processes.wait`.
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
