"""``faithful-pairs impact``: what a file, model, package, row or commit reached."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from workflow_scripts.provenance.impact import Graph, Impact


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
    would_change: Annotated[
        bool, typer.Option("--would-change", help="list what would get another key if it were planned now, and why")
    ] = False,
    configfile: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="overlay of config.yaml, for --would-change; repeat it for several"),
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
      faithful-pairs impact minilm results/demo        # a model, by its name in the config
      faithful-pairs impact numpy==2.4.6 --json
      faithful-pairs impact bno9zq                     # an image id
      faithful-pairs impact 0123abcd --would-change    # a commit

    \b
    Exit status:
      0  listed
      1  no record names the cause, or a file can't be read
      2  wrong usage
    """
    from workflow_scripts.acquisition.annotations.removal_tokens import id_token
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.provenance.impact import Graph, as_json, as_text, find_cause, impact
    from workflow_scripts.study.active_config import studies_at

    if not cause:
        raise PipelineError("no cause", "CAUSE", "an empty text", "give a file, model, package, row or commit")
    graph = Graph(study for path in paths or [Path("results")] for study in studies_at(path))
    found = impact(graph, find_cause(graph, cause, kind, [id_token(cause)]))
    if would_change:
        found = _planned(graph, found, configfile or [])
    sys.stdout.write(json.dumps(as_json(found), indent=1) + "\n" if in_json else as_text(found))


def _planned(graph: "Graph", found: "Impact", configfiles: list[str]) -> "Impact":
    """The impact, with those of its artifacts that would get another key.

    Raises:
        PipelineError: the config of a study is not known.
    """
    from dataclasses import replace

    from workflow_scripts.core.artifact import MANIFEST
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.provenance.impact import spread
    from workflow_scripts.study.active_config import units_of
    from workflow_scripts.study.freshness import other_keys

    reasons: dict[Path, str] = {}
    for study in sorted({one.node.study for one in found.artifacts}):
        units = units_of(study.parent, study.name, configfiles)
        if units is None:
            advice = "give them with --configfile, or name a study whose config is here"
            raise PipelineError("config not known", study, "its config files are not here", advice)
        labels = [one.node.label for one in found.artifacts if one.node.study == study]
        changed = other_keys(study.parent, units, study.name, labels)
        reasons |= {study / f"{label}{MANIFEST}": reason for label, reason in changed.items()}
    came_from = spread(graph, reasons)
    for one in found.artifacts:
        above = came_from.get(one.node.path)
        if isinstance(above, Path):
            reasons[one.node.path] = f"if {graph.nodes[above].label} gets other bytes"
    return replace(found, another_key=reasons)
