"""SIGTERM as a wish to stop after the step in hand, agreed among all processes."""

import signal
import threading
from types import FrameType, TracebackType
from typing import Self

import torch
import torch.distributed as dist

from workflow_scripts.pretraining.gather import world


class Interrupt:
    """While entered, SIGTERM is remembered instead of ending the process; the handler before comes back on leaving."""

    def __init__(self) -> None:
        self._asked = False
        self._main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Self:
        # Only the main thread may set handlers; elsewhere SIGTERM keeps its meaning.
        if self._main:
            self._before = signal.signal(signal.SIGTERM, self._remember)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._main:
            signal.signal(signal.SIGTERM, self._before)

    def _remember(self, number: int, frame: FrameType | None) -> None:
        self._asked = True

    def asked(self, device: torch.device) -> bool:
        """Whether any process has been asked to stop; every process must ask at the same step."""
        if world()[1] == 1:
            return self._asked
        flag = torch.tensor(float(self._asked), device=device)
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return bool(flag.item())
