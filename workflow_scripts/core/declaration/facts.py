"""Facts about a stage that can't change the bytes of its artifacts: the constant ``FACTS`` of its file.

The code digest skips ``FACTS``, so an edit of a cost, a disk figure, a tolerance or a resource recomputes nothing. It
must therefore never be read to compute. Rules, the names and settings of jobs, cost, the disk check, ``verify``, the
crate, the groups of the SLURM profile and the tables in ``docs/`` are derived from it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

LEAST_MB = 4_000  # memory that every job of a small study gets along with
MILLION = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Load:
    """What one job has to do, as far as the config tells. Costs and disk figures are functions of it.

    Attributes:
        rows: annotation rows that the job sees: of the study, or of its shard.
        images: images behind these rows that are still available.
        labelled: images of the job's downstream set; for a stage that gathers evaluations, of all evaluations together.
        masked: images with an object mask of the same.
        settings: settings of the job, as JSON values.
        forward_gflop: 10^9 floating-point operations of a forward pass of the run's backbone for one image.
        weights_bytes: size of the backbone's weights.
        features: width of the backbone's output.
        checkpoints: number of checkpoints that the run keeps.
        views: images that the run's method decodes for each pair.
        passes: forward passes of the backbone for each pair.
    """

    rows: float
    images: float
    labelled: int
    masked: int
    settings: Mapping[str, Any]
    forward_gflop: float = 0.0
    weights_bytes: float = 0.0
    features: int = 0
    checkpoints: int = 0
    views: int = 0
    passes: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a job requests from Snakemake and SLURM.

    Attributes:
        minutes: time limit; with a second attempt, twice as much.
        memory_mb: memory in MB; with a second attempt, twice as much.
        scales: what the memory depends on. ``rows``: it is for a million rows, and smaller studies request their share;
            ``gpu``: it is for models on a GPU, and on a CPU :data:`LEAST_MB` are enough.
        workers: takes the cores of ``compute.workers``; other stages take one core.
        gpu: takes a GPU, where the config's device has one.
        resumes: the next attempt continues where this one ended, so its time limit does not grow.
        local: runs where Snakemake runs.
        slot: resource by which the SLURM profile limits how many of these jobs a SLURM job works on at a time.
    """

    minutes: int
    memory_mb: int
    scales: Literal["rows", "gpu"] | None = None
    workers: bool = False
    gpu: bool = False
    resumes: bool = False
    local: bool = False
    slot: str | None = None

    def memory(self, rows: int, gpu: bool) -> int:
        """Memory in MB of the first attempt, in a study of so many rows, on a GPU or without one."""
        if self.scales == "rows":
            return max(LEAST_MB, min(self.memory_mb, self.memory_mb * rows // MILLION))
        return LEAST_MB if self.scales == "gpu" and not gpu else self.memory_mb


def none(_: Load) -> float:
    """Nothing, or too little to count."""
    return 0.0


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The work of a job, in units that are counted.

    Attributes:
        per: what is counted.
        units: how many of them a job has.
        core_ms: milliseconds of one core for each.
        gflop: 10^9 floating-point operations on a GPU for each.
        wait_s: seconds that the job waits at least, whatever it computes.
        source: where the numbers are from.
    """

    per: str
    units: Callable[[Load], float]
    core_ms: float
    gflop: Callable[[Load], float] = none
    wait_s: Callable[[Load], float] = none
    source: str


@dataclass(frozen=True)
class Tolerance:
    """What a recomputed file may deviate by where the machine differs from the recorded one.

    Attributes:
        number: of a floating-point number, as
            :class:`workflow_scripts.provenance.verify.compare.Deviation` measures it.
        unequal: share of a column's cells that may differ all the same: numbers by more, anything else at all (a
            caption at a near tie, a hit that flips, a pixel of a chart).
        seen: what was seen on the demo. Every bound leaves room above it, for larger models and batches.
    """

    number: float
    unequal: float
    seen: str

    @property
    def source(self) -> str:
        """Where the bound is from."""
        return f"observed on the demo with 2 math threads and without AVX: {self.seen}"


@dataclass(frozen=True)
class File:
    """A data file of the stage's artifacts.

    Attributes:
        holds: what is in it, for people.
        tolerance: None: it has the same bytes on every machine, as sums are not taken in another order elsewhere.
        published: whether a crate that is given away holds a copy, if the file is small: it must hold no posts,
            pictures or test items. ``always``: of any size.
        hashed: False for a file outside manifest and hash (times, attempts).
    """

    holds: str
    tolerance: Tolerance | None = None
    published: bool | Literal["always"] = False
    hashed: bool = True


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that is known of a stage and can't change the bytes of its artifacts.

    Attributes:
        files: suffix -> data file, in the order of the documentation; ``*`` stands for any text.
        environment: name of the conda environment in ``envs/``; ``{device}`` in it becomes ``cpu`` or ``gpu``.
        resources: what a job requests.
        cost: work of a job.
        disk: bytes that its artifact takes, at most and by order of magnitude; small artifacts count as nothing.
        store: bytes that it adds to the store of fetched bytes, which all studies share.
        names: attribute of :class:`workflow_scripts.study.units.Units` with the names of the stage's artifacts; None
            for a stage with one artifact.
        section: section of the config with the stage's settings, such as ``evaluation.few_shot``; a wildcard in braces
            chooses a member of a list by its name. None: :mod:`workflow_scripts.study.units` gathers the settings, or
            there are none.
        sources: input -> name of the external source that it may be.
        group: jobs that share a SLURM job, as the profile ``slurm`` names them.
    """

    files: Mapping[str, File]
    environment: Literal["core", "train", "knn-{device}"]
    resources: Resources
    cost: Cost
    disk: Callable[[Load], float] = none
    store: Callable[[Load], float] = none
    names: str | None = None
    section: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None

    def file(self, suffix: str) -> File | None:
        """What is known of the file with this suffix; None for a file that the stage does not declare."""
        if suffix in self.files:
            return self.files[suffix]
        return next((file for pattern, file in self.files.items() if fnmatchcase(suffix, pattern)), None)
