"""What Snakemake remembers: one file per output below ``.snakemake/metadata``, named by the output's path in base64.

Where that is gone or older than the results, Snakemake compares times alone; the run records take its place.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

MEMORY = Path(".snakemake/metadata")
SKEW = 60.0  # seconds that the clocks of two machines may differ
LONGEST = 255  # bytes in a file's name; Snakemake cuts longer ones into folders that start with @


def unremembered(made: Iterable[tuple[Path, str]], memory: Path) -> int:
    """How many outputs Snakemake knows nothing of, or only an older making.

    Args:
        made: path of each output as the rules write it, and when its job started (ISO time).
        memory: the folder of Snakemake's memory.
    """
    return sum(1 for path, start in made if not _remembers(memory, path, start))


def _remembers(memory: Path, path: Path, start: str) -> bool:
    name = urlsafe_b64encode(str(path).encode()).decode()
    *folders, last = [name[at : at + LONGEST - 1] for at in range(0, len(name), LONGEST - 1)]
    try:
        written = memory.joinpath(*(f"@{folder}" for folder in folders), last).stat().st_mtime
    except OSError:
        return False
    return written + SKEW >= _seconds(start)


def _seconds(time: str) -> float:
    try:
        return datetime.fromisoformat(time).timestamp()
    except ValueError:
        return 0.0  # a record without a time says nothing against the memory
