"""SIGTERM, SIGUSR1 and Ctrl-C as a request to stop after the current step, agreed among all processes."""

import signal
import threading
from types import FrameType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import torch

# What SLURM sends before it ends a job, what a site can configure before the time limit, and Ctrl-C.
SIGNALS = frozenset({signal.SIGTERM, signal.SIGUSR1, signal.SIGINT})
TERMINATED = 143
EVERY = 5
"""Steps between two questions to all processes: each makes them exchange a number, and wait for their GPUs."""


class Interrupt:
    """While entered, the signals are remembered instead of ending the process; leaving restores the handlers.

    A second Ctrl-C interrupts at once.

    This module imports nothing heavy, so that a stage can enter one before its long imports.
    """

    def __init__(self) -> None:
        self.here = False
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        # Only the main thread may set handlers; elsewhere the signals keep their meaning.
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._remember) for number in SIGNALS}
            # The parent process may have blocked them until now.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self.here:
            raise KeyboardInterrupt
        self.here = True

    def asked(self, step: int, device: "torch.device") -> bool:
        """Whether any process has been asked to stop; every process must call this after every step.

        One process knows at once; several ask each other at every :data:`EVERY`-th step.
        """
        import torch
        import torch.distributed as dist

        from workflow_scripts.pretraining.losses.gather import world

        if world()[1] == 1:
            return self.here
        if step % EVERY:
            return False
        flag = torch.full((1,), float(self.here), device=device)
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag)
