"""``faithful-pairs why``: where a file or a number comes from."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="any file of a results folder")],
    columns: Annotated[
        list[str] | None, typer.Argument(metavar="COLUMN=VALUE", help="a row of the summary's tables")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print all fields of the run records as JSON")] = False,
) -> None:
    """Explain where a file or a number comes from.

    The answer traces it back to the raw annotations. FILE may be a data file, a manifest, a run record, a log or a file
    of the cache. Select a row of the summary's tables by its columns.

    \b
    Examples:
      faithful-pairs why results/demo/report/index.html
      faithful-pairs why results/demo/summary/summary.parquet run=simclr-revised-crop-resnet_small-s0 dataset=concept
      faithful-pairs why results/demo/summary/summary.contrasts.csv contrast='revised - original'

    \b
    Exit status:
      0  explained
      1  no artifact names the file, or no row has these values
      2  wrong usage
    """
    wrong = [one for one in columns or [] if "=" not in one]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r} is not COLUMN=VALUE", param_hint="COLUMN=VALUE")
    named = dict(one.split("=", 1) for one in columns or [])
    sys.stdout.write(answer(file, named, "json" if as_json else "text"))


def answer(file: Path, columns: dict[str, str], form: str) -> str:
    """The answer as ``text`` or ``json``.

    Raises:
        PipelineError: no artifact names the file, or no row of the summary has these values.
    """
    from workflow_scripts.provenance.nodes import locate
    from workflow_scripts.provenance.why import as_json, as_text, cells, why

    place = locate(file)
    found = why(place, cells(place.node, place.suffix, columns) if columns else [])
    return as_text(found) if form == "text" else json.dumps(as_json(found), indent=1) + "\n"
