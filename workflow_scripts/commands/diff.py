"""``faithful-pairs diff``: why two artifacts differ."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    a: Annotated[Path, typer.Argument(metavar="A", help="any file of a results folder, or a study's folder")],
    b: Annotated[Path, typer.Argument(metavar="B", help="another of the same stage, or a study's folder")],
    in_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Explain why two artifacts differ.

    The answer begins with the first differing ancestor; if its code differs, the differing modules are listed. Both
    must be of the same stage, but may be in different studies or results folders. For two studies, reports or summaries
    it ends with the numbers and verdicts that moved, each with the first ancestors that differ, and whether in data, a
    setting, code, a package or the machine.

    \b
    Examples:
      faithful-pairs diff results/a/pair_table/revised.parquet results/b/pair_table/revised.parquet
      faithful-pairs diff results/a /backup/results/a
      faithful-pairs diff results/a/report/index.html /elsewhere/results/a/report/index.html --json

    \b
    Exit status:
      0  same content
      1  different content
      2  A or B is not an artifact, they are of different stages, or wrong usage
    """
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.provenance import moved as numbers
    from workflow_scripts.provenance.diff import as_json, as_text, diff

    one, other = numbers.state_of(a), numbers.state_of(b)
    if one.stage != other.stage:
        advice = "compare artifacts of one stage"
        raise PipelineError("artifacts of different stages", b, f"{one.stage} and {other.stage}", advice)
    found = diff(one, other)
    moved = None if found[-1].same_content else numbers.moved(one, other)
    if in_json:
        entries = as_json(found)
        entries[-1] |= {} if moved is None else {"moved": numbers.as_json(moved)}
        sys.stdout.write(json.dumps(entries, indent=1) + "\n")
    else:
        sys.stdout.write(as_text(found) + ("" if moved is None else numbers.as_text(moved)))
    if not found[-1].same_content:
        raise typer.Exit(1)
