"""Child processes of a run: started with signals held back, told to stop once, ended when one of them fails."""

import math
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from workflow_scripts.core.digest import ROOT
from workflow_scripts.pretraining.interrupt import SIGNALS, TERMINATED, Interrupt

SECONDS_TO_END = 30
Process = subprocess.Popen[bytes]


def start(commands: Sequence[tuple[Sequence[str], Mapping[str, str]]]) -> list[Process]:
    """Start (command, environment) pairs.

    They start with the signals of :mod:`interrupt` blocked, and take one that came early as soon as they can. Their
    standard input ends when this process does, however it ends.
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
    """Wait until all have ended; pass an interrupt on as ``stop``.

    Once one has failed the others can't go on: they are ended, by force after ``SECONDS_TO_END``. One that stopped
    because it was asked to is no failure, and the others are left to finish what they write.

    Returns:
        Number and status of the first that failed, else of the first with status 143, else 0 and 0. A status below 0
        is a signal.
    """
    ended: dict[int, int] = {}
    told, end = False, math.inf
    while len(ended) < len(children):
        for i, child in enumerate(children):
            if i not in ended and child.poll() is not None:
                ended[i] = child.returncode
        if _failed(ended) is not None and end == math.inf:
            told, end = True, time.monotonic() + SECONDS_TO_END
            _tell(children, signal.SIGTERM)
        elif interrupt.here and not told:
            told = True
            _tell(children, stop)
        if time.monotonic() > end:
            _tell(children, signal.SIGKILL)
        time.sleep(0.05)
    first = _failed(ended)
    if first is None:
        first = next((i for i, status in ended.items() if status), 0)
    return first, ended[first]


def _failed(ended: Mapping[int, int]) -> int | None:
    return next((i for i, status in ended.items() if status not in (0, TERMINATED)), None)


def _tell(children: Sequence[Process], number: signal.Signals) -> None:
    for child in children:
        child.send_signal(number)
