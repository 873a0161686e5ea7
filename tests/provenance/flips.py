"""One flipped byte in each of many files, one file at a time, beside damage that must not be hidden."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

# Unfinished work, what running downloads agree on, when files were audited, and lines without hashes (docs/audit.md).
EXEMPT = (".staging", ".work", ".hosts", ".audited", "logs", "benchmarks", "README.md")
Report = Callable[[Path], tuple[int, list[dict[str, Any]]]]


def damageable(results: Path) -> list[Path]:
    """Every file of a results folder that an audit looks at."""
    files = [path for path in sorted(results.rglob("*")) if path.is_file() and path.stat().st_size]
    return [path for path in files if not set(EXEMPT) & set(path.parts) and path.suffix != ".jsonl"]


def flip(path: Path, at: int) -> None:
    """One byte, in place: a hard link sees it too."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def check_flips(results: Path, files: Iterable[Path], base: set[Path], report: Report) -> int:
    """Flip a byte in each file, see that it and ``base``, which is damaged already, are named, and put it back.

    Gives the number of files.
    """
    count = 0
    for number, path in enumerate(files):
        if any(os.path.samefile(path, one) for one in base):
            continue
        data, at = path.read_bytes(), number * 7919 % path.stat().st_size
        flip(path, at)
        status, faults = report(results)
        named = {Path(fault["path"]) for fault in faults}
        assert status == 1
        assert base <= named, (path, at, faults)
        assert _names(named - base, path, results), (path, at, faults)
        path.write_bytes(data)
        count += 1
    return count


def _names(named: set[Path], path: Path, results: Path) -> bool:
    """Whether the file, the folder of its cache entry, its segment of the store, or a hard link to it is named."""
    mine = {path, path.with_suffix(".jsonl"), *(one for one in path.parents if results in one.parents)}
    return bool(mine & named) or any(os.path.samefile(one, path) for one in named if one.is_file())
