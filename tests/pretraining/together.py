"""Processes that train together, as those of a run do."""

import os
from collections.abc import Callable
from pathlib import Path

import torch
import torch.distributed as dist
from torch.distributed import TCPStore  # type: ignore[attr-defined] # public, though not in its __all__
from torch.multiprocessing.spawn import start_processes


def together(work: Callable[[int, Path], None], folder: Path, processes: int = 2) -> None:
    """Run ``work(rank, folder)`` as ranks 0 and 1, or as more, on one thread each.

    They meet at a store that this process serves: a free port that is looked for and then left to rank 0 can be taken
    by another process meanwhile.
    """
    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
    start_processes(_rank, (work, folder, store.port, str(processes)), processes, start_method="forkserver")


def _rank(rank: int, work: Callable[[int, Path], None], folder: Path, port: int, processes: str) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
    os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
    os.environ |= {"TORCHELASTIC_USE_AGENT_STORE": "True", "TORCHELASTIC_RESTART_COUNT": "0"}
    torch.set_num_threads(1)
    work(rank, folder)
    dist.barrier()
    os._exit(0)
