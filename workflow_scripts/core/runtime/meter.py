"""Measures a job while it runs: images, waits for data, memory and bytes read.

Stages wrap what they iterate over in :func:`fed`; the rest is measured by a thread. The figures are kept in the job's
work folder (``figures-<process>.json``), so they cover all attempts and all processes.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from workflow_scripts.core.files.bounded_json import read_object_or_none
from workflow_scripts.core.runtime.figures import Figures, at_once, in_turn, known

T = TypeVar("T")
PROC = Path("/proc")
FILES = "figures-*.json"
SECONDS_BETWEEN_SAMPLES = 0.05, 1.0  # at first, and of a long job
SECONDS_BETWEEN_FILES = 10.0


class Usage:
    """Peak memory and bytes read of this process and those below it, from Linux's ``/proc``; elsewhere unknown.

    Processes below it that were there before do not count, nor do those that they start.
    """

    def __init__(self, proc: Path = PROC) -> None:
        self._proc, self._top = proc, os.getpid()
        self._earlier: set[int] = set()
        self._earlier = {*self._tree(self._top)} - {self._top}
        self._memory = 0
        self._read: dict[int, int] = {}
        self._before = self._bytes_read(self._top) or 0

    def sample(self) -> None:
        """Look at the tree once.

        Its memory is the anonymous and shared memory of all processes; what several of them map, as forked processes do
        with all that is there before, counts once. Pages of files do not count: the system takes them back when it
        needs memory.
        """
        memory, pids = 0, list(self._tree(self._top))
        for pid in pids:
            memory += self._memory_of(pid, shared=len(pids) > 1)
            if (read := self._bytes_read(pid)) is not None:
                self._read[pid] = read
        self._memory = max(self._memory, memory)

    def figures(self) -> dict[str, float]:
        """``memory_peak_bytes`` and ``read_bytes``: what was read by system calls, from a disk or not."""
        found: dict[str, float] = {}
        if self._memory:
            found["memory_peak_bytes"] = self._memory
        if self._top in self._read:
            # A process that ended and was waited for counts in the figure of the one that waited.
            reads = self._read.copy().items()  # another thread may sample meanwhile
            alive = [read for pid, read in reads if pid == self._top or (self._proc / str(pid)).exists()]
            found["read_bytes"] = max(0, sum(alive) - self._before)
        return found

    def _tree(self, pid: int) -> Iterator[int]:
        yield pid
        for task in self._proc.glob(f"{pid}/task/*/children"):
            with suppress(OSError):
                for child in {*map(int, task.read_text().split())} - self._earlier:
                    yield from self._tree(child)

    def _memory_of(self, pid: int, shared: bool) -> int:
        """Memory of a process, in bytes; 0 if it is gone.

        Memory that processes of the tree may share counts in part, for which the kernel walks through all pages.
        Otherwise, and on an old kernel, all that the process maps counts.
        """
        part, whole = ("smaps_rollup", ("Pss_Anon", "Pss_Shmem")), ("status", ("RssAnon", "RssShmem"))
        for file, names in (part, whole) if shared else (whole,):
            with suppress(OSError):
                lines = (line.partition(":") for line in (self._proc / str(pid) / file).read_text().splitlines())
                sizes = {name: int(value.split()[0]) * 1024 for name, _, value in lines if name in names}
                if sizes:
                    return sum(sizes.values())
        return 0

    def _bytes_read(self, pid: int) -> int | None:
        with suppress(OSError, ValueError, IndexError):
            return int((self._proc / str(pid) / "io").read_text().split()[1])  # "rchar: 123"
        return None


class Meter:
    """What this process has measured so far in this attempt."""

    def __init__(self) -> None:
        self.images, self.waited = 0, 0.0
        self._started = time.monotonic()
        self._first: float | None = None
        self._last: float | None = None
        self.usage: Usage | None = None

    def feed(self, batches: Iterator[T], size: Callable[[T], int]) -> Iterator[T]:
        """Yield the batches; the time in here counts as waiting."""
        while True:
            start = time.monotonic()
            if self._first is None:
                self._first = start
            found = next(batches, None)
            self._last = time.monotonic()
            if found is None:
                return
            self.waited += self._last - start
            self.images += size(found)
            yield found

    def count(self, images: int) -> None:
        """Count images of a stage that waits for none of them; its loop began with the job."""
        self.images += images
        self._first, self._last = self._started, time.monotonic()

    def figures(self) -> dict[str, float]:
        """Raw figures; see :data:`figures.FIGURES`."""
        found: dict[str, float] = {"work_seconds": time.monotonic() - self._started}
        if self._first is not None and self._last is not None:
            found |= {"images": self.images, "wait_seconds": self.waited, "loop_seconds": self._last - self._first}
        if self.usage is not None:
            found |= self.usage.figures()
        peak = gpu_peak()
        return found if peak is None else found | {"gpu_peak_bytes": peak}


class _Current:
    meter = Meter()


def gpu_peak() -> int | None:
    """Bytes that torch had allocated at most on one GPU in this process; None if it used none."""
    cuda = _used_cuda()
    return None if cuda is None else max(int(cuda.max_memory_allocated(card)) for card in range(cuda.device_count()))


def _used_cuda() -> Any:
    """torch.cuda if this process uses it, else None; another thread may not have imported all of torch yet."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    return cuda if cuda is not None and cuda.is_initialized() else None


