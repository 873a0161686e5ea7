"""The small and the smallest study, each run once from nothing; tests that change one work on copies."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.forkserver.environment import ForkServers
from tests.workflow.checkout import CONFIG, NANO, Checkout, give_to_user


def finished_study(
    factory: pytest.TempPathFactory, study: str, words: tuple[str, ...], command: tuple[str, ...]
) -> Checkout:
    """A checkout with a finished study, which the first of all pytest workers runs. Never change it."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"workflow-{study}"
    with open(folder.with_suffix(".lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        complete = folder.with_suffix(".complete")
        if not complete.exists():
            checkout = Checkout(folder)
            checkout.study, checkout.snakemake = study, command
            status, printed = checkout.run(*words)
            assert status == 0, printed[-4000:]
            complete.touch()
    return Checkout.at(folder, study)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, servers: ForkServers) -> Checkout:
    """A checkout with the finished small study. Never change it."""
    checkout = finished_study(tmp_path_factory, "tiny", CONFIG, servers.snakemake)
    checkout.snakemake = servers.snakemake
    return checkout


@pytest.fixture(scope="session")
def finished_nano(tmp_path_factory: pytest.TempPathFactory, servers: ForkServers) -> Checkout:
    """A checkout with the finished smallest study. Never change it."""
    return finished_study(tmp_path_factory, "nano", NANO, servers.snakemake)


@pytest.fixture
def nano(finished_nano: Checkout, servers: ForkServers, open_folder: Path) -> Checkout:
    """A copy of the checkout with the finished smallest study."""
    copy = finished_nano.copy_to(open_folder / "nano")
    copy.snakemake = servers.snakemake
    give_to_user(open_folder)
    return copy


@pytest.fixture
def copy_of(finished: Checkout, open_folder: Path) -> Callable[[], Checkout]:
    """Gives a copy of the finished checkout, Snakemake's memory and hard links to the cache included."""

    def make() -> Checkout:
        copy = finished.copy_to(open_folder / "copy")
        give_to_user(open_folder)
        return copy

    return make


@pytest.fixture
def cold(open_folder: Path) -> Checkout:
    """A checkout without results, whose Snakemake and jobs are ordinary processes."""
    checkout = Checkout(open_folder / "fresh")
    give_to_user(open_folder)
    return checkout


@pytest.fixture
def fresh(cold: Checkout, servers: ForkServers) -> Checkout:
    """A checkout without results."""
    cold.snakemake = servers.snakemake
    return cold


@pytest.fixture
def moved(finished: Checkout, fresh: Checkout) -> Checkout:
    """A fresh checkout into which the finished results were moved."""
    shutil.rmtree(fresh.folder / "results")
    subprocess.run(["cp", "-a", str(finished.folder / "results"), str(fresh.folder / "results")], check=True)
    return fresh
