"""``faithful-pairs crate``: write or check a study's Workflow Run RO-Crate."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_scripts.core.faults.plain_text import printed

if TYPE_CHECKING:
    from workflow_scripts.stages.crate import CrateContents


def command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="the study's folder; with --check, the crate")],
    check: Annotated[bool, typer.Option("--check", help="check a crate instead of writing one")] = False,
    license: Annotated[
        str | None, typer.Option(metavar="TEXT", help="the study's licence: a URL, or a sentence")
    ] = None,
    max_file_mb: Annotated[
        float | None, typer.Option(metavar="MB", help="include files up to this size, and only hashes of larger ones")
    ] = None,
) -> None:
    """Write or check a study's Workflow Run RO-Crate.

    The crate is written to STUDY/crate and then checked. With --check an existing crate is checked, without its study
    and without a network.

    \b
    Examples:
      faithful-pairs crate results/demo --license https://creativecommons.org/licenses/by/4.0/
      faithful-pairs crate --check results/demo/crate

    \b
    Exit status:
      0  the crate is complete and consistent with its metadata
      1  it is not, or can't be written or read
      2  wrong usage
    """
    from workflow_scripts.provenance.crate import check as checks
    from workflow_scripts.provenance.crate.write import write_crate
    from workflow_scripts.study.config.stages import published

    settings = _settings(license=license, max_file_mb=max_file_mb)
    crate = folder if check else write_crate(folder, **settings.model_dump(), published=published()).parent
    faults = checks.check(crate)
    sys.stderr.write(printed(f"error: {fault}" for fault in faults))
    if faults:
        raise typer.Exit(1)
    sys.stdout.write(printed([f"{crate}: complete, as far as faithful-pairs checks the Provenance Run Crate profile"]))


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
