"""A finished study as a paper needs it: the report and all behind it, checked, with what their records say."""

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from pydantic import ValidationError

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.provenance.crate.write import check_made
from workflow_scripts.provenance.nodes import REPORT, Node, ancestors, load, study_root
from workflow_scripts.reporting.methods import Counts, counts_of
from workflow_scripts.reporting.settings import Report
from workflow_scripts.reporting.study import same_training

log = logging.getLogger(__name__)
AGAIN = "run snakemake to the end, then give the command again"
BESIDE = re.compile(r"/((?:figure|table)-[\w.-]+\.(?:svg|pdf|csv|tex|md))")
"""Suffix of a figure or table of the report."""
STATED = ("torch", "torchvision", "transformers", "sentence-transformers", "timm", "scikit-learn", "numpy", "snakemake")
HOUR = 3600


class Work(NamedTuple):
    """What the artifacts of one stage took: core hours, GPU hours, and the largest memory of a job in bytes."""

    jobs: int
    core_hours: float
    gpu_hours: float
    memory: int


@dataclass(frozen=True)
class Finished:
    """A study whose report is there, with everything that it was made from.

    Attributes:
        folder: ``results/STUDY``.
        nodes: the report and all behind it.
        report: the report.
        root: root hash of the study, as the report shows it.
        settings: of the report.
    """

    folder: Path
    nodes: list[Node]
    report: Node
    root: str
    settings: Report

    def of_stage(self, stage: str) -> list[Node]:
        """The artifacts of a stage, by name."""
        return sorted((node for node in self.nodes if node.stage == stage), key=lambda node: node.name)

    @cached_property
    def records(self) -> list[tuple[str, dict[str, Any]]]:
        """Stage and record of each computation."""
        return [(node.stage, node.computation or {}) for node in self.nodes]

    @cached_property
    def counts(self) -> Counts:
        """Rows of the data."""

        def artifacts(stage: str) -> list[Artifact]:
            return [Artifact(node.path) for node in self.of_stage(stage)]

        alike = same_training(artifacts("eval_dataset"), self.settings.methods.datasets)
        return counts_of(artifacts, self.contrasts, alike)

    @cached_property
    def contrasts(self) -> list[dict[str, Any]]:
        """Rows of the summary's contrasts; none of a study that evaluated no encoder."""
        return self.summary(".contrasts.parquet")

    def summary(self, suffix: str = ".parquet") -> list[dict[str, Any]]:
        """Rows of a table of the summary; none of a study that evaluated no encoder."""
        found = self.of_stage("summary")
        return list(pq.read_table(Artifact(found[0].path).path(suffix)).to_pylist()) if found else []

    @property
    def beside(self) -> dict[str, Path]:
        """Name -> verified file of each figure and table of the report."""
        artifact = Artifact(self.report.path)
        named = {suffix: BESIDE.fullmatch(suffix) for suffix in artifact.suffixes}
        return {found[1]: artifact.path(suffix) for suffix, found in named.items() if found}

    @property
    def days(self) -> tuple[str, str]:
        """First and last day of the computations, as ``2026-11-30``."""
        return days_of(record for _, record in self.records)

    @property
    def versions(self) -> dict[str, list[str]]:
        """Package -> versions, of Python and of the libraries that results depend on most; FAISS by its build."""
        found: dict[str, set[str]] = {}
        for _, record in self.records:
            known = {"Python": record.get("python"), **(record.get("packages") or {})}
            for name, version in known.items():
                if version and (name in ("Python", *STATED) or name.startswith("faiss")):
                    found.setdefault(name, set()).add(str(version))
        return {name: sorted(versions) for name, versions in sorted(found.items())}

    @property
    def machines(self) -> dict[str, list[str]]:
        """``CPU`` and ``GPU`` -> models."""
        cpus = {str(record["cpu_model"]) for _, record in self.records if record.get("cpu_model")}
        gpus = {str(name) for _, record in self.records for name in record.get("gpu_model") or ()}
        return {"CPU": sorted(cpus), "GPU": sorted(gpus)}

    @property
    def commits(self) -> list[str]:
        """Commits of the code, with a note where files had been edited."""
        states = [record.get("git") or {} for _, record in self.records]
        edited = " with uncommitted changes"
        return sorted({git["commit"] + (edited if git.get("dirty") else "") for git in states if git.get("commit")})

    @property
    def work(self) -> dict[str, Work]:
        """Stage -> what it took; artifacts from the cache count with their original computation."""
        found: dict[str, Work] = {}
        for stage, record in sorted(self.records, key=lambda one: one[0]):
            done = found.get(stage, Work(0, 0, 0, 0))
            # A machine can show more cards than a job uses: one for each process of a training, else one.
            used = int((record.get("settings") or {}).get("processes", 1))
            gpus = min(used, len(record.get("gpu_model") or ()))
            found[stage] = Work(
                done.jobs + 1,
                done.core_hours + (record.get("cpu_seconds") or 0) / HOUR,
                done.gpu_hours + gpus * (record.get("seconds") or 0) / HOUR,
                max(done.memory, (record.get("figures") or {}).get("memory_peak_bytes") or 0),
            )
        return found

    @property
    def hours(self) -> tuple[float, float]:
        """Core hours and GPU hours of all stages."""
        return sum(work.core_hours for work in self.work.values()), sum(work.gpu_hours for work in self.work.values())


def days_of(records: Iterable[Mapping[str, Any]]) -> tuple[str, str]:
    """First and last day of computations; empty texts if none has times."""
    times = [str(record[name])[:10] for record in records for name in ("start", "end") if record.get(name)]
    return (min(times), max(times)) if times else ("", "")


def checked_root(study: Path, nodes: Sequence[Node]) -> str:
    """The root hash that a study's report shows.

    Raises:
        PipelineError: there is no such folder or no report, or an artifact behind it is missing.
    """
    if not study.is_dir():
        advice = "name the folder of a study, such as results/demo"
        raise PipelineError("no such folder", study, "nothing there", advice)
    if REPORT not in {node.label for node in nodes}:
        raise PipelineError("unfinished study", study, "it has no report yet", AGAIN)
    root, _ = study_root(nodes)
    if root is None:
        raise PipelineError("incomplete study", study, "artifacts behind the report are missing", AGAIN)
    return root


def find_finished(study: Path) -> Finished:
    """The study in ``study``, checked.

    Raises:
        PipelineError: it is not finished, artifacts behind the report are missing or have changed since they were
            read, or the report is of a version without figures and tables.
    """
    study = study.absolute()
    log.info("reading the records of %s", study)
    nodes = load(study)
    reports = [node for node in nodes if node.label == REPORT]
    known = ancestors(reports, {node.path: node for node in nodes})
    log.info("checking %d artifacts behind the report", len(known))
    for node in known.values():
        check_made(node, known)
    root = checked_root(study, nodes)
    (report,) = reports
    try:
        settings = Report.model_validate((report.record or {}).get("settings", {}))
    except ValidationError as error:
        value = "; ".join(fault["msg"] for fault in error.errors())
        raise PipelineError("report of another version", report.path, value, AGAIN) from None
    if not any(BESIDE.fullmatch(suffix) for suffix in report.files):
        raise PipelineError("report of another version", report.path, "it has no figures and tables", AGAIN)
    return Finished(study, list(known.values()), report, root, settings)
