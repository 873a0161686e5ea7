"""Commands of two users at once on one results folder: `python -m tests.core.schedules --schedules 100 --seed 0`.

A seed makes a schedule of runs, edits, undone edits, an accepted edit of code, audits, removals, clean-ups of the
cache, recoveries and kills. They start while others run, by the commands' own functions in processes of their own.
Afterwards a last run and clean-up must leave what the same config gives in an empty folder, byte for byte. In one
schedule of ten, Snakemake runs the smallest study.
"""

import argparse
import encodings.utf_8_sig  # noqa: F401 - other users may not be able to import it
import hashlib
import json
import multiprocessing
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from multiprocessing.context import ForkProcess
from pathlib import Path
from unittest import mock

from tests.core import stressed_stage
from tests.core.other_users import ALICE, BOB, become, shared_results
from tests.workflow.command_schedules import snakemake_schedule
from workflow_scripts.audit import accept
from workflow_scripts.audit.audit import audit
from workflow_scripts.commands.recover import recover
from workflow_scripts.core import code_equivalence
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.provenance.lineage import load, recipe_of
from workflow_scripts.removal import deletion, gc, removal
from workflow_scripts.removal.gc import DAY, collect, plan

FORK = multiprocessing.get_context("fork")
UNITS, LENGTH, AT_ONCE = 3, 16, 5
WAIT = 300  # seconds after which a process counts as stuck
OPERATIONS = {"run": 6, "edit": 4, "undo": 2, "audit": 2, "gc": 2, "remove": 1, "accept": 1, "recover": 1, "kill": 3}
OLD, NEW = "today", "edited"  # digests of the stage's code


@dataclass
class World:
    """A results folder, its config, and the processes that work on it.

    Attributes:
        results: shared by both users.
        versions: setting of each unit: what it was, and last what it is.
        code: digest of the code that runs would compute with.
        running: operations, their processes, and whether they may be killed.
        removed: bytes that must be nowhere in the end.
    """

    results: Path
    versions: dict[int, list[int]] = field(default_factory=lambda: {number: [0] for number in range(UNITS)})
    code: str = OLD
    running: list[tuple[str, ForkProcess]] = field(default_factory=list)
    removed: list[bytes] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def config(self) -> dict[int, int]:
        """Setting of each unit now."""
        return {number: versions[-1] for number, versions in self.versions.items()}

    def start(self, name: str, user: int, work: Callable[[], object]) -> None:
        """Run ``work`` in a process group of its own, as a user."""
        process = FORK.Process(target=_work, args=(self.results.parent, user, work))
        process.start()
        self.running.append((name, process))

    def wait(self, *names: str) -> None:
        """Until the operations with these names, or all, have ended.

        Raises:
            AssertionError: one is stuck, or ended as no command may.
        """
        for name, process in list(self.running):
            if names and name not in names:
                continue
            process.join(WAIT)
            assert process.exitcode is not None, f"{name} is stuck"
            assert process.exitcode in (0, 1, -signal.SIGKILL), f"{name} ended with {process.exitcode}"
            self.counts["killed"] += process.exitcode == -signal.SIGKILL
            self.running.remove((name, process))

    def check_removed(self) -> None:
        """No file has removed bytes.

        Raises:
            AssertionError: one has.
        """
        files = [path for path in self.results.rglob("*") if path.is_file()]
        left = [path for path in files if any(marker in path.read_bytes() for marker in self.removed)]
        assert not left, f"removed, and still in {left}"


def _work(folder: Path, user: int, work: Callable[[], object]) -> None:
    os.setpgid(0, 0)
    own = folder / str(user)
    own.mkdir(exist_ok=True)
    if os.getuid() == 0:
        os.chown(own, user, user)
        become(user)
    with open(own / "printed.txt", "a") as printed:
        os.dup2(printed.fileno(), 2)
        try:
            with redirect_stdout(printed):
                work()
        except PipelineError as error:
            printed.write(f"error: {error}\n")
            sys.exit(1)


