"""``faithful-pairs remove``: remove what a study's removal list leaves behind."""

import sys
from pathlib import Path
from typing import Annotated

import typer

HELD_ELSEWHERE = 2


def command(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="the study's folder, such as results/demo")],
) -> None:
    """Remove what was made from rows on a study's removal list.

    Put image ids or URLs into annotations.exclude (or a file of them into annotations.exclude_from) and run Snakemake:
    the study is rerun without these rows, and this command runs by itself at the end. It removes cache entries, work
    folders, fetched bytes, logs and results of earlier configs that may hold the rows. The annotation zip, and the
    source artifacts that hold it, are inputs and stay as they are.

    \b
    Examples:
      faithful-pairs remove results/redcaps2020

    \b
    Exit status:
      0  nothing is left
      1  the study has no annotations yet, or a file can't be removed
      2  results of other studies may still hold the rows; or wrong usage
    """
    import logging

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    text, all_removed = remove(study.absolute())
    sys.stdout.write(text)
    if not all_removed:
        raise typer.Exit(HELD_ELSEWHERE)


def remove(study: Path) -> tuple[str, bool]:
    """What was removed, as text; and whether nothing is left that should be removed.

    Raises:
        PipelineError: see :func:`workflow_scripts.removal.removal.remove_listed`.
    """
    from workflow_scripts.removal.removal import removal_of, remove_listed

    results, name = study.parent, study.name
    listed = len(removal_of(results, name))
    if not listed:
        return f"{study} was made with no removal list; add to annotations.exclude and run snakemake\n", True
    gone = remove_listed(results, name)
    lines = [
        f"{listed} entries on the removal list of {study}: removed {gone.urls} records of fetched bytes, "
        f"{gone.artifacts} old results, {gone.entries} cache entries, {gone.folders} work folders, {gone.logs} logs"
    ]
    if gone.unknown:
        lines.append(f"{gone.unknown} of the entries name no row of the annotations: check how they are written")
    if gone.elsewhere:
        lines.append("these results of other studies may hold the rows too; give these studies the list and run them:")
        lines += [f"  {path}" for path in gone.elsewhere]
    return "\n".join(lines) + "\n", not gone.elsewhere
