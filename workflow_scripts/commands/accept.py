"""``faithful-pairs accept``: keep artifacts after an edit that can't change them."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from workflow_scripts.core.errors.text import printed

ALL = "all"


def _stages() -> list[str]:
    from workflow_scripts.study.config.stages import stage_names

    return sorted(stage_names())


def command(
    stages: Annotated[
        list[str],
        typer.Argument(
            metavar="STAGE...",
            help=f"stages whose code was edited, such as pretrain; {ALL}: every stage with artifacts of other code, "
            "except stages accepted before",
            autocompletion=lambda: [*_stages(), ALL],
        ),
    ],
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="why the edit can't change the artifacts", show_default=False)
    ],
    code: Annotated[
        str, typer.Option(metavar="DIGEST", help="digest of the code to keep, or its first characters; for one stage")
    ] = "",
    results: Annotated[Path, typer.Option(metavar="FOLDER", help="results folder")] = Path("results"),
) -> None:
    """Keep artifacts after an edit that can't change them.

    The current code of each stage then counts as the code that made the artifacts: finished artifacts, cache entries
    and unfinished work stay valid. Run records, audit, why and the report show the edit and your reason. Your claim is
    not checked; faithful-pairs verify can check it. If one stage fails, the others are still accepted.

    \b
    Examples:
      faithful-pairs accept pretrain --reason "renames a variable"
      faithful-pairs accept all --reason "a new release that computes the same"
      faithful-pairs accept summary --reason "a log line" --code 3f2a

    \b
    Exit status:
      0  accepted
      1  nothing to accept, several codes to choose from, or a damaged run record
      2  wrong usage
    """
    from workflow_scripts.audit.accept import accept_code, check_request, edited_stages
    from workflow_scripts.core.errors import PipelineError, PipelineErrors

    named = list(dict.fromkeys(stages))
    if ALL in named and named != [ALL]:
        raise typer.BadParameter(f"{ALL} stands for every stage; give no others with it")
    if code and (named == [ALL] or len(named) > 1):
        raise typer.BadParameter("--code chooses among the codes of one stage; accept each stage by itself")
    folder = Path(os.path.abspath(results))
    check_request(folder, [] if named == [ALL] else named, reason)
    wanted = edited_stages(folder, _stages()) if named == [ALL] else named
    if not wanted:
        advice = "nothing is recomputed; to replace an earlier choice of code, use --code"
        raise PipelineError("nothing to accept", folder, "all artifacts are of current or accepted code", advice)
    errors = []
    for stage in wanted:
        try:
            sys.stdout.write(printed(accept_code(folder, stage, reason.strip(), code)))
        except PipelineError as error:
            errors.append(error)
    if errors:
        raise PipelineErrors(errors)
