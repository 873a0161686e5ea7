"""Many processes on one cache: every key is computed once, nothing is half there, nobody waits for ever."""

import json
import multiprocessing
import random
import time
from collections import Counter
from multiprocessing.context import ForkProcess
from pathlib import Path

from tests.core.stressed_stage import content, main
from workflow_scripts.core.cache import lookup
from workflow_scripts.removal.gc import DAY, collect, plan

FORK = multiprocessing.get_context("fork")
PROCESSES, UNITS, STUDIES = 8, 4, ("one", "two")
WAIT = 600  # seconds after which a process counts as stuck


class Stress:
    """Processes of the stage on one results folder."""

    def __init__(self, results: Path, locks: bool = True) -> None:
        self.results, self.locks = results, locks
        self.log = results.with_name("log.txt")
        self.log.touch()

    def start(self, study: str, number: int) -> ForkProcess:
        """The stage for one unit of a study, in a fork of this process, which has imported all that it needs."""
        artifact = self.results / study / "stressed" / str(number)
        process = FORK.Process(target=main, args=(artifact, number, self.log, self.locks))
        process.start()
        return process

    def noted(self, what: str) -> Counter[int]:
        """How often each unit was noted for ``what``."""
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return Counter(int(number) for word, number in lines if word == what)

    def check(self) -> None:
        """Every artifact of every study has the bytes that it must have, by file and by manifest."""
        for study in STUDIES:
            for number in range(UNITS):
                stem = self.results / study / "stressed" / str(number)
                assert Path(f"{stem}.bin").read_bytes() == content(number)
                files = json.loads(Path(f"{stem}.manifest.json").read_bytes())["files"]
                assert files[".bin"]["bytes"] == len(content(number))
                assert Path(f"{stem}/deep/hash.txt").read_text() == files[".bin"]["sha256"]

    def entries(self) -> list[Path]:
        """All cache entries, hidden ones too."""
        return [*(self.results / ".cache/stressed").iterdir(), *(self.results / ".cache/.staging").iterdir()]


def finish(process: ForkProcess) -> int:
    """Its exit status; a stuck process fails the test."""
    process.join(WAIT)
    assert process.exitcode is not None
    return process.exitcode


def test_eight_processes_compute_every_key_once(results: Path) -> None:
    stress = Stress(results)
    jobs = [(study, number) for number in range(UNITS) for study in STUDIES]
    assert len(jobs) == PROCESSES
    for _ in range(2):
        assert [finish(process) for process in [stress.start(*job) for job in jobs]] == [0] * PROCESSES
    assert stress.noted("computed") == Counter(range(UNITS))
    assert stress.noted("collision") == {}
    assert len(stress.entries()) == UNITS
    assert not list((results / ".work/stressed").iterdir())
    stress.check()


def test_kills_poison_and_clearing_change_no_byte(results: Path) -> None:
    stress, chance = Stress(results), random.Random(5)
    running: list[tuple[ForkProcess, bool]] = []
    started, killed, poisoned, more = 0, 0, 0, True
    (results / ".cache").mkdir()
    while running or more:
        # How many are killed and damaged depends on the machine's speed: go on until there are some of both.
        more = started < 100 or not killed or poisoned < 6
        while more and len(running) < PROCESSES:
            running.append((stress.start(chance.choice(STUDIES), chance.randrange(UNITS)), chance.random() < 0.5))
            started += 1
        time.sleep(chance.uniform(0.002, 0.02))
        for process, doomed in list(running):
            if doomed and process.is_alive() and chance.random() < 0.5:
                process.kill()
            if not process.is_alive():
                status = finish(process)
                assert status in (0, -9)
                killed += status == -9
                running.remove((process, doomed))
        if chance.random() < 0.3:
            poisoned += poison(results, chance)
        if chance.random() < 0.15 and (results / ".cache").is_dir():
            collect(results, plan(results, None, DAY).remove)
    assert stress.noted("collision") == {}
    for study in STUDIES:
        for number in range(UNITS):
            assert finish(stress.start(study, number)) == 0
    collect(results, plan(results, None, DAY).remove)
    stress.check()
    keys = {json.loads(path.read_bytes())["key"] for path in results.glob("*/stressed/*.run.json")}
    assert sorted(path.name for path in stress.entries()) == sorted(keys)
    assert len(keys) == UNITS
    assert all(lookup(entry) for entry in stress.entries())
    assert not [path for path in (results / ".work/stressed").iterdir() if path.is_dir()]


def poison(results: Path, chance: random.Random) -> int:
    """Damage a random entry's data; the number of damaged entries."""
    stored = sorted((results / ".cache").glob("stressed/*/files/_.bin"))
    if not stored:
        return 0
    path = chance.choice(stored)
    try:
        path.chmod(0o644)
        with open(path, "r+b") as stream:
            stream.seek(chance.randrange(1000))
            stream.write(b"poison")
    except FileNotFoundError:  # gone meanwhile
        return 0
    return 1


def test_without_locks_a_process_may_fail_but_no_byte_is_wrong(results: Path) -> None:
    stress = Stress(results, locks=False)
    jobs = [(study, number) for number in range(UNITS) for study in STUDIES]
    statuses = [finish(process) for process in [stress.start(*job) for job in jobs]]
    assert set(statuses) <= {0, 1}
    for job in jobs:
        assert finish(stress.start(*job)) == 0
    stress.check()
    assert len(list((results / ".cache/stressed").iterdir())) == UNITS
