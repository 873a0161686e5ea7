"""The input and the findings of the checks before a run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST, stage_and_name
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.names import CACHE
from workflow_scripts.study.snakemake.planning import PlannedJob
from workflow_scripts.study.units import Units


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
    """

    units: Units
    results: Path
    jobs: Sequence[PlannedJob]
    local: bool = True
    own_python: bool = True
    running: frozenset[tuple[str, str]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "running", frozenset(artifacts(self.jobs)))

    @property
    def stages(self) -> set[str]:
        """Stages with a job that will run."""
        return {job.stage for job in self.jobs}

    def computes(self, stage: str) -> bool:
        """Whether a job of the stage is certain to compute, since the cache has no entry that it could use."""
        folder = self.results / CACHE / stage
        return not (folder.is_dir() and any(folder.iterdir()))


def artifacts(jobs: Iterable[PlannedJob]) -> list[tuple[str, str]]:
    """Stage and name of the jobs' artifacts."""
    return [stage_and_name(Path(path)) for job in jobs for path in job.outputs if path.endswith(MANIFEST)]