def current() -> Meter:
    """The meter of the running job."""
    return _Current.meter


def fed(batches: Iterable[T], size: Callable[[Any], int] = len) -> Iterator[T]:
    """Yield what a job works on, and measure how long it waits for it and how many images it gets.

    Args:
        batches: what is waited for; None ends it.
        size: number of images in one of them.
    """
    return _Current.meter.feed(iter(batches), size)


@contextmanager
def measuring(work: Path, process: str = "job", tree: bool = True) -> Iterator[None]:
    """Measure the block, which is (a part of) a job with this work folder.

    Args:
        process: name of the process among those of the job.
        tree: measure memory and bytes read, of this process and those below it; only by the topmost one of a machine.
    """
    path, before = work / f"figures-{process}.json", _Current.meter
    earlier = known(read_object_or_none(path))
    meter = _Current.meter = Meter()
    if cuda := _used_cuda():  # by an earlier job of this process
        for card in range(cuda.device_count()):
            cuda.reset_peak_memory_stats(card)
    meter.usage = Usage() if tree else None
    ended = threading.Event()

    def write() -> None:
        with suppress(OSError):  # a full disk must not end a job here
            part = path.with_name(f".{path.name}.part")
            part.write_text(json.dumps(in_turn([earlier, meter.figures()])))
            os.replace(part, path)

    sampler = threading.Thread(target=_sample, args=(meter, ended, write), name="meter", daemon=True)
    sampler.start()
    try:
        yield
    finally:
        ended.set()
        sampler.join()
        if meter.usage is not None:
            meter.usage.sample()
        write()
        _Current.meter = before


def _sample(meter: Meter, ended: threading.Event, write: Callable[[], None]) -> None:
    start = written = time.monotonic()
    shortest, longest = SECONDS_BETWEEN_SAMPLES
    while True:
        before = time.monotonic()
        if meter.usage is not None:
            meter.usage.sample()
        now = time.monotonic()
        if now - written >= SECONDS_BETWEEN_FILES:
            written = now
            write()
        pause = min(longest, max(shortest, (now - start) / 10))
        if ended.wait(max(pause, 10 * (now - before))):  # the kernel may walk through all memory
            return


def measured(work: Path) -> dict[str, float]:
    """The figures of a job with this work folder, over all attempts and processes."""
    parts: list[Figures] = [known(read_object_or_none(path)) for path in sorted(work.glob(FILES))]
    return at_once(parts)
