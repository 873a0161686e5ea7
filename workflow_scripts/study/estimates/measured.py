"""What finished jobs took, by their run records: estimates learn from it.

A stage's factor is the time that its finished jobs took, divided by what is estimated for them. Estimates of other
sizes, backbones and datasets are multiplied by it.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workflow_scripts.core.artifact import MANIFEST, RUN
from workflow_scripts.core.files.bounded_json import read_object_or_none
from workflow_scripts.core.runtime.figures import FIGURES, in_turn, known
from workflow_scripts.provenance.run_metadata import figures_of
from workflow_scripts.study.active_config import studies_at, units_of
from workflow_scripts.study.config.stages import declaration, facts, stages_in_order
from workflow_scripts.study.estimates.cost import KEPT, busy_seconds
from workflow_scripts.study.estimates.requests import most_memory
from workflow_scripts.study.units import Units

SHOWN = ("images_per_s", "data_wait", "gpu_peak_bytes", "memory_peak_bytes")
WITHOUT, CPU, GPU = "without figures", "on a CPU", "on a GPU"


@dataclass(frozen=True)
class Measured:
    """What the finished jobs of a stage took: how many they are, their figures, and the factor of its estimates."""

    jobs: int
    figures: dict[str, float]
    factor: float


@dataclass
class Measurements:
    """What was measured, by stage, and the finished jobs that don't count, by stage and reason."""

    stages: dict[str, Measured] = field(default_factory=dict)
    left_out: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def factors(self) -> dict[str, float]:
        """The factor of each measured stage."""
        return {stage: one.factor for stage, one in self.stages.items()}


def measure(results: Path, device: str, tflops: float) -> Measurements:
    """What the finished jobs of all studies in a results folder took.

    Args:
        device: ``compute.device`` of the study to estimate: jobs on the other device don't count.
        tflops: speed of a GPU that estimates assume.

    Raises:
        PipelineError: there is no study, or the note of a study's config is damaged.
    """
    found = Measurements()
    figures: dict[str, list[dict[str, float]]] = {}
    expected: dict[str, float] = {}
    for study in studies_at(results):
        units = units_of(study.parent, study.name)
        for stage in stages_in_order() if units is not None else ():
            if units is None or declaration(stage) is None:
                continue
            jobs = dict(_finished(units, study, stage, device, found.left_out.setdefault(stage, Counter())))
            figures.setdefault(stage, []).extend(jobs.values())
            expected[stage] = expected.get(stage, 0.0) + _expected(units, study, stage, list(jobs), tflops)
    for stage, several in figures.items():
        together = in_turn(several)
        if several and expected[stage]:
            found.stages[stage] = Measured(len(several), together, together["work_seconds"] / expected[stage])
    return found


def _finished(
    units: Units, study: Path, stage: str, device: str, left_out: Counter[str]
) -> Iterable[tuple[str, dict[str, float]]]:
    """Names of the stage's finished artifacts of today's config, each with the figures of its computation."""
    on_gpu = facts(stage).resources.gpu and device != "cpu"
    for name in units.names(stage) or ():
        if not (study / stage / f"{name}{MANIFEST}").exists():
            continue
        record = read_object_or_none(study / stage / f"{name}{RUN}") or {}
        made = record.get("original") or record
        used = (made.get("environment") or {}).get("device")
        figures = known(figures_of(made))
        if not figures.get("work_seconds"):
            left_out[WITHOUT] += 1
        elif facts(stage).resources.gpu and (used == "cuda") != on_gpu:
            left_out[GPU if used == "cuda" else CPU] += 1
        else:
            yield name, figures


def _expected(units: Units, study: Path, stage: str, names: Sequence[str], tflops: float) -> float:
    """Estimated seconds of finished jobs, for the rows and images that the study turned out to have."""
    shards = units.study.shards
    side = "in" if stage == "annotations" else "out"  # later stages do not see the rows that it leaves out
    rows = _rows(study, "annotations", side) or shards.shards * shards.rows_per_shard
    images = _rows(study, "image_index", "out") or rows * KEPT
    declared = declaration(stage)
    share = len(names) / max(1, len(units.shards)) if declared is not None and declared.unit == ("shard",) else 1.0
    busy, waits = busy_seconds(units, stage, names, (rows * share, images * share), tflops)
    return max(busy, waits)


def _rows(study: Path, stage: str, side: str) -> float:
    manifests = (read_object_or_none(path) for path in (study / stage).glob(f"*{MANIFEST}"))
    return float(sum((one or {}).get("rows", {}).get(side, 0) for one in manifests))


def columns() -> list[str]:
    """Headings of what :func:`cells` gives."""
    return ["measured jobs", *(FIGURES[name].title for name in SHOWN), "requested"]


def cells(found: Measurements, units: Units, stage: str, rows: int) -> list[str]:
    """What was measured of a stage, and the memory that a process of it requests in a study of ``rows`` rows."""
    measured = found.stages.get(stage)
    if measured is None:
        return ["", *("" for _ in SHOWN), ""]
    texts = [FIGURES[name].text(measured.figures[name]) if name in measured.figures else "" for name in SHOWN]
    requested = most_memory(units, stage, rows) * 1e6
    return [f"{measured.jobs:,}", *texts, FIGURES["memory_peak_bytes"].text(requested)]


def account(found: Measurements, stages: Iterable[str]) -> str:
    """Sentences that say for which of ``stages`` nothing was measured, and which finished jobs don't count."""
    missing = [stage for stage in stages if stage not in found.stages]
    lines = [f"No finished jobs; estimated by the rates in docs/cost.md: {', '.join(missing)}."] if missing else []
    reasons = {reason for counts in found.left_out.values() for reason in counts}
    for reason in sorted(reasons):
        jobs = {stage: counts[reason] for stage, counts in found.left_out.items() if counts[reason]}
        told = ", ".join(f"{stage} {count:,}" for stage, count in jobs.items())
        lines.append(f"Finished jobs left out, {reason}: {told}.")
    return "\n".join(lines)
