"""All of RedCaps: 1,202 shards in few jobs, a dry run that fits a login node, and jobs that start quickly."""

import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.slurm.cluster import Clone, asked_for, give_up, jobs, until
from tests.workflow.checkout import give_to_user
from tests.workflow.dag import MEASURED, idle_bytes, peak_of, snakemake

UNIT = """
found = {}
for number in range(1_000_000):
    found[str(number)] = found.get(str(number // 2), 0) + len(str(number))
"""
ALL_YEARS = "study: redcaps12m\nannotations: {years: null}\nshards: {shards: 1202}\n"


@pytest.fixture
def words(cluster: None, tmp_path: Path) -> tuple[str, ...]:
    """Words of a dry run of the whole study for SLURM."""
    overlay = tmp_path / "all-years.yaml"
    overlay.write_text(ALL_YEARS)
    return ("--profile", "slurm", "--configfile", str(overlay), "--dry-run")


def cpu_seconds() -> float:
    """CPU time of all child processes so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def unit_seconds() -> float:
    """CPU time of a million steps of Python here and now: a second or so, whatever the machine is like."""
    before = cpu_seconds()
    for _ in range(3):
        subprocess.run([sys.executable, "-c", UNIT], check=True)
    return (cpu_seconds() - before) / 3


def test_a_dry_run_of_all_shards_stays_within_time_and_memory(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    unit, before = unit_seconds(), cpu_seconds()
    done = snakemake(*words, "--quiet", "rules", before=MEASURED)
    seconds = cpu_seconds() - before
    assert done.returncode == 0, done.stdout[-2000:]
    more = peak_of(done.stdout)[1] - idle_bytes()
    with capsys.disabled():
        print(f"\ndry run: {seconds:.1f} s of CPU, {seconds / unit:.1f} units, +{more / 1e6:.0f} MB")
    assert seconds <= 25 * unit
    assert more <= 350e6


def test_downloads_share_jobs(cluster: None, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Really submitted, to a partition whose nodes are never up."""
    clone = Clone(place / "all years")
    overlay = clone.write("all-years.yaml", ALL_YEARS)
    plan = clone.folder / "results/redcaps12m/shard_plan/plan.manifest.json"
    plan.parent.mkdir(parents=True)
    plan.write_text("{}")
    give_to_user(clone.folder / "results")
    resources = ("--default-resources", "mem_mb=4000", "runtime=60", "slurm_partition=big")
    targets = [f"results/redcaps12m/download/{number:05d}.manifest.json" for number in range(1202)]
    command = ("snakemake", "--profile", "slurm", "--configfile", overlay, *resources, *clone.only("download"))
    process = clone.call(*command, *targets)
    try:
        until(lambda: process.poll() is not None or len(jobs("download")) >= 49, seconds=300)
        time.sleep(5)
        submitted = jobs("download")
        asked = asked_for(submitted[0])
    finally:
        give_up(process)
    with capsys.disabled():
        print(f"\nsbatch calls for 1,202 download shards: {len(submitted)}")
    assert len(submitted) == 49
    assert "cpu=2,mem=8000M" in asked["ReqTRES"]
    assert asked["TimeLimit"] == "1-02:00:00"


def test_a_job_is_parsed_quickly(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    unit, before = unit_seconds(), cpu_seconds()
    done = snakemake(*words, "--quiet", "all", "--", "results/redcaps12m/shard_plan/plan.manifest.json")
    seconds = cpu_seconds() - before
    assert done.returncode == 0, done.stdout[-2000:]
    with capsys.disabled():
        print(f"\nparsing for one job: {seconds:.1f} s of CPU, {seconds / unit:.1f} units")
    assert seconds <= 5 * unit
