"""Which jobs of a study would run, without Snakemake."""

from pathlib import Path
from typing import cast

import pytest

from tests.study.config.configs import planned
from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.study import plan
from workflow_scripts.study.freshness import Freshness
from workflow_scripts.study.plan import jobs_to_run, planned_jobs
from workflow_scripts.study.units import PlannedJob

NANO = "tests/config/nano.yaml"


def test_every_needed_artifact_has_a_job_after_its_inputs() -> None:
    units = planned(NANO)
    jobs = planned_jobs(units, Path("results/nano"))
    outputs = [job.outputs[0] for job in jobs]
    wanted = {
        f"results/nano/{stage.name}/{name}{MANIFEST}"
        for stage in plan.declared_stages()
        for name in units.needed(stage.name)
    }
    assert set(outputs) == wanted and len(outputs) == len(wanted)
    place = {path: number for number, path in enumerate(outputs)}
    assert all(place[path] < place[job.outputs[0]] for job in jobs for paths in job.inputs.values() for path in paths)


@pytest.mark.parametrize(
    ("gone", "stale", "running"),
    [
        ("", "", ""),
        ("report", "", "report"),  # requested
        ("b", "", ""),  # missing, but nothing that runs reads it
        ("ab", "c", "abc report"),
        ("", "b", "bc report"),
        ("a", "report", "report"),
    ],
)
def test_jobs_run_if_they_are_stale_missing_and_needed_or_read_what_is_made(
    gone: str, stale: str, running: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chain: a is read by b, b by c, and c by the report."""
    jobs: list[PlannedJob] = []
    for name in ("a", "b", "c", "report"):
        outputs = [str(tmp_path / name / f"x{end}") for end in (MANIFEST, RUN)]
        inputs = {"before": [jobs[-1].outputs[0]]} if jobs else {}
        jobs.append(PlannedJob(name, {}, inputs, outputs, True))
        (tmp_path / name).mkdir()
        for path in outputs if name not in _names(gone) else ():
            Path(path).touch()

    class Decided:
        def decide(self, jobs: list[PlannedJob], triggers: frozenset[str]) -> dict[PlannedJob, bool]:
            return {job: job.stage in _names(stale) for job in jobs}

    class Facts:
        def __init__(self, stage: str) -> None:
            self.in_all = stage == "report"

    monkeypatch.setattr(plan, "facts", Facts)
    assert [job.stage for job in jobs_to_run(cast(Freshness, Decided()), jobs)] == _names(running)


def _names(text: str) -> list[str]:
    return [name for word in text.split() for name in ([word] if word == "report" else word)]
