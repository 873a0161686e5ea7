"""``faithful-pairs crate``: write a study's Workflow Run RO-Crate."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from workflow_scripts.core.errors.text import printed


def command(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="the study's folder, such as results/demo")],
    license: Annotated[
        str | None, typer.Option(metavar="TEXT", help="the study's licence: a URL, or a sentence")
    ] = None,
    max_file_mb: Annotated[
        float | None,
        typer.Option(min=0, metavar="MB", help="include files up to this size, and only hashes of larger ones"),
    ] = None,
) -> None:
    """Write a study's Workflow Run RO-Crate to STUDY/crate.

    \b
    Examples:
      faithful-pairs crate results/demo --license https://creativecommons.org/licenses/by/4.0/

    \b
    Exit status:
      0  the crate is written
      1  it can't be written
      2  wrong usage
    """
    from workflow_scripts.provenance.crate.write import write_crate
    from workflow_scripts.stages.crate import CrateContents
    from workflow_scripts.study.config.stages import published

    if license == "":
        raise typer.BadParameter("a licence can't be empty", param_hint="--license")
    given = {"license": license, "max_file_mb": max_file_mb}
    settings = CrateContents.model_validate({name: value for name, value in given.items() if value is not None})
    metadata = write_crate(study, **settings.model_dump(), published=published())
    sys.stdout.write(printed([f"{metadata.parent}: written"]))
