"""Takes GPUs for a job, so that jobs that run at the same time on one machine use different ones.

A GPU is locked by a socket in Linux's abstract namespace, named after the GPU. The system allows one such socket on a
machine, whoever asks, and removes it when the process ends, however it ends: there are no files that other users can't
open or that a killed job leaves behind. Containers with a network of their own don't see the locks of others.
"""

import errno
import logging
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain

from workflow_scripts.core.runtime.gpu import ask

log = logging.getLogger(__name__)
VISIBLE = "CUDA_VISIBLE_DEVICES"
ORDER, AS_LISTED = "CUDA_DEVICE_ORDER", "PCI_BUS_ID"  # by default CUDA counts from the fastest GPU, unlike the driver
LIST = ("nvidia-smi", "-L")
SECONDS_BETWEEN_TRIES = 0.25
SECONDS_UNTIL_A_LINE = 5.0
_NAMES = "\0faithful-pairs/gpu/"
# "GPU 0: NVIDIA A100 (UUID: GPU-4b5a...)", and below it "  MIG 3g.20gb     Device  0: (UUID: MIG-1c2d...)"
_LINE = re.compile(r"^(GPU|\s+MIG) .*\(UUID: ([\w/-]+)\)\s*$")
_offered: list[str] = []


def offered() -> int | None:
    """Number of GPUs among which this process took its own; None if it took none."""
    return len(_offered) or None


def listed() -> list[list[str]]:
    """UUIDs by GPU, in the order of their numbers: its own, or those of its MIG devices if it is divided into such.

    Empty if the driver's tool is missing or fails.
    """
    found: list[list[str]] = []
    for line in (ask(*LIST) or "").splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        if match[1] == "GPU":
            found.append([match[2]])
        elif found:
            found[-1] = [one for one in found[-1] if one.startswith("MIG-")] + [match[2]]
    return found


def candidates() -> list[str]:
    """UUIDs of the GPUs and MIG devices that this process may use, by ``CUDA_VISIBLE_DEVICES``; SLURM sets it too.

    Numbers in the variable count the GPUs as the driver lists them. As CUDA does, entries after the first one that
    names no GPU by its number or its whole UUID are ignored.
    """
    by_gpu, visible = listed(), os.environ.get(VISIBLE)
    every = list(chain.from_iterable(by_gpu))
    if visible is None:
        return every
    found: list[str] = []
    for entry in map(str.strip, visible.split(",")):
        if entry.isdigit():
            named = by_gpu[int(entry)] if int(entry) < len(by_gpu) else []
        else:
            named = [entry] if entry in every else []
        if not named:
            break
        found += [one for one in named if one not in found]
    return found


@contextmanager
def gpus_taken(wanted: int) -> Iterator[list[str]]:
    """Wait until ``wanted`` GPUs are free, and hide all others from CUDA, which must not have started yet.

    The block gets their UUIDs: none if ``wanted`` is 0, if the GPUs can't be listed, or if there are fewer (whoever
    uses them reports that). Jobs are served in turn, so one that wants several is not overtaken for ever.
    """
    found = candidates() if wanted else []
    if not wanted or len(found) < wanted:
        yield []
        return
    before = {name: os.environ[name] for name in (VISIBLE, ORDER) if name in os.environ}
    with ExitStack() as held:
        with ExitStack() as turn:
            _wait([""], 1, turn)
            mine = _wait(found, wanted, held)
        _offered[:] = found
        os.environ |= {VISIBLE: ",".join(mine), ORDER: AS_LISTED}
        try:
            yield mine
        finally:
            _offered.clear()
            del os.environ[VISIBLE], os.environ[ORDER]
            os.environ |= before


def _wait(names: list[str], wanted: int, held: ExitStack) -> list[str]:
    """Lock ``wanted`` of ``names`` until ``held`` ends; which."""
    mine: list[str] = []
    line_at = time.monotonic() + SECONDS_UNTIL_A_LINE
    while True:
        for name in names:
            if len(mine) < wanted and name not in mine and _lock(name, held):
                mine.append(name)
        if len(mine) == wanted:
            return [name for name in names if name in mine]
        if time.monotonic() >= line_at:
            log.info("waiting for a GPU: other jobs use them; set the resource `gpu` to the number of GPUs")
            line_at = float("inf")
        time.sleep(SECONDS_BETWEEN_TRIES)


def _lock(name: str, held: ExitStack) -> bool:
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        lock.bind(_NAMES + name)
    except OSError as error:
        lock.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return False
    held.enter_context(lock)
    return True
