"""Facts about a stage that can't change the bytes of its artifacts: the constant ``FACTS`` of its file.

The code digest skips ``FACTS``, so an edit of a cost, a disk figure, a tolerance or a resource recomputes nothing. Code
that computes results must therefore never read it. Rules, the names and settings of jobs, cost, the disk check,
``verify``, the crate, the groups of the SLURM profile and the tables in ``docs/`` are derived from it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal

LEAST_MB = 4_000  # enough memory for every job of a small study
MILLION = 1_000_000
Unit = Mapping[str, str]  # values of the wildcards in an artifact's name
DECODING_MS = 1.7  # time of one core to decode an image, measured


@dataclass(frozen=True, kw_only=True)
class Load:
    """The workload of one job, as far as the config determines it. Costs and disk figures are functions of it.

    Attributes:
        rows: annotation rows that the job reads: those of the study, or of its shard.
        images: images behind these rows that are still available.
        image_bytes: size of an image in a shard.
        parts: divisor of the study's rows and images that gives those of the job.
        labelled: images of the job's downstream set; for a stage that collects evaluations, of all evaluations
            together.
        masked: labelled images that have an object mask.
        tested: labelled images in the test split.
        settings: settings of the job, as JSON values.
        forward_gflop: 10^9 floating-point operations of a forward pass of the run's backbone for one image.
        weights_bytes: size of the backbone's weights.
        text_bytes: size of the weights of the run's text tower, if it has one.
        features: width of the backbone's output.
        checkpoints: number of checkpoints that the run keeps.
        views: images that the run's method decodes for each pair.
        passes: forward passes of the backbone for each pair.
        steps: optimizer steps of the run; with ``epochs``, as if every image had a partner.
    """

    rows: float
    images: float
    labelled: int
    masked: int
    tested: int
    settings: Mapping[str, Any]
    image_bytes: float = 0.0
    parts: float = 1
    forward_gflop: float = 0.0
    weights_bytes: float = 0.0
    text_bytes: float = 0.0
    features: int = 0
    checkpoints: int = 0
    views: int = 0
    passes: float = 0.0
    steps: int = 0


def none(_: Load) -> float:
    """A negligible amount."""
    return 0.0


def whole(_: Load) -> float:
    return 1.0


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a job requests from Snakemake and SLURM.

    Attributes:
        minutes: least time limit; that of a stage that resumes. See
            :meth:`workflow_scripts.study.estimates.requests.Requests.minutes`.
        memory_mb: memory in MB that a process takes whatever the data: libraries, and models on a GPU.
        data: bytes of memory that a process takes for its data.
        workers: takes the cores of ``compute.workers``, to read and decode.
        math: takes the cores of ``compute.math_threads``, to compute without reading much. A stage with neither takes
            one core.
        gpu_mb: MB of a GPU's memory that a job is estimated to need; None for a stage that takes no GPU. Checked before
            a run and by the job.
        resumes: the next attempt continues where this one ended, so its time limit does not grow.
        local: runs where Snakemake runs.
        slot: resource by which the SLURM profile limits how many of these jobs a SLURM job works on at a time.
    """

    minutes: int
    memory_mb: int
    data: Callable[[Load], float] = none
    workers: bool = False
    math: bool = False
    gpu_mb: Callable[[Load], float] | None = None
    resumes: bool = False
    local: bool = False
    slot: str | None = None

    @property
    def gpu(self) -> bool:
        """Whether a job takes a GPU, where the config's device has one."""
        return self.gpu_mb is not None

    def cores(self, workers: int, math_threads: int) -> int:
        """Cores of a job, where the config has these values of ``compute``."""
        return workers if self.workers else math_threads if self.math else 1

    def memory(self, load: Load, gpu: bool) -> int:
        """Memory in MB of a process for this work, in a study with GPUs or without, whose models are small."""
        fixed = LEAST_MB if self.gpu and not gpu else max(LEAST_MB, self.memory_mb)
        return fixed + math.ceil(self.data(load) / 1e6)


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The work of a job, as a number of units and the cost of each.

    Attributes:
        per: what a unit is.
        units: number of units of a job.
        core_ms: milliseconds of one core per unit.
        core_share: share of ``core_ms`` that a unit takes, such as of smaller images than it was measured on.
        gflop: 10^9 floating-point operations on a GPU per unit.
        wait_s: seconds that the job waits at least, such as for rate limits.
        source: where the figures come from.
    """

    per: str
    units: Callable[[Load], float]
    core_ms: float
    core_share: Callable[[Load], float] = whole
    gflop: Callable[[Load], float] = none
    wait_s: Callable[[Load], float] = none
    source: str


@dataclass(frozen=True)
class Tolerance:
    """How far a recomputed file may deviate if the machine differs from the recorded one.

    Attributes:
        number: bound for floating-point numbers, measured as in
            :class:`workflow_scripts.provenance.verify.Deviation`.
        unequal: share of a column's cells that may exceed the bound or, if they aren't numbers, differ at all (a
            caption at a near tie, a hit that flips, a pixel of a chart).
        seen: what was observed on the demo. Every bound leaves room above it, for larger models and batches.
    """

    number: float
    unequal: float
    seen: str

    @property
    def source(self) -> str:
        """Where the bound comes from."""
        return f"observed on the demo with 2 math threads and without AVX: {self.seen}"


@dataclass(frozen=True)
class File:
    """A data file of the stage's artifacts.

    Attributes:
        holds: its content, as the documentation describes it.
        tolerance: None if it has the same bytes on every machine, since no sum depends on the order of its terms.
        published: whether a crate includes a copy if the file is small: such a file must hold no posts,
            images or test items. ``always``: at any size.
        hashed: False for a file outside manifest and hash (times, attempts).
    """

    holds: str
    tolerance: Tolerance | None = None
    published: bool | Literal["always"] = False
    hashed: bool = True


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All facts about a stage that can't change the bytes of its artifacts.

    Attributes:
        files: suffix -> data file, in the order of the documentation; ``*`` matches any text.
        environment: name of the conda environment in ``envs/``; ``train`` has PyTorch.
        resources: what a job requests.
        cost: work of a job.
        disk: upper bound of the bytes that its artifact takes, by order of magnitude; small artifacts count as 0.
        store: bytes that it adds to the store of fetched bytes, which all studies share.
        names: names of the stage's artifacts in a study (:class:`workflow_scripts.study.units.Units`); None for a
            stage with one artifact.
        inputs: input -> the artifacts that a job reads under that name, as ``<stage>/<name>``: a pattern with wildcards
            of the unit, ``<stage>/*`` for all that the study has, or a function of study and unit.
        sources: input -> name of the external source that it is if the study has it: a pattern, or a function of study
            and unit. All inputs of a stage are in ``inputs`` or here; these are read with ``job.source``.
        section: section of the config with the stage's settings, such as ``evaluation.few_shot``; a wildcard in braces
            selects a member of a list by its name.
        settings: more settings of a job, of study and unit.
        in_all: requested by the rule ``all``. For stages whose artifacts no other stage reads.
        group: jobs that share a SLURM job, as the profile ``slurm`` names them.
    """

    files: Mapping[str, File]
    resources: Resources
    cost: Cost
    environment: Literal["core", "train"] = "core"
    disk: Callable[[Load], float] = none
    store: Callable[[Load], float] = none
    names: Callable[[Any], list[str]] | None = None
    inputs: Mapping[str, str | Callable[[Any, Unit], list[str]]] = field(default_factory=dict)
    sources: Mapping[str, str | Callable[[Any, Unit], str]] = field(default_factory=dict)
    section: str | None = None
    settings: Callable[[Any, Unit], dict[str, Any]] | None = None
    in_all: bool = False
    group: str | None = None

    @property
    def input_names(self) -> list[str]:
        """Names of all inputs."""
        return [*self.inputs, *self.sources]

    def file(self, suffix: str) -> File | None:
        """The declared file with this suffix; None if the stage declares none."""
        if suffix in self.files:
            return self.files[suffix]
        return next((file for pattern, file in self.files.items() if fnmatchcase(suffix, pattern)), None)
