"""Checks what jobs need of the machine: GPUs, the scheduler's programs, Python packages."""

import shutil
from collections.abc import Iterator, Sequence

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime.environment import FAISS, check_faiss, gpus, no_gpu, resolve_device, versions
from workflow_scripts.core.runtime.gpu import cuda_of_driver, cuda_of_torch, too_small, unusable, visible_gpus
from workflow_scripts.models.backbones import LIBRARIES
from workflow_scripts.pretraining.monitor.tracking import missing_tracker
from workflow_scripts.pretraining.settings import Pretrain
from workflow_scripts.study.config.stages import declaration
from workflow_scripts.study.estimates.requests import Requests
from workflow_scripts.study.preflight.findings import Finding, Start

INSTALL = "install it: pip install faithful-pairs"
SLURM = ("sbatch", "squeue")


def machine_findings(start: Start) -> Iterator[Finding]:
    """What this machine lacks; machines on which a scheduler starts jobs can't be checked from here."""
    if start.local:
        yield from _gpus(start)
    else:
        for program in SLURM:
            if shutil.which(program) is None:
                advice = "start Snakemake on a machine with SLURM's commands"
                yield Finding(PipelineError("missing program", "PATH", program, advice), True)
    declared = [*filter(None, map(declaration, sorted(start.stages)))] if start.own_python else []
    there = versions([package for stage in declared for package in stage.packages if package != FAISS])
    for stage in declared:
        if missing := [package for package in stage.packages if package in there and there[package] is None]:
            error = PipelineError("missing Python package", f"stage {stage.name}", ", ".join(missing), INSTALL)
            yield Finding(error, start.computes(stage.name))
    if searches := [stage.name for stage in declared if FAISS in stage.packages]:
        try:
            check_faiss()
        except PipelineError as error:
            yield Finding(error, any(map(start.computes, searches)))
    if start.own_python:
        yield from _tracker(start)
        yield from _architectures(start)


def _runs(start: Start) -> dict[str, Pretrain]:
    """Name and settings of the runs that will be trained."""
    names = (job.unit["run"] for job in start.jobs if job.stage == "pretrain")
    return {name: start.units.trainings[name].settings for name in names}


def _tracker(start: Start) -> Iterator[Finding]:
    """Trackers of runs whose package is missing: a run would say so when it starts, which can be days later."""
    for tracker in sorted({run.tracker for run in _runs(start).values() if run.tracker is not None}):
        if (error := missing_tracker(tracker)) is not None:
            yield Finding(error, start.computes("pretrain"))


def _architectures(start: Start) -> Iterator[Finding]:
    """Architectures and weights that timm or torchvision does not know; imports the library if a run uses one."""
    wanted: dict[tuple[str, str], str] = {}
    for run, settings in _runs(start).items():
        library, _, name = settings.backbone.partition(":")
        if settings.network is not None:
            library, name = settings.network.layout, settings.network.architecture
        if name:
            wanted.setdefault((library, name), run)
    for (library, name), run in wanted.items():
        try:
            if library in LIBRARIES and (check := LIBRARIES[library].check) is not None:
                check(name)
        except PipelineError as error:
            found = PipelineError(error.what, f"settings of run {run}", name, error.advice)
            yield Finding(found, start.own_python)  # then no run in the cache can have had it


def _gpus(start: Start) -> Iterator[Finding]:
    device = start.units.study.compute.device
    declared = [*filter(None, map(declaration, start.stages))]
    on_gpu = sorted(stage.name for stage in declared if stage.device(device) == "cuda")
    reason = no_gpu() if on_gpu else None
    if reason is not None:
        value = f"cuda, but {reason}; {len(on_gpu)} stages need one, such as {on_gpu[0]}"
        advice = "set it to auto or cpu, or run on a machine with a GPU"
        error = PipelineError("no GPU", "compute.device", value, advice)
        yield Finding(error, any(start.computes(stage) for stage in on_gpu))
    used = sorted(stage.name for stage in declared if resolve_device(stage.device(device)) == "cuda")
    if used and no_gpu() is None:
        yield from _cards(start, used)
    count = gpus()
    computes = start.computes("pretrain")
    for run, settings in _runs(start).items():
        where = f"settings of run {run}"
        if settings.nodes > 1:
            what, advice = "several nodes without SLURM", "set nodes to 1, or start with --profile profiles/slurm"
            yield Finding(PipelineError(what, where, f"nodes is {settings.nodes}", advice), computes)
        elif reason is None and device == "cuda" and count is not None and settings.gpus > count:
            value = f"processes is {settings.gpus}, but this machine has {count} GPUs"
            yield Finding(PipelineError("too few GPUs", where, value, "lower processes; each takes a GPU"), computes)


def _cards(start: Start, stages: Sequence[str]) -> Iterator[Finding]:
    """GPUs that the installed PyTorch can't use, or whose memory may not suffice for one of the jobs."""
    there = visible_gpus()
    computes = any(start.computes(stage) for stage in stages)
    for error in unusable(there, cuda_of_torch() if start.own_python else None, cuda_of_driver()):
        yield Finding(error, computes)
    requests = Requests(start.units, start.folder)
    for stage in stages if there else ():
        needed = max(requests.gpu_mb(stage, job.unit) for job in start.jobs if job.stage == stage)
        if (small := too_small(there, needed, stage)) is not None:
            yield Finding(small, certain=False)
