"""Child processes of a run: started with signals blocked, told to stop once, ended if one of them fails."""

import math
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from workflow_scripts.core.digest import ROOT
from workflow_scripts.pretraining.training.interrupt import SIGNALS, TERMINATED, Interrupt

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
    ended: dict[int, int] = {}
    told = False
    while len(ended) < len(children) and not _failed(ended):
        _look(children, ended)
        if interrupt.here and not told:
            told = True
            _tell(children, stop)
        time.sleep(0.05)
    _look_until(children, ended, SECONDS_TO_SHOW)
    failed = _failed(ended)
    _tell(children, signal.SIGTERM)
    _look_until(children, ended, SECONDS_TO_END)
    _tell(children, signal.SIGKILL)
    _look_until(children, ended, math.inf)
    return _cause(failed) if failed else next(((i, status) for i, status in ended.items() if status), (0, 0))


def _look(children: Sequence[Process], ended: dict[int, int]) -> None:
    for i, child in enumerate(children):
        if i not in ended and child.poll() is not None:
            ended[i] = child.returncode


def _look_until(children: Sequence[Process], ended: dict[int, int], seconds: float) -> None:
    end = time.monotonic() + seconds
    while len(ended) < len(children) and time.monotonic() < end:
        time.sleep(0.05)
        _look(children, ended)


def _failed(ended: Mapping[int, int]) -> dict[int, int]:
    return {i: status for i, status in ended.items() if status not in (0, TERMINATED)}


def _cause(failed: Mapping[int, int]) -> tuple[int, int]:
    """One killed from outside, rather than one that raised, perhaps because its peer had ended, rather than one that
    aborted, as NCCL's watchdog does where a peer has raised; of the same kind the one seen first.
    """

    def rank(one: tuple[int, int]) -> int:
        return 2 if one[1] == -signal.SIGABRT else 1 if one[1] > 0 else 0

    return min(failed.items(), key=rank)


def _tell(children: Sequence[Process], number: signal.Signals) -> None:
    for child in children:
        child.send_signal(number)
