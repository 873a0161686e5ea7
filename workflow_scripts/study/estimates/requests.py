"""What jobs request from SLURM: memory and run time, from the rows and images that they process.

The declaration of each stage says what a process takes for its data, and what a unit of its work costs. How many rows
and images there are is read from the manifests of the stages that count them. Until they have run, each shard counts as
full, and each row as an image. A stage sees only manifests that are up to date: Snakemake asks when a job can start.
"""

import math
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST
from workflow_scripts.core.declaration.facts import Load
from workflow_scripts.core.files.bounded_json import read_object_or_none
from workflow_scripts.study.config.stages import declaration, facts
from workflow_scripts.study.estimates.cost import TFLOPS, job_seconds, load_of, parts_of
from workflow_scripts.study.units import Units

MARGIN = 3.0  # requested time, as a multiple of the estimate
CORE_TFLOPS = 0.02  # of a core that does the work of a GPU


class Requests:
    """Requests of the jobs of a study.

    Args:
        units: the study.
        folder: of its results.
    """

    def __init__(self, units: Units, folder: Path) -> None:
        self._units, self._folder = units, folder
        self._gpus = units.study.compute.device != "cpu"
        self._load_of = cache(partial(load_of, units))  # one load serves memory and time of a job, and all shards

    @property
    def rows(self) -> int:
        """Annotation rows, counted if they have been; else as many as the shards hold."""
        shards = self._units.study.shards
        return self._counted("annotations/rows", shards.shards * shards.rows_per_shard)

    def memory_mb(self, stage: str, unit: Mapping[str, str], processes: int = 1, attempt: int = 1) -> int:
        """Memory in MB of a job, with this number of processes on a node."""
        return facts(stage).resources.memory(self._load(stage, unit), self._gpus) * processes * attempt

    def gpu_mb(self, stage: str, unit: Mapping[str, str]) -> int:
        """MB of a GPU's memory that a job is estimated to need."""
        needed = facts(stage).resources.gpu_mb
        return math.ceil(needed(self._load(stage, unit))) if needed else 0

    def minutes(self, stage: str, unit: Mapping[str, str], attempt: int = 1) -> int:
        """Time limit of a job."""
        known, compute = facts(stage), self._units.study.compute
        if known.resources.resumes:
            return known.resources.minutes
        cores = known.resources.cores(compute.workers, compute.math_threads)
        tflops = TFLOPS if self._gpus else CORE_TFLOPS * cores
        estimate = max(job_seconds(known.cost, self._load(stage, unit), cores, tflops))
        return max(known.resources.minutes, math.ceil(MARGIN * estimate / 60)) * attempt

    def slurm_options(self, run: str) -> str:
        """Options of a training's job that the executor plugin for SLURM does not set itself."""
        settings = self._units.trainings[run].settings
        # Five minutes before the time limit, the stage gets a signal; it writes a checkpoint and is requeued.
        options = "--signal=USR1@300 --open-mode=append"
        if not self._gpus or settings.nodes == 1 or not settings.gpus:
            return options
        return f"{options} --gpus-per-node={settings.gpus // settings.nodes}"  # --gpus may divide them unevenly

    def _load(self, stage: str, unit: Mapping[str, str]) -> Load:
        declared, study, shards = declaration(stage), self._units.study, len(self._units.shards)
        if declared is None:  # it makes no artifact
            return Load(rows=0, images=0, labelled=0, masked=0, tested=0, settings={})
        name, most = ".".join(unit[key] for key in declared.unit), shards * study.shards.rows_per_shard
        if declared.unit == ("shard",):  # they are not equally full
            return self._load_of(declared, self._units.shards[0], most, most, shards)
        rows = min(most, self.rows)
        images = min(rows, self._counted("image_index/images", rows))
        return self._load_of(declared, name, rows, images, parts_of(self._units, unit))

    def _counted(self, label: str, otherwise: int) -> int:
        rows = (read_object_or_none(self._folder / f"{label}{MANIFEST}") or {}).get("rows")
        found = rows.get("out") if isinstance(rows, dict) else None
        return found if isinstance(found, int) and found > 0 else otherwise
