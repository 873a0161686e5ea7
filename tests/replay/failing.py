"""Calls that fail: `python -m tests.replay.failing --every 1 --seed 0`.

Each ``fsync``, ``rename``, ``link``, ``open``, ``write`` and ``mmap`` on files of a scenario fails, once and for
good, by a preloaded library, whichever library makes the call. The program may go on or end with an error of the disk.
What must hold then is what must hold after a crash, and the next run must end well. A failed ``fsync`` of a file loses
what it covered; one of a folder does so in the disks that a crash may leave after it.
"""

import argparse
import ctypes
import errno
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.replay.crashes import recorded
from tests.replay.models import Replay, distinct, posix
from tests.replay.recording import Recorder
from tests.replay.scenarios import Facts, Scenario
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files import durable
from workflow_scripts.core.stage_in.store import LocalError

KINDS = {"fsync": 1, "rename": 2, "link": 3, "open": 4, "write": 5, "mmap": 6}
ERRORS = {"write": errno.ENOSPC, "mmap": errno.ENOMEM}
STATES, DRAWS = 3, 100  # different disks after a crash, for each failed fsync, and how many are drawn at most
SOURCE = Path(__file__).with_name("nth_call.c")
REFUSED = OSError, PipelineError, SystemExit, LocalError


def library(folder: Path) -> Path:
    """The library that lets calls fail, compiled into ``folder``.

    Raises:
        FileNotFoundError: there is no C compiler.
    """
    made = folder / "nth_call.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", made, SOURCE, "-ldl"], check=True)
    return made


def preloaded() -> None:
    """Start this module again with the library, unless it is loaded."""
    if "nth_call" in os.environ.get("LD_PRELOAD", ""):
        return
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"LD_PRELOAD": str(library(Path(folder)))}
        words = [sys.executable, "-m", "tests.replay.failing", *sys.argv[1:]]
        sys.exit(subprocess.run(words, env=environment, check=False).returncode)


@contextmanager
def failing(kind: int, number: int, for_good: bool, error: int, folder: Path) -> Iterator[list[int]]:
    """Let the call with this number fail; 0 for none. The list gets how many there were."""
    loaded = ctypes.CDLL(None)
    loaded.arm.argtypes = [ctypes.c_int, ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_char_p]
    loaded.disarm.restype = ctypes.c_long
    seen: list[int] = []
    loaded.arm(kind, number, for_good, error, str(folder).encode())
    try:
        yield seen
    finally:
        seen.append(loaded.disarm())


def in_child(work: Callable[[], Any]) -> Any:
    """What ``work`` returns in a forked process; it must be JSON. A child that dies is a fault."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            answer = work()
        except BaseException as error:  # noqa: BLE001 - it is told to the parent
            answer = {"calls": 0, "ended": "", "faults": [repr(error)]}
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as stream:
        text = stream.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else {"calls": 0, "ended": "", "faults": ["the process died"]}


def attempt(scenario: Scenario, scratch: Path, kind: str, number: int, for_good: bool) -> dict[str, Any]:
    """Run a scenario while a call fails, then look at what is left."""
    root = Path(tempfile.mkdtemp(dir=scratch)) / "folder"
    root.mkdir()
    scenario.before(root)
    recorder, facts = Recorder(root), []
    syncs = kind == "fsync" and number > 0
    ended, faults = "well", []

    def say(fact: Any) -> None:
        facts.append(fact)
        if syncs:
            recorder.say(fact)

    def act() -> None:
        with failing(KINDS[kind], number, for_good, ERRORS.get(kind, errno.EIO), root) as calls:
            scenario.act(root, say)
        seen.extend(calls)

    seen: list[int] = []
    try:
        if syncs:
            with recorder.recording():
                act()
        else:
            act()
    except REFUSED:
        ended = "refused"
    except Exception as error:  # noqa: BLE001 - any other error is a fault of the program
        ended, faults = "refused", [f"not an error of the disk: {error!r}"]
    faults += left(scenario, root, tuple(facts))
    if syncs:
        faults += after_crashes(scenario, root.parent, recorder, number)
    return {"calls": sum(seen), "ended": ended, "faults": faults}


def left(scenario: Scenario, root: Path, facts: Facts) -> list[str]:
    """What is wrong in a folder, as a new process finds it."""
    durable._synced.clear()
    return scenario.faults(root, facts)


def after_crashes(scenario: Scenario, scratch: Path, recorder: Recorder, seed: int) -> list[str]:
    """What is wrong in a sample of the disks that a crash leaves of a program whose fsync failed."""
    wrong = []
    drawn = itertools.islice(posix(Replay(recorder.done), random.Random(seed)), DRAWS)
    for state in itertools.islice(distinct(drawn), STATES):
        root = Path(tempfile.mkdtemp(dir=scratch))
        state.write(root)
        wrong += [f"after a crash: {fault}" for fault in left(scenario, root, state.facts)]
    return wrong


def campaign(every: int, seed: int) -> int:
    """Try every ``every``-th failure of all scenarios, print the numbers by kind, and return that of faults."""
    total: dict[str, Counter[str]] = {kind: Counter() for kind in KINDS}
    turn = random.Random(seed).randrange(every)
    with recorded() as crashes, tempfile.TemporaryDirectory() as folder:
        for scenario, kind in itertools.product(crashes.scenarios.values(), KINDS):

            def run(number: int, for_good: bool, scenario: Scenario = scenario, kind: str = kind) -> Any:
                with tempfile.TemporaryDirectory(dir=folder) as scratch:
                    return in_child(lambda: attempt(scenario, Path(scratch), kind, number, for_good))

            counted = run(0, False)
            for number, for_good in itertools.product(range(1, counted["calls"] + 1), (False, True)):
                turn += 1
                if turn % every:
                    continue
                told = run(number, for_good)
                total[kind].update(tried=1, **{told["ended"]: 1}, faulty=int(bool(told["faults"])))
                if told["faults"]:
                    how = "for good" if for_good else "once"
                    sys.stdout.write(f"{scenario.name}, {kind} {number} {how}: {told['faults']}\n")
    for kind, counts in total.items():
        sys.stdout.write(f"{kind}: {dict(counts)}\n")
    return sum(counts["faulty"] for counts in total.values())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.replay.failing", description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="try one in so many failures")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    args = parser.parse_args()
    preloaded()
    sys.exit(campaign(args.every, args.seed) > 0)
