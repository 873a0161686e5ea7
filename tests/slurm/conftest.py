"""The cluster, and the small study run on it. These tests run only when named: `pytest tests/slurm`.

They need root and Debian's packages (installed when missing), and change this machine while they run.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forkserver.environment import ForkServers, fork_servers
from tests.slurm.cluster import HERE, STUDY, WITHOUT_RIGHTS, Clone, end_all, up


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave these tests out of runs over all tests, and where there can be no cluster."""
    asked = any("slurm" in Path(word.split("::")[0]).parts for word in config.args)
    reason = "" if asked else "only when named: pytest tests/slurm"
    if os.getuid() != 0 or not (shutil.which("slurmctld", path="/usr/sbin:/usr/bin") or shutil.which("apt-get")):
        reason = reason or "no SLURM here, or no right to start one"
    for item in items:
        if reason and HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def cluster() -> Iterator[None]:
    """A running cluster; one that was up before stays up."""
    there = subprocess.run(["timeout", "5", "squeue"], capture_output=True, check=False).returncode == 0
    try:
        up()
        yield
    finally:
        if not there:
            subprocess.run([HERE / "cluster-down.sh"], check=True)


@pytest.fixture(scope="session")
def servers(cluster: None) -> Iterator[ForkServers]:
    """Fork servers of the user without rights, whom the start of the cluster lets get at Python."""
    with fork_servers(user=WITHOUT_RIGHTS) as made:
        yield made


@pytest.fixture(scope="session")
def place(cluster: None) -> Iterator[Path]:
    """A folder that the ordinary user reaches (pytest's own are closed to others)."""
    folder = Path(tempfile.mkdtemp(prefix="faithful-pairs-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    for clone in folder.iterdir():  # an interrupt leaves what it found at work
        end_all(clone)
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def studies(place: Path, servers: ForkServers) -> tuple[Clone, Clone]:
    """The small study, run at a time without SLURM and by the literal command on it. Never change them.

    Of this study alone, fork servers run the stages; SLURM's jobs are real ones, with a Snakemake of their own.
    """
    local, finished = Clone(place / "without slurm"), Clone(place / "a clone")
    finished.commands = servers.bin
    runs = local.call(*servers.snakemake, "--profile", "profiles/demo", *STUDY[2:]), finished.start()
    for run in runs:
        run.wait(timeout=3600)
    for clone, run in zip((local, finished), runs, strict=True):
        clone.ends_well(run)
    return local, finished


@pytest.fixture(scope="session")
def local(studies: tuple[Clone, Clone]) -> Clone:
    """The small study, run without SLURM."""
    return studies[0]


@pytest.fixture(scope="session")
def finished(studies: tuple[Clone, Clone]) -> Clone:
    """The small study, run by the literal command."""
    return studies[1]


@pytest.fixture
def copy(local: Clone, place: Path) -> Iterator[Clone]:
    """A copy of the finished study; what a test leaves running ends with it."""
    copy = local.copy_to(place / "a copy")
    yield copy
    end_all(copy.folder)
    shutil.rmtree(copy.folder)
