"""A stage that keeps work as a training does, and what must hold of its artifacts after any crash."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from tests.helpers import run
from workflow_scripts.core.files import durable
from workflow_scripts.core.files.jsonio import digest
from workflow_scripts.core.runtime.machine import git_state, machine
from workflow_scripts.core.runtime.stage import RECIPE, Job, Stage
from workflow_scripts.core.settings import Settings
from workflow_scripts.pretraining.training import launch
from workflow_scripts.pretraining.training.checkpoint import NAME, step_reached, write_tensors

STEPS = (1, 2)
COMPUTED: list[tuple[str, int]] = []  # (version, step) that were trained by this process
Say = Callable[[tuple[Any, ...]], None]


def silent(_: tuple[Any, ...]) -> None:
    """Nothing is recorded."""


class Reporter:
    """Where the stage says what it kept."""

    say: Say = staticmethod(silent)


class Training(Settings):
    """Settings of the stage below."""

    version: str


def training(job: Job[Training]) -> None:
    """Train two steps; each leaves weights and a checkpoint that a later run goes on from."""
    version, work = job.settings.version, job.work
    launch._record_start(work)
    for step in STEPS[step_reached(work) :]:
        COMPUTED.append((version, step))
        weights = {"x": torch.full((4,), ord(version) + step, dtype=torch.float32)}
        write_tensors(work / f"step-{step}.safetensors", weights)
        write_tensors(work / NAME, weights, {"state": json.dumps({"step": step})})
        Reporter.say(("kept", version, step))
    for step in STEPS:
        shutil.copyfile(work / f"step-{step}.safetensors", job.file(f"/step-{step}.safetensors"))
    job.file(".txt").write_text(version * 8)
    job.beside(".times.txt").write_text("outside")


STAGE = Stage(run=training, settings=Training, artifact="{name}")


@contextmanager
def light() -> Iterator[None]:
    """A stage of the tests, which is no file of the package; the slow parts of its run record are made once."""
    here = {**machine((), "cpu"), "packages": {}}  # those that are loaded are hundreds in a process of tests
    with (
        mock.patch("workflow_scripts.core.code_equivalence.code_digest", lambda *_: "today"),
        mock.patch("workflow_scripts.core.runtime.stage.code_parts", lambda *_: {}),
        mock.patch("workflow_scripts.core.runtime.stage.git_state", cache(git_state)),
        mock.patch("workflow_scripts.core.runtime.stage.machine", lambda *_: here),
    ):
        yield


def train(results: Path, version: str, name: str = "x", say: Say = silent) -> None:
    """One job, as a process of its own would run it; ``say`` hears what it wants, kept and finished."""
    durable._synced.clear()
    Reporter.say = staticmethod(say)
    say(("wanted", version, name))
    run(STAGE, results, f"training/{name}", {"version": version})
    say(("done", version, name))


def snakemake_removes(results: Path, name: str = "x") -> None:
    """What Snakemake does to the outputs of a rule before its job starts."""
    for suffix in (".manifest.json", ".run.json"):
        os.unlink(results / f"study/training/{name}{suffix}")


@cache
def expected(version: str, scratch: Path) -> tuple[bytes, dict[str, bytes]]:
    """The manifest of a version, and its data files by suffix, from a run without accidents."""
    results = scratch / version / "results"
    train(results, version)
    stem = results / "study/training/x"
    manifest = Path(f"{stem}.manifest.json").read_bytes()
    suffixes = [*json.loads(manifest)["files"], ".times.txt"]
    return manifest, {suffix: Path(f"{stem}{suffix}").read_bytes() for suffix in suffixes}


class Truth:
    """What the versions of the artifact are."""

    def __init__(self, versions: Iterable[str], scratch: Path) -> None:
        self._all = {version: expected(version, scratch) for version in versions}

    def accepted(self, results: Path, name: str = "x") -> tuple[str | None, list[str]]:
        """The version that stands at ``results``, and what is wrong with it.

        Without its run record it does not stand, since that is an output of the rule; but its bytes must be right.
        """
        stem = results / "study/training" / name
        try:
            manifest = Path(f"{stem}.manifest.json").read_bytes()
        except FileNotFoundError:
            return None, []
        version = next((one for one, (text, _) in self._all.items() if text == manifest), None)
        if version is None:
            return None, [f"a manifest of no version: {manifest[:40]!r}"]
        wrong = []
        for suffix, content in self._all[version][1].items():
            path = Path(f"{stem}{suffix}")
            if not path.exists() or path.read_bytes() != content:
                wrong.append(f"{suffix} is not that of the manifest, version {version}")
        try:
            record = json.loads(Path(f"{stem}.run.json").read_bytes())
            own = {key: value for key, value in record.items() if key != "self"}
            if record["self"] != digest(own) or record["settings"] != {"version": version}:
                wrong.append(f"the run record is not that of version {version}")
        except FileNotFoundError:
            return None, wrong
        except (ValueError, KeyError) as error:
            wrong.append(f"a damaged run record: {error}")
        return version, wrong

    def _unexplained(self, results: Path, version: str) -> list[str]:
        """Kept work must say what it is made from, or `remove` removes it, and `accept` misses it."""
        recipes = []
        for path in (results / ".work/training").glob(f"*/{RECIPE}"):
            with suppress(ValueError):
                recipes.append(json.loads(path.read_bytes())["settings"])
        return [] if {"version": version} in recipes else [f"kept work of version {version} without its recipe"]

    def faults(self, results: Path, facts: tuple[Any, ...]) -> list[str]:
        """What is wrong after a crash, then after running again what was wanted, then all that was finished."""
        jobs = [fact for fact in facts if fact[0] in ("wanted", "done")]
        wrong = []
        for name in {"x", *(name for _, _, name in jobs)}:
            stands, more = self.accepted(results, name)
            wrong += more
            kind, version = [("", ""), *(fact[:2] for fact in jobs if fact[2] == name)][-1]
            if kind == "done" and stands != version:
                wrong.append(f"{name}: version {version} was finished, and {stands} stands")
            if kind == "wanted" and stands != version and any(fact[:2] == ("kept", version) for fact in facts):
                wrong += self._unexplained(results, version)
        if wrong:
            return wrong
        safe = {fact[1:] for fact in facts if fact[0] == "kept"}
        safe |= {(one, step) for kind, one, _ in jobs if kind == "done" for step in STEPS}
        again = [("wanted", "a", "x"), *jobs][-1][1:]
        for one, name in [again, *dict.fromkeys(fact[1:] for fact in jobs if fact[0] == "done" and fact[1:] != again)]:
            COMPUTED.clear()
            try:
                train(results, one, name)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, it is a fault
                return [f"running version {one} again failed: {error!r}"]
            lost = safe & set(COMPUTED)
            stands, wrong = self.accepted(results, name)
            if lost or wrong or stands != one:
                return [*wrong, f"lost work: {sorted(lost)}" if lost else f"version {stands} instead of {one}"]
        return []
