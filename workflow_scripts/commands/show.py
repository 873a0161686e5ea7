"""``faithful-pairs show``: a study's table of arms, its contrasts and the path of its report."""

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from workflow_scripts.core.errors.text import printed


def command(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="the study's folder, such as results/demo")],
    step: Annotated[
        str, typer.Option(metavar="STEP", help="checkpoint of the table of arms: last, best, step-000200 or epoch-0010")
    ] = "last",
) -> None:
    """Print a study's arms, contrasts and the path of its report.

    \b
    Examples:
      faithful-pairs show results/demo
      faithful-pairs show results/demo --step best

    \b
    Exit status:
      0  printed
      1  the study has no readable summary or no report yet
      2  wrong usage
    """
    sys.stdout.write(text(study, step))


def text(study: Path, step: str = "last") -> str:
    """The text for the terminal.

    Raises:
        PipelineError: the study has no summary or no report yet, or its summary lacks a column.
    """
    import pyarrow.parquet as pq

    from workflow_scripts.core.artifact import MANIFEST, Artifact
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.core.files.foreign import readable
    from workflow_scripts.reporting.sections.console import arms_table

    summary = Artifact(study / "summary" / f"summary{MANIFEST}")
    page = Artifact(study / "report" / f"index{MANIFEST}").path(".html")
    with readable("unreadable summary", summary.manifest_path, "recompute it with snakemake --force summary"):
        scores, contrasts = (pq.read_table(summary.path(suffix)) for suffix in (".parquet", ".contrasts.parquet"))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    try:
        return f"{arms_table(scores, contrasts, step, width)}{printed(['', f'Report: {page}'])}"
    except KeyError as error:
        advice = f"recompute it with: snakemake --force {summary.manifest_path}"
        raise PipelineError("summary of another version", summary.manifest_path, f"no column {error}", advice) from None
