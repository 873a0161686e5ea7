"""The jobs of a study, and which of them would run, found without Snakemake."""

from collections.abc import Iterable, Sequence
from graphlib import TopologicalSorter
from pathlib import Path

from workflow_scripts.core.digest import code_digest
from workflow_scripts.core.files.jsonio import digest
from workflow_scripts.study.active_config import base_files
from workflow_scripts.study.config.files import read_config
from workflow_scripts.study.config.stages import declared_stages, facts
from workflow_scripts.study.config.study import load_study
from workflow_scripts.study.freshness import TRIGGERS, Freshness
from workflow_scripts.study.units import PlannedJob, Units


def configured(overlays: Iterable[str | Path]) -> Units:
    """The study of ``config.yaml`` and overlays of it."""
    return Units(load_study(read_config([*base_files(), *overlays])))


def planned_jobs(units: Units, out: Path) -> list[PlannedJob]:
    """The jobs of all artifacts that the report needs, inputs first.

    Args:
        out: folder of the study.
    """
    found = (units.job(stage, name, out) for stage in declared_stages() for name in units.needed(stage.name))
    jobs = {job.outputs[0]: job for job in found}
    order = TopologicalSorter({path: _read(job) for path, job in jobs.items()}).static_order()
    return [jobs[path] for path in order if path in jobs]


def plan_digest(units: Units) -> str:
    """A digest of all that the config says of the bytes of artifacts: settings in keys, sources, device and threads."""
    compute = units.study.compute
    said: dict[str, object] = {"compute": [compute.device, compute.math_threads]}
    for stage in declared_stages():
        for name in units.names(stage.name) or ():
            unit = stage.unit_of(name)
            said[f"{stage.name}/{name}"] = [
                stage.in_key(units.settings(stage.name, unit)),
                units.sources(stage.name, unit),
            ]
    return digest(said)


def code_of_all() -> str:
    """A digest of the code of all stages."""
    return digest({stage.name: code_digest(stage.name) for stage in declared_stages()})


def jobs_to_run(freshness: Freshness, jobs: Sequence[PlannedJob]) -> list[PlannedJob]:
    """Those of the planned jobs that Snakemake would run.

    They are the jobs of stale artifacts, of missing ones that are requested or read by a job that runs, and all that
    read what these make.

    Args:
        freshness: the check of the study.
        jobs: as :func:`planned_jobs` gives them.

    Raises:
        OSError: a manifest or run record exists but can't be read.
    """
    stale = freshness.decide(jobs, TRIGGERS)
    missing = {job.outputs[0] for job in jobs if not all(Path(path).exists() for path in job.outputs)}
    running = {path for job in jobs if (path := job.outputs[0]) in missing and facts(job.stage).in_all}
    running |= {job.outputs[0] for job in jobs if stale[job]}
    before = -1
    while len(running) > before:
        before = len(running)
        for job in reversed(jobs):
            if job.outputs[0] in running:
                running |= _read(job) & missing
        running.update(job.outputs[0] for job in jobs if not running.isdisjoint(_read(job)))
    return [job for job in jobs if job.outputs[0] in running]


def _read(job: PlannedJob) -> set[str]:
    return {path for paths in job.inputs.values() for path in paths}