def run(world: World, user: int) -> Callable[[], None]:
    """What Snakemake does: each artifact that is not that of the config is removed and computed."""
    config, code, results = world.config, world.code, world.results

    def work() -> None:
        failed = 0
        for number, version in config.items():
            stem = results / "study/stressed" / str(number)
            if _version(stem) == version:
                continue
            for suffix in (".manifest.json", ".run.json"):
                Path(f"{stem}{suffix}").unlink(missing_ok=True)
            log = results.parent / str(user) / "log"
            job = FORK.Process(target=stressed_stage.main, args=(stem, number, log, True, version, code))
            job.start()
            job.join()
            failed += job.exitcode != 0
        sys.exit(failed > 0)

    return work


def _version(stem: Path) -> int | None:
    """The setting with which a finished artifact was made."""
    try:
        if not Path(f"{stem}.manifest.json").exists():
            return None
        return int(json.loads(Path(f"{stem}.run.json").read_bytes())["settings"]["version"])
    except (FileNotFoundError, ValueError, KeyError):
        return None


def clean(results: Path, age: float = DAY) -> None:
    """What `faithful-pairs cache-gc` does."""
    if (results / ".cache").is_dir():
        collect(results, plan(results, None, age).remove)


def remove(results: Path, number: int, version: int) -> None:
    """What `faithful-pairs remove` does to artifacts that were made from removed rows: here, of an old setting."""
    with mock.patch.object(deletion, "is_artifact_file", lambda stage, file: True):
        unit = {"number": str(number)}
        artifacts = load(results)
        mine = [artifact for artifact in artifacts if artifact.record["unit"] == unit]
        old = [artifact for artifact in mine if artifact.record["settings"]["version"] <= version]
        for work in (results / ".work/stressed").glob("*"):
            recipe = recipe_of(work) or {}
            if recipe.get("unit") == unit and recipe["settings"]["version"] <= version:
                removal._remove_idle(results, work, work)
        removal._remove_artifacts(results, [artifact for artifact in old if artifact.study])
        removal._remove_strays(results, "study", [artifact for artifact in artifacts if artifact not in old])
        removal._discard(results, [artifact for artifact in old if not artifact.study])


def accept_edit(results: Path) -> None:
    """What `faithful-pairs accept` does after an edit that changes no result."""
    digest = lambda *_: NEW  # noqa: E731
    with mock.patch.object(accept, "code_digest", digest), mock.patch.object(code_equivalence, "code_digest", digest):
        accept.accept_code(results, "stressed", "a comment", "")


def look(results: Path) -> list[str]:
    """Kinds of the faults that an audit finds."""
    outcomes = audit([results], [], False, 1)
    return sorted({str(fault.kind) for outcome in outcomes for fault in outcome.faults})


def take_out(world: World, user: int, number: int) -> None:
    """Change a unit's setting, and remove what was made with all settings before."""
    old = max(world.versions[number])
    world.removed += [stressed_stage.piece(number, 0, version)[:32] for version in range(old + 1)]
    world.versions[number] = [old + 1]
    world.start("remove", user, lambda: remove(world.results, number, old))
    world.wait("remove")
    world.check_removed()


def operate(world: World, chance: random.Random) -> None:
    """Start one operation, or do it, as the seed says."""
    name = chance.choices(list(OPERATIONS), list(OPERATIONS.values()))[0]
    user, number, results = chance.choice((ALICE, BOB)), chance.randrange(UNITS), world.results
    world.counts[name] += 1
    versions = world.versions[number]
    if name == "run":
        world.start(name, user, run(world, user))
    elif name == "edit":
        versions.append(max(versions) + 1)
    elif name == "undo":
        versions.append(versions[-2] if len(versions) > 1 else versions[-1])
    elif name == "kill":
        alive = [process for kind, process in world.running if kind == "run" and process.is_alive()]
        for process in alive[:1]:
            with suppress(ProcessLookupError, PermissionError):  # it has ended, or has no group of its own yet
                os.killpg(process.pid or 0, signal.SIGKILL)
    elif name == "remove":  # while no run of the old config goes on
        world.wait("run")
        take_out(world, user, number)
    elif name == "accept" and world.code == OLD and list(results.glob("study/stressed/*.run.json")):
        world.wait()
        world.start(name, ALICE, lambda: accept_edit(results))
        world.wait()
        if code_equivalence.accepted(results):
            world.code = NEW
    elif name == "recover":
        world.start(name, user, lambda: recover(results.parent, None))
    elif name == "gc":
        world.start(name, user, lambda: clean(results))
    elif name == "audit" and (results / "study").is_dir():
        world.start(name, user, lambda: look(results))


