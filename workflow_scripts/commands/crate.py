"""``faithful-pairs crate``: write a study's Workflow Run RO-Crate."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_scripts.core.errors.text import printed

if TYPE_CHECKING:
    from workflow_scripts.stages.crate import CrateContents


def command(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="the study's folder, such as results/demo")],
    license: Annotated[
        str | None, typer.Option(metavar="TEXT", help="the study's licence: a URL, or a sentence")
    ] = None,
    max_file_mb: Annotated[
        float | None, typer.Option(metavar="MB", help="include files up to this size, and only hashes of larger ones")
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
    from workflow_scripts.study.config.stages import published

    settings = _settings(license=license, max_file_mb=max_file_mb)
    metadata = write_crate(study, **settings.model_dump(), published=published())
    sys.stdout.write(printed([f"{metadata.parent}: written"]))


def _settings(**given: str | float | None) -> "CrateContents":
    """The crate's settings; None means the default."""
    from pydantic import ValidationError

    from workflow_scripts.stages.crate import CrateContents

    try:
        return CrateContents.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        option = f"--{str(first['loc'][0]).replace('_', '-')}"
        raise typer.BadParameter(f"{first['input']!r}: {first['msg']}", param_hint=option) from None
