"""`snakemake --profile slurm`, literally: by a user without rights or configuration, in a path with a space."""

import re
from datetime import datetime
from statistics import median
from typing import Any

import pytest

from tests.slurm.cluster import Clone, finished_jobs
from tests.workflow.checkout import ROOT

STAGES = {path.stem for path in (ROOT / "workflow_scripts" / "stages").glob("[a-z]*.py")}
RATED = {"caption_labels"}  # it needs people's ratings
LOCAL = {"source", "crate"}  # compute nodes often have no network; the crate, made on request, copies small files


def test_every_byte_is_that_of_a_local_run(finished: Clone, local: Clone) -> None:
    hashes = local.hashes()
    assert len(hashes) > 60
    assert finished.hashes() == hashes


def test_every_stage_but_local_ones_ran_in_a_completed_slurm_job(finished: Clone) -> None:
    records = computed(finished)
    in_jobs = {record["stage"] for record in records if record["slurm_job"]}
    assert in_jobs == STAGES - LOCAL - RATED
    assert {record["stage"] for record in records if not record["slurm_job"]} == {"source"}
    submitted = re.findall(r"submitted with SLURM jobid (\d+)", finished.printed())
    known = finished_jobs()
    assert {known[job]["JobState"] for job in submitted} == {"COMPLETED"}
    assert {record["slurm_job"] for record in records if record["slurm_job"]} == set(submitted)


def test_overhead_of_a_job(finished: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    """Printed, not judged: seconds that SLURM counts for a job and its stages do not."""
    inside: dict[str, float] = {}
    for record in computed(finished):
        if record["slurm_job"]:
            inside[record["slurm_job"]] = inside.get(record["slurm_job"], 0.0) + record["seconds"]
    known = finished_jobs()
    outside = [seconds_of(known[job]) - seconds for job, seconds in inside.items()]
    with capsys.disabled():
        print(f"\n{len(inside)} jobs; overhead of a job: median {median(outside):.1f} s, most {max(outside):.1f} s")
    assert len(inside) < len(computed(finished))


def computed(clone: Clone) -> list[dict[str, Any]]:
    """Run records of what was computed; the scores of a judge's further arms come from the cache of the first one's."""
    return [record for record in clone.records().values() if not record["cached"]]


def seconds_of(job: dict[str, str]) -> float:
    """How long a job ran, by SLURM's record."""
    start, end = (datetime.fromisoformat(job[name]) for name in ("StartTime", "EndTime"))
    return (end - start).total_seconds()
