"""The input and the findings of the checks before a run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST, stage_and_name
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import CACHE
from workflow_scripts.stages.source import Source
from workflow_scripts.study.units import PlannedJob, Units


@dataclass(frozen=True)
class Finding:
    """A problem.

    Attributes:
        certain: whether it makes the run fail; otherwise it may.
    """

    error: PipelineError
    certain: bool


@dataclass(frozen=True)
class Start:
    """A command that is about to start its jobs.

    Attributes:
        units: the study.
        results: the results folder.
        jobs: the jobs that will run.
        local: whether they run on this machine.
        own_python: whether they run in the Python that runs Snakemake, and not in environments of their own.
        lock_file: where the config's lock is, if it has one.
    """

    units: Units
    results: Path
    jobs: Sequence[PlannedJob]
    local: bool = True
    own_python: bool = True
    lock_file: Path | None = None

    @cached_property
    def running(self) -> frozenset[tuple[str, str]]:
        """Stage and name of the artifacts that will be made."""
        paths = (path for job in self.jobs for path in job.outputs if path.endswith(MANIFEST))
        return frozenset(stage_and_name(Path(path)) for path in paths)

    @property
    def folder(self) -> Path:
        """The study's folder."""
        return self.results / self.units.study.study

    @property
    def stages(self) -> set[str]:
        """Stages with a job that will run."""
        return {job.stage for job in self.jobs}

    def sources(self) -> Iterator[tuple[str, Source, bool]]:
        """Name of each source that the jobs hash or read, the source, and whether a job is certain to do so."""
        hashed = {job.unit["source"] for job in self.jobs if job.stage == "source"}
        read = {name: reader for job in self.jobs for name, reader in _sources_read(job)}
        for name in sorted((hashed | read.keys()) & self.units.sources_by_name.keys()):
            # A job that finds its artifact in the cache reads no source.
            yield name, self.units.sources_by_name[name], name in hashed or self.computes(read[name])

    def computes(self, stage: str) -> bool:
        """Whether a job of the stage is certain to compute, since the cache has no entry that it could use."""
        folder = self.results / CACHE / stage
        return not (folder.is_dir() and any(folder.iterdir()))


def _sources_read(job: PlannedJob) -> Iterator[tuple[str, str]]:
    for paths in job.inputs.values():
        for path in paths:
            if "/source/" in path:  # thousands are not, and taking them all apart is slow
                stage, name = stage_and_name(Path(path))
                if stage == "source":
                    yield name, job.stage
