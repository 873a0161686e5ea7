"""Memory and bytes read of this process and the processes below it, from Linux's ``/proc``; elsewhere unknown."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")


class Usage:
    """Peak memory and bytes read of a tree of processes, as seen by the samples taken."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc, self._top = proc, os.getpid()
        self._memory = 0
        self._read: dict[int, int] = {}
        self._before = self._bytes_read(self._top) or 0

    def sample(self) -> None:
        """Look at the tree once.

        Its memory is the anonymous memory of all processes, and the largest shared memory of one of them, since all map
        the same. Pages of files do not count: the system takes them back when it needs memory.
        """
        private, shared = 0, 0
        for pid in self._tree(self._top):
            sizes = self._sizes(pid)
            private += sizes.get("RssAnon", 0)
            shared = max(shared, sizes.get("RssShmem", 0))
            read = self._bytes_read(pid)
            if read is not None:
                self._read[pid] = read
        self._memory = max(self._memory, private + shared)

    def figures(self) -> dict[str, float]:
        """``memory_peak_bytes`` and ``read_bytes``: what was read by system calls, from a disk or not."""
        found: dict[str, float] = {}
        if self._memory:
            found["memory_peak_bytes"] = self._memory
        if self._top in self._read:
            # A process that ended and was waited for counts in the figure of the one that waited.
            alive = sum(read for pid, read in self._read.items() if pid == self._top or self._is_there(pid))
            found["read_bytes"] = max(0, alive - self._before)
        return found

    def _tree(self, pid: int) -> Iterator[int]:
        yield pid
        for task in self._proc.glob(f"{pid}/task/*/children"):
            with suppress(OSError):
                for child in task.read_text().split():
                    yield from self._tree(int(child))

    def _is_there(self, pid: int) -> bool:
        return (self._proc / str(pid)).exists()

    def _sizes(self, pid: int) -> dict[str, int]:
        """Lines of ``/proc/<pid>/status`` that state a size, in bytes; empty if the process is gone."""
        with suppress(OSError):
            lines = (line.partition(":") for line in (self._proc / str(pid) / "status").read_text().splitlines())
            return {name: int(value.split()[0]) * 1024 for name, _, value in lines if value.endswith(" kB")}
        return {}

    def _bytes_read(self, pid: int) -> int | None:
        with suppress(OSError, ValueError, IndexError):
            return int((self._proc / str(pid) / "io").read_text().split()[1])  # "rchar: 123"
        return None
