"""Runs a range of one kind's inputs in this process, each within limits of time and memory.

The parent starts it as ``python -m tests.fuzz.worker KIND SEED FIRST END FOLDER`` and reads lines of JSON. Before each
input its number is written into ``FOLDER/at``: where the process dies, that is the input that killed it.
"""

import json
import logging
import random
import resource
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tests.fuzz.target import Files, Target
from tests.fuzz.targets import load
from workflow_scripts.core.errors import PipelineError

CPU_SECONDS = 5.0  # of one input; the slowest that is fine takes a tenth of that
MEMORY = 800 << 20  # bytes of address space beyond what the idle worker has
RESIDENT = 250 << 20  # bytes beyond those of the idle worker; five times what any input needs
WARM = 30  # inputs before memory is limited, so that thread pools and caches stand


class SlowError(BaseException):
    """An input took too much time; no Exception, so that nothing takes it for an answer."""


def input_of(target: Target, kind: str, seed: int, number: int) -> Files:
    """The files of one input: kind, seed and number alone decide."""
    return target.make(random.Random(f"{kind}:{seed}:{number}"))


def write(files: Files, folder: Path) -> None:
    """Write an input where a target reads it."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def attempt(target: Target, files: Files, folder: Path) -> tuple[str, str | None]:
    """The outcome of one input, and the fault that it showed, if any."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write(files, folder)
    try:
        with _in_time():
            return target.run(folder), None
    except PipelineError as error:
        vague = [name for name in ("what", "where", "value", "advice") if not str(getattr(error, name)).strip()]
        return "refused", f"its error says nothing as {', '.join(vague)}: {error}" if vague else None
    except SlowError:
        return "slow", f"more than {CPU_SECONDS:g} s of CPU time\n{traceback.format_exc()}"
    except (Exception, RecursionError, SystemExit):  # noqa: BLE001 - whatever it is, it is what we look for
        return "traceback", traceback.format_exc()


@contextmanager
def _in_time() -> Iterator[None]:
    """Stop Python code that takes too long, and kill the process where other code does."""
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
    signal.setitimer(signal.ITIMER_PROF, 3 * CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)


def _too_slow(*_: object) -> None:
    raise SlowError


def limit_memory(beyond: int = MEMORY) -> None:
    """Let this process have no more address space than it has now and ``beyond`` bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + beyond
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def resident_bytes(which: Literal["VmRSS", "VmHWM"]) -> int:
    """Resident set of this process: now, or the largest so far; getrusage counts that of the parent before exec too."""
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(which))) * 1024


def quiet() -> None:
    """Warnings of damaged inputs are no output of the fuzzer."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGVTALRM, _too_slow)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(argv: list[str]) -> None:
    """Run inputs FIRST to END - 1 of a kind."""
    kind, seed, first, end, place = argv[0], int(argv[1]), int(argv[2]), int(argv[3]), Path(argv[4])
    target = load(kind)
    quiet()
    outcomes: Counter[str] = Counter()
    slowest, start = (0.0, first), time.process_time()
    idle = resident_bytes("VmRSS")
    for number in range(first, end):
        if number == first + WARM:
            limit_memory()
            idle = resident_bytes("VmRSS")
        (place / "at").write_text(str(number))
        before = time.process_time()
        outcome, fault = attempt(target, input_of(target, kind, seed, number), place / "input")
        slowest = max(slowest, (time.process_time() - before, number))
        outcomes[outcome] += 1
        if fault is not None:
            _say({"number": number, "fault": fault})
    spent = time.process_time() - start
    _say({"outcomes": outcomes, "seconds": spent, "slowest": slowest, "peak": resident_bytes("VmHWM") - idle})


def _say(line: object) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
