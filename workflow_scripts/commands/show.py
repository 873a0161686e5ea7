"""``faithful-pairs show``: what a study trained, its primary contrasts, its report, and its answers."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workflow_scripts.core.errors.text import printed

if TYPE_CHECKING:
    from workflow_scripts.core.artifact import Artifact
    from workflow_scripts.reporting.settings import Report


def command(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="the study's folder, such as results/demo")],
) -> None:
    """Print what a study trained, and what it found.

    The last lines are the sentences with which the report begins. Where values or verdicts have changed since they
    were last shown, the old ones are printed too. If the config has changed since, the first line says so.

    \b
    Examples:
      faithful-pairs show results/demo

    \b
    Exit status:
      0  printed
      1  the study has no readable summary or no report yet
      2  wrong usage
    """
    sys.stdout.write(text(study))


def text(study: Path) -> str:
    """The text for the terminal.

    Raises:
        PipelineError: the study has no summary or no report yet, or its summary lacks a column.
    """
    import pyarrow.parquet as pq

    from workflow_scripts.core.artifact import MANIFEST, Artifact, command_for
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.core.files.foreign import readable
    from workflow_scripts.reporting.sections.console import moved, sentences, tables, wrapped
    from workflow_scripts.reporting.study import leaked_images

    if not study.is_dir():
        advice = "name the folder of a study, such as results/demo, from where results/ is"
        raise PipelineError("no such folder", study.absolute(), "nothing there", advice)
    made = {name: study / f"{name}{MANIFEST}" for name in NEEDED}
    for name, path in made.items():
        if not path.exists():
            advice = f"the study is not finished; see faithful-pairs status {study}"
            raise PipelineError("no results yet", study, f"no {name}", advice)
    summary, report = (Artifact(path) for path in made.values())
    page, settings = report.path(".html"), _settings(report, study.name)
    advice = f"recompute it with: {command_for(summary.manifest_path)}"
    with readable("unreadable summary", summary.manifest_path, advice):
        rows, contrasts = (pq.read_table(summary.path(suffix)).to_pylist() for suffix in SUFFIXES)
    checks = [Artifact(path) for path in sorted((study / "leakage").glob(f"*{MANIFEST}"))]
    with readable("unreadable counts of test images", study / "leakage", "compute them again: snakemake -R leakage"):
        leaked = {name: count for name, count in leaked_images(checks).items() if name in settings.methods.datasets}
    try:
        lines = [*tables(rows, contrasts, settings), "", f"Report: {page}"]
        lines += [*moved(study, contrasts, settings), ""]
        lines += [line for said in sentences(rows, contrasts, settings, leaked) for line in wrapped(said)]
    except KeyError as error:
        raise PipelineError("summary of another version", summary.manifest_path, f"no column {error}", advice) from None
    return printed([*_note(study), *lines])


def _note(study: Path) -> list[str]:
    """A line that the summary is not of the study's config, if that is known."""
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.study.active_config import units_of
    from workflow_scripts.study.freshness import outdated

    try:
        units = units_of(study.absolute().parent, study.absolute().name)
    except (OSError, PipelineError):  # results without their config are shown too
        return []
    said = "" if units is None else outdated(study, units)
    return [f"Of an earlier config: the summary was {said}.", ""] if said else []


NEEDED = ("summary/summary", "report/index")
SUFFIXES = (".parquet", ".contrasts.parquet")


def _settings(report: "Artifact", study: str) -> "Report":
    """What the report was made with, which names the pairs and contrasts."""
    from workflow_scripts.core.artifact import command_for
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.reporting.page import computation
    from workflow_scripts.reporting.settings import Report

    found: dict[str, Any] = computation(report).get("settings") or {"study": study}
    try:
        return Report.model_validate(found)
    except ValueError as error:
        advice = f"recompute it with: {command_for(report.manifest_path)}"
        raise PipelineError("damaged run record", report.manifest_path, error, advice) from None
