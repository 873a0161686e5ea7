"""``faithful-pairs diff``: why two artifacts differ."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    a: Annotated[Path, typer.Argument(metavar="A", help="any file of a results folder")],
    b: Annotated[Path, typer.Argument(metavar="B", help="a file of another artifact of the same stage")],
    in_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Explain why two artifacts differ.

    The answer begins with the first differing ancestor; if its code differs, the differing modules are listed. Both
    must be of the same stage, but may be in different studies or results folders.

    \b
    Examples:
      faithful-pairs diff results/a/pair_table/revised.parquet results/b/pair_table/revised.parquet
      faithful-pairs diff results/a/report/index.html /elsewhere/results/a/report/index.html --json

    \b
    Exit status:
      0  same content
      1  different content
      2  A or B is not an artifact, they are of different stages, or wrong usage
    """
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.provenance.diff import as_json, as_text, diff
    from workflow_scripts.provenance.nodes import locate

    one, other = locate(a).node, locate(b).node
    if one.stage != other.stage:
        advice = "compare artifacts of one stage"
        raise PipelineError("artifacts of different stages", b, f"{one.stage} and {other.stage}", advice)
    found = diff(one, other)
    sys.stdout.write(json.dumps(as_json(found), indent=1) + "\n" if in_json else as_text(found))
    if not found[-1].same_content:
        raise typer.Exit(1)
