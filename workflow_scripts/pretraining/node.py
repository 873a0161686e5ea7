"""The processes of one node.

``python -m workflow_scripts.pretraining.node PLAN HOST PORT`` is what SLURM starts once on each of several nodes.
"""

import os
import sys
from pathlib import Path

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.interrupt import Interrupt
from workflow_scripts.pretraining.plan import Plan, read_plan
from workflow_scripts.pretraining.processes import python, start, wait, with_our_code
from workflow_scripts.pretraining.slurm import check_gpus
from workflow_scripts.pretraining.worker import write_error


def run_node(plan: Plan, file: Path, node: int, store: tuple[str, int], interrupt: Interrupt) -> tuple[int, int]:
    """Start node ``node``'s processes for ``plan``, which lies in ``file``, and wait for them.

    Args:
        plan: the run.
        file: where :func:`plan.write_plan` wrote it.
        node: number of this node, from 0.
        store: host and port where the processes find one another.
        interrupt: is passed on to them.

    Returns:
        Rank and exit status of the process that decides; see :func:`processes.wait`.
    """
    commands = []
    for local in range(plan.local):
        environment = {
            "RANK": str(node * plan.local + local),
            "LOCAL_RANK": str(local),
            "WORLD_SIZE": str(plan.settings.processes),
            "LOCAL_WORLD_SIZE": str(plan.local),
            "MASTER_ADDR": store[0],
            "MASTER_PORT": str(store[1]),
            # The store is there already, held by the process that started the run: its port is nobody else's.
            "TORCHELASTIC_USE_AGENT_STORE": "True",
            "TORCHELASTIC_RESTART_COUNT": "0",
        }
        commands.append((python("workflow_scripts.pretraining.worker", file), with_our_code(os.environ | environment)))
    local, status = wait(start(commands), interrupt)
    return node * plan.local + local, status


def main(file: str, host: str, port: str) -> int:
    """Run the node that SLURM says this is; gives the exit status."""
    node = int(os.environ["SLURM_PROCID"])
    with Interrupt() as interrupt:
        plan = read_plan(Path(file))
        try:
            if plan.device == "cuda":
                check_gpus(plan.local)
        except PipelineError as error:
            write_error(plan.work, node * plan.local, error)
            return 1
        _, status = run_node(plan, Path(file), node, (host, int(port)), interrupt)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