def hashes(results: Path) -> dict[str, str]:
    """sha256 of each manifest and data file of the study."""
    found = {}
    for path in sorted((results / "study").rglob("*")):
        if path.is_file() and not path.name.endswith((".run.json", ".times.txt")):
            found[str(path.relative_to(results))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def finish(world: World) -> None:
    """A last run and clean-up, and what must hold then.

    Raises:
        AssertionError: it does not.
    """
    world.wait()
    for user in (BOB, ALICE):
        world.start("last run", user, run(world, user))
        world.wait()
    # Files that a kill left unfinished may be those of another process, and this stage is none of the workflow.
    with mock.patch.object(gc, "PART_AGE", 0), mock.patch.object(deletion, "stage_names", lambda: {"stressed"}):
        world.start("last clean-up", ALICE, lambda: clean(world.results, 0))
        world.wait()
    for path in world.results.parent.glob("*/printed.txt"):
        text = path.read_text()
        assert "Traceback" not in text and "this is a bug" not in text, text[-3000:]
    for number, version in world.config.items():
        data = world.results / f"study/stressed/{number}.bin"
        assert data.read_bytes() == stressed_stage.content(number, version), f"{data} is wrong"
    left = [
        path
        for path in world.results.rglob("*")
        if path.is_file() and any(b in path.read_bytes() for b in world.removed)
    ]
    assert not left, f"removed, and still in {left}"
    lines = [line for path in world.results.parent.glob("*/log") for line in path.read_text().splitlines()]
    assert not [line for line in lines if line.startswith("collision")], "two processes did the same work at once"
    with shared_results() as fresh:
        alone = World(fresh, {number: [version] for number, version in world.config.items()}, world.code)
        alone.start("run", ALICE, run(alone, ALICE))
        alone.wait()
        found, expected = hashes(world.results), hashes(fresh)
        assert found == expected, f"files differ: {sorted(set(found.items()) ^ set(expected.items()))}"
        # No note of a config, and code that is no file of the package.
        faults, usual = look(world.results), look(fresh)
        assert faults == usual, f"an audit finds {faults}, not {usual}"


def schedule(seed: int) -> Counter[str]:
    """One schedule; numbers of its operations.

    Raises:
        AssertionError: something was lost or is wrong.
    """
    chance = random.Random(seed)
    with shared_results() as results:
        world = World(results)
        for _ in range(LENGTH):
            operate(world, chance)
            time.sleep(chance.choice((0, 0.01, 0.05, 0.2)))
            while sum(process.is_alive() for _, process in world.running) >= AT_ONCE:
                time.sleep(0.01)
        finish(world)
        return world.counts


def campaign(number: int, seed: int) -> int:
    """Try so many schedules, print those that fail, and return their number."""
    total, failed = Counter[str](), 0
    for turn in range(seed, seed + number):
        try:
            total += snakemake_schedule(turn) if turn % 10 == 9 else schedule(turn)
        except AssertionError as error:
            failed += 1
            sys.stdout.write(f"repeat it with --schedules 1 --seed {turn}: {error}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{number} schedules, {failed} failed: {dict(total)}\n")
    return failed


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.core.schedules", description=__doc__)
    parser.add_argument("--schedules", type=int, default=100, help="how many")
    parser.add_argument("--seed", type=int, default=0, help="of the first; the next have the next numbers")
    args = parser.parse_args()
    sys.exit(campaign(args.schedules, args.seed) > 0)
