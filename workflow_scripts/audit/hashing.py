"""sha256 of many files at once, at the speed of the disk."""

import errno
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from workflow_scripts.core.cache import file_hash
from workflow_scripts.core.runtime.progress import progress


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def hashes(files: Sequence[tuple[Path, int]], jobs: int) -> Iterator[tuple[Path, str | OSError]]:
    """sha256 in hex, or the error that kept a file from being read; in the order in which they are done.

    Args:
        files: paths with sizes in bytes; the big ones are begun first, so that all threads end together.
        jobs: threads; hashing and reading leave Python's lock alone.
    """
    ordered = sorted(files, key=lambda one: -one[1])
    with ThreadPoolExecutor(max_workers=max(1, jobs)) as pool:
        started = [pool.submit(_one, path) for path, _ in ordered]
        for future in progress(as_completed(started), len(started), "files hashed"):
            yield future.result()


def _one(path: Path) -> tuple[Path, str | OSError]:
    try:
        if not path.is_file():  # replaced by something that would block the reader
            raise OSError(errno.EINVAL, "not a regular file")
        return path, file_hash(path)
    except OSError as error:
        return path, error
