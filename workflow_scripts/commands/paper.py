"""``faithful-pairs paper``: what a paper needs from a finished study, in one folder."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from workflow_scripts.commands.export import Licence
from workflow_scripts.core.errors.text import printed


def command(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="the study's folder, such as results/demo")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="new or empty folder, or that of an earlier paper")],
    tables: Annotated[
        bool,
        typer.Option("--tables", help="also copy the tables that croissant.json describes: addresses, captions, pairs"),
    ] = False,
    licence: Licence = None,
) -> None:
    """Write a study's tables, figures and methods for a paper.

    Writes the report's tables (LaTeX, Markdown, CSV) and figures (SVG, PDF), a section on methods, hyperparameters,
    computing time, references, licences of data and models, a reproducibility checklist with the answers that the
    records give, and Croissant metadata. README.md in the folder lists them, and example.tex includes them. Everything
    comes from the study's verified files: the same study gives the same folder.

    \b
    Examples:
      faithful-pairs paper results/demo paper/results
      faithful-pairs paper results/redcaps2020 paper/results --tables --licence cc-by-4.0

    \b
    Exit status:
      0  written
      1  the study is unfinished or damaged, or the folder has other files
      2  wrong usage
    """
    from workflow_scripts.core.runtime.job_log import log_to_stderr
    from workflow_scripts.export.finished import find_finished
    from workflow_scripts.export.paper import NO_LICENCE, write_paper

    if licence is not None and not licence.strip():
        raise typer.BadParameter("the text is empty", param_hint="--licence")
    log_to_stderr()
    count = write_paper(find_finished(study), folder.absolute(), licence or NO_LICENCE, tables)
    sys.stdout.write(printed([f"{folder}: {count} files; README.md says how to use them"]))
