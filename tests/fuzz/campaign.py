"""A fuzzing run: inputs of several kinds, dealt out to worker processes."""

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.targets import SHARES, load
from tests.fuzz.worker import input_of, write

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 5_000  # inputs of one worker
FAULTS_KEPT = 20  # of a kind; more are counted only
FAST = Path("/dev/shm")  # a file system in memory, where there is one


@dataclass
class Outcome:
    """What a kind's inputs came to.

    Attributes:
        outcomes: how often each word was said.
        faults: input's number -> what went wrong.
        seconds: of CPU time.
        slowest: seconds and number of the slowest input.
        peak: resident bytes, beyond those of the idle worker, of the one that needed most.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0
    slowest: tuple[float, int] = (0.0, 0)
    peak: int = 0

    def add(self, line: Mapping[str, object]) -> None:
        """Take in a worker's last line."""
        self.outcomes.update(line["outcomes"])  # type: ignore[call-overload]
        self.seconds += float(line["seconds"])  # type: ignore[arg-type]
        self.slowest = max(self.slowest, tuple(line["slowest"]))  # type: ignore[arg-type]
        self.peak = max(self.peak, int(line["peak"]))  # type: ignore[call-overload]


def shares(inputs: int, kinds: list[str] | None = None) -> dict[str, int]:
    """How many inputs each kind gets of ``inputs``."""
    wanted = {kind: share for kind, share in SHARES.items() if not kinds or kind in kinds}
    whole = sum(wanted.values())
    return {kind: -(-inputs * share // whole) for kind, share in wanted.items()}


def campaign(counts: Mapping[str, int], seed: int, jobs: int) -> dict[str, Outcome]:
    """Run so many inputs of each kind; ``jobs`` worker processes at a time."""
    found = {kind: Outcome() for kind in counts}
    with ThreadPoolExecutor(jobs) as pool:
        for kind, part in pool.map(lambda one: (one[0], _chunk(*one, seed)), _chunks(counts)):
            whole = found[kind]
            whole.outcomes += part.outcomes
            whole.seconds += part.seconds
            whole.slowest, whole.peak = max(whole.slowest, part.slowest), max(whole.peak, part.peak)
            whole.faults |= dict(list(part.faults.items())[: max(0, FAULTS_KEPT - len(whole.faults))])
    return found


def _chunks(counts: Mapping[str, int]) -> Iterator[tuple[str, int, int]]:
    for kind, count in counts.items():
        yield from ((kind, first, min(first + AT_ONCE, count)) for first in range(0, count, AT_ONCE))


def _chunk(kind: str, first: int, end: int, seed: int) -> Outcome:
    """One worker's inputs; a worker that dies is a fault of the input at hand, and another goes on behind it."""
    found = Outcome()
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=FAST if os.access(FAST, os.W_OK) else None) as folder:
        while first < end:
            command = [sys.executable, "-m", "tests.fuzz.worker", kind, str(seed), str(first), str(end), folder]
            environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "PYTHONPATH": str(ROOT)}
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
            for line in map(json.loads, done.stdout.splitlines()):
                if "fault" in line:
                    found.faults[line["number"]] = line["fault"]
                else:
                    found.add(line)
            if done.returncode == 0:
                break
            at = Path(folder, "at")
            died = int(at.read_text()) if at.exists() else first
            found.faults[died] = f"the process died with status {done.returncode}\n{done.stderr[-4000:]}"
            found.outcomes["died"] += 1
            first = died + 1
    return found


def save(kind: str, seed: int, number: int, folder: Path) -> Path:
    """Write one input's files below ``folder``; gives the place."""
    place = folder / f"{kind}-{seed}-{number}"
    place.mkdir(parents=True, exist_ok=True)
    write(input_of(load(kind), kind, seed, number), place)
    return place
