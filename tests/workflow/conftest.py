"""The small and the smallest study, each run once from nothing; tests that change one work on copies."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.workflow.checkout import NANO, Checkout, give_to_user


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout with the finished small study. Never change it."""
    checkout = Checkout(tmp_path_factory.mktemp("workflow") / "finished")
    status, printed = checkout.run()
    assert status == 0, printed[-4000:]
    return checkout


@pytest.fixture(scope="session")
def finished_nano(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout with the finished smallest study. Never change it."""
    checkout = Checkout(tmp_path_factory.mktemp("workflow") / "nano")
    checkout.study = "nano"
    status, printed = checkout.run(*NANO)
    assert status == 0, printed[-4000:]
    return checkout


@pytest.fixture
def nano(finished_nano: Checkout, tmp_path: Path) -> Checkout:
    """A copy of the checkout with the finished smallest study."""
    tmp_path.chmod(0o755)
    tmp_path.parent.chmod(0o755)
    copy = finished_nano.copy_to(tmp_path / "nano")
    give_to_user(tmp_path)
    return copy


@pytest.fixture
def copy_of(finished: Checkout, tmp_path: Path) -> Callable[[], Checkout]:
    """Gives a copy of the finished checkout, Snakemake's memory and hard links to the cache included."""

    def make() -> Checkout:
        tmp_path.chmod(0o755)
        tmp_path.parent.chmod(0o755)
        copy = finished.copy_to(tmp_path / "copy")
        give_to_user(tmp_path)
        return copy

    return make


@pytest.fixture
def fresh(tmp_path: Path) -> Checkout:
    """A checkout without results."""
    tmp_path.chmod(0o755)
    tmp_path.parent.chmod(0o755)
    checkout = Checkout(tmp_path / "fresh")
    give_to_user(tmp_path)
    return checkout


@pytest.fixture
def moved(finished: Checkout, fresh: Checkout) -> Checkout:
    """A fresh checkout into which the finished results were moved."""
    shutil.rmtree(fresh.folder / "results")
    subprocess.run(["cp", "-a", str(finished.folder / "results"), str(fresh.folder / "results")], check=True)
    return fresh
