"""Processes of a run wait for one another for as long as it takes.

One of them may copy, decode, probe or write alone for longer than torch's own exchanges wait. If it dies, the process
that started the others ends them.
"""

import os
import time

SECONDS_BETWEEN_LOOKS = 0.05
NAME = "faithful-pairs/meeting"


def meet(processes: int) -> None:
    """Return once all ``processes`` of the run have called this as often as this one."""
    if processes == 1:
        return
    from torch.distributed import TCPStore

    store = TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    # None can come a second time before all have come once.
    needed = -(-store.add(NAME, 1) // processes) * processes
    while store.add(NAME, 0) < needed:
        time.sleep(SECONDS_BETWEEN_LOOKS)
