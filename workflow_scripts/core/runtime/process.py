"""How a stage's process starts, uses memory and ends: for small jobs, start and end could take longer than the work."""

import ctypes
import faulthandler
import gc
import logging
import os
import sys
from contextlib import suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from workflow_scripts.core.errors import PipelineError

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
KEPT = 1 << 30  # bytes
MOST_IN_OLD = 32 << 20  # bytes, the most that old versions of glibc accept as M_MMAP_THRESHOLD


class _NoPandas(MetaPathFinder, Loader):
    """Makes the import of pandas fail: pyarrow would otherwise load it in each process if it is installed."""

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        return ModuleSpec("pandas", self) if fullname == "pandas" else None

    def exec_module(self, module: ModuleType) -> None:
        raise ModuleNotFoundError("no stage uses pandas", name="pandas")


def start_process() -> None:
    """Skip work at start-up that helps no job, and have the log say which fatal signal ended this process or a child
    of it, and where.

    A file that is mapped into memory and can't be read any more ends a process by a bus error, which no code can catch.
    """
    sys.meta_path.insert(0, _NoPandas())
    gc.set_threshold(100_000)  # imports create many objects and no garbage
    faulthandler.enable(all_threads=False)
    os.environ.setdefault("PYTHONFAULTHANDLER", "1")


def check_assertions() -> None:
    """Refuse a Python that skips assertions, and docstrings with them.

    Raises:
        PipelineError: ``-O`` or ``PYTHONOPTIMIZE`` is in effect.
    """
    if sys.flags.optimize:
        advice = "unset PYTHONOPTIMIZE and leave out -O: libraries check data by assertions and read docstrings"
        raise PipelineError("Python without assertions", "PYTHONOPTIMIZE", sys.flags.optimize, advice)


def keep_freed_memory() -> None:
    """Have the C library keep freed memory for the next allocation, up to a gigabyte in one piece (32 MB in old glibc).

    By default glibc gives large pieces back to the system at once. A model that allocates the same sizes for each batch
    then has the system clear the same pages over and over, which takes about a tenth of the time of a small BLIP-2, or
    of a small network's training, on a CPU. Other C libraries decide for themselves.
    """
    tune = getattr(ctypes.CDLL(None), "mallopt", None)
    # The trim threshold by itself would harm: it stops glibc from raising the other one, which begins at 128 kB.
    if tune is not None and (tune(M_MMAP_THRESHOLD, KEPT) or tune(M_MMAP_THRESHOLD, MOST_IN_OLD)):
        tune(M_TRIM_THRESHOLD, KEPT)


def quiet_libraries() -> None:
    """Keep libraries' loading messages and progress bars out of logs.

    Their warnings and errors stay. Must be called before the first of them is imported.
    """
    logging.getLogger("workflow_scripts").setLevel(logging.INFO)
    logging.getLogger().setLevel(logging.WARNING)
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")  # those of transformers too


def leave(status: int) -> None:
    """End the process at once, with an exit status, after its artifact is published or its error is written.

    A normal exit frees all loaded objects, which takes up to a fifth of a second, and some libraries then report leaks
    ("nanobind: leaked 1 instances!") below the error that should be the last line.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):  # a full disk
            stream.flush()
    os._exit(status)
