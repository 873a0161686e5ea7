"""``faithful-pairs impact``: what a file, model, package, row or commit reached."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer


def command(
    cause: Annotated[
        str, typer.Argument(metavar="CAUSE", help="FILE, MODEL, PACKAGE==VERSION, ROW (image id or URL) or COMMIT")
    ],
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH", help="studies or results folders; default: results")
    ] = None,
    kind: Annotated[
        Literal["file", "model", "package", "commit", "row"] | None,
        typer.Option(help="what CAUSE is, if it is unclear"),
    ] = None,
    in_json: Annotated[bool, typer.Option("--json", help="print JSON, which lists everything")] = False,
) -> None:
    """List what depends on a file, model, package, row or commit.

    Lists artifacts, runs, numbers and verdicts, each with the chain of artifacts that leads to it, from the run records
    alone. FILE is a file in a results folder, in a source (such as a model's folder), or of the code. Append @ and the
    first digits of a hash to PACKAGE==VERSION to select one of several builds.

    \b
    Examples:
      faithful-pairs impact data/redcaps_v1.0_annotations.zip
      faithful-pairs impact hub:Salesforce/blip2-itm-vit-g results/redcaps2020
      faithful-pairs impact numpy==2.4.6 --json
      faithful-pairs impact bno9zq                     # an image id
      faithful-pairs impact 0123abcd                   # a commit

    \b
    Exit status:
      0  listed
      1  no record names the cause, or a file can't be read
      2  wrong usage
    """
    from workflow_scripts.acquisition.annotations.removal_tokens import id_token
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.provenance.impact import Graph, Kind, as_json, as_text, find_cause, impact
    from workflow_scripts.study.active_config import studies_at

    if not cause:
        raise PipelineError("no cause", "CAUSE", "an empty text", "give a file, model, package, row or commit")
    graph = Graph(study for path in paths or [Path("results")] for study in studies_at(path))
    found = impact(graph, find_cause(graph, cause, Kind(kind) if kind else None, [id_token(cause)]))
    sys.stdout.write(json.dumps(as_json(found), indent=1) + "\n" if in_json else as_text(found))
