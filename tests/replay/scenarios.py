"""What is recorded, and what must hold after a crash at any moment of it."""

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from tests.replay.training import STEPS, Say, Truth, snakemake_removes, train
from workflow_scripts.core import publish
from workflow_scripts.core.cache import discard
from workflow_scripts.pretraining.training import checkpoint
from workflow_scripts.removal.gc import plan

Facts = tuple[Any, ...]


@dataclass(frozen=True)
class Scenario:
    """A program to crash.

    Attributes:
        name: for reports.
        before: makes what is on disk at first, in an empty folder.
        act: is recorded; it gets that folder, and ``say`` for what it reports.
        faults: what is wrong in a folder after a crash, and after running again there.
    """

    name: str
    before: Callable[[Path], None]
    act: Callable[[Path, Say], None]
    faults: Callable[[Path, Facts], list[str]]


class Killed(BaseException):
    """A process ends here."""


def nothing(_: Path) -> None:
    """An empty folder."""


def trained(*versions: str) -> Callable[[Path], None]:
    """Versions of the artifact that were finished one after the other."""

    def before(root: Path) -> None:
        for number, version in enumerate(versions):
            if number:
                snakemake_removes(root / "results")
            train(root / "results", version)

    return before


def retrain(version: str) -> Callable[[Path, Say], None]:
    """A job of Snakemake, which removes the outputs first."""

    def act(root: Path, say: Say) -> None:
        snakemake_removes(root / "results")
        train(root / "results", version, say=say)

    return act


def train_over(root: Path, say: Say) -> None:
    """A stage that was started by hand: the manifest of the version before stands."""
    train(root / "results", "b", say=say)


def train_elsewhere(root: Path, say: Say) -> None:
    """Another artifact of the same content."""
    train(root / "results", "a", "y", say)


def train_twice(root: Path, say: Say) -> None:
    """Two versions in a row."""
    train(root / "results", "a", say=say)
    say(("wanted", "b", "x"))
    snakemake_removes(root / "results")
    train(root / "results", "b", say=say)


def train_without_links(root: Path, say: Say) -> None:
    """A file system without hard links."""
    with mock.patch.object(os, "link", side_effect=OSError(errno.EMLINK, "Too many links")):
        retrain("b")(root, say)


def train_after_a_kill(root: Path, say: Say) -> None:
    """The first process is killed once it has removed the old manifest, the second does the job."""

    def withdraw(artifact: Path) -> None:
        os.unlink(f"{artifact}.manifest.json")
        raise Killed

    try:
        with mock.patch.object(publish, "withdraw", withdraw):
            train(root / "results", "b", say=say)
    except Killed:
        train(root / "results", "b", say=say)


def train_in_folders_of_another(root: Path, say: Say) -> None:
    """Another process has made the folders, and synced nothing."""
    for folder in (".work/training", ".cache/training", "study/training/x"):
        (root / "results" / folder).mkdir(parents=True)
    train(root / "results", "a", say=say)


def train_in_two_goes(root: Path, say: Say) -> None:
    """Killed after the first step was kept."""
    real = checkpoint.save_file

    def save_file(tensors: Any, path: Path, metadata: Any) -> None:
        if path.name == f".step-{STEPS[1]}.safetensors.part":
            raise Killed
        real(tensors, path, metadata)

    try:
        with mock.patch.object(checkpoint, "save_file", save_file):
            train(root / "results", "a", say=say)
    except Killed:
        train(root / "results", "a", say=say)


def damaged(root: Path) -> None:
    """A finished artifact whose cache entry was damaged afterwards, and that must be recomputed."""
    train(root / "results", "a")
    entry = next((root / "results/.cache/training").iterdir())
    (entry / "files/_.txt").unlink()
    (entry / "files/_.txt").write_text("A" * 8)
    shutil.rmtree(root / "results/study")


def discard_entry(root: Path, say: Say) -> None:
    """What `faithful-pairs cache-gc` does to an entry."""
    discard(next((root / "results/.cache/training").iterdir()))


def training_scenarios(truth: Truth) -> list[Scenario]:
    """Publishing an artifact, from the cache or newly computed."""

    def faults(root: Path, facts: Facts) -> list[str]:
        return truth.faults(root / "results", facts)

    def faults_with_gc(root: Path, facts: Facts) -> list[str]:
        plan(root / "results", None, 1e9)  # raises where an entry is no entry
        return truth.faults(root / "results", facts)

    acts: list[tuple[str, Callable[[Path], None], Callable[[Path, Say], None]]] = [
        ("fresh", nothing, lambda root, say: train(root / "results", "a", say=say)),
        ("over", trained("a"), retrain("b")),
        ("over a manifest that stands", trained("a"), train_over),
        ("undone edit", trained("a", "b"), retrain("a")),
        ("cache hit", trained("a"), train_elsewhere),
        ("two versions in a row", nothing, train_twice),
        ("without hard links", trained("a"), train_without_links),
        ("after a kill", trained("a"), train_after_a_kill),
        ("folders of another process", nothing, train_in_folders_of_another),
        ("killed and resumed", nothing, train_in_two_goes),
        ("damaged cache entry", damaged, lambda root, say: train(root / "results", "a", say=say)),
    ]
    return [
        *(Scenario(name, before, act, faults) for name, before, act in acts),
        Scenario("cache entry removed", trained("a"), discard_entry, faults_with_gc),
    ]
