"""``faithful-pairs status``: the progress of a study that runs elsewhere or has stopped."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from workflow_scripts.study.status.survey import Status

RUNS, STANDS = 3, 4
WIDTH = 200  # columns, if the output is not a terminal


def command(
    path: Annotated[
        Path, typer.Argument(metavar="STUDY", help="a study, a path in it, or a results folder for all its studies")
    ] = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="print every job as JSON")] = False,
) -> None:
    """Show the progress of a study, from its results and logs alone.

    Snakemake may run on another machine, in another terminal, or no longer. Prints for each stage how many artifacts
    are finished, running, silent (no output for five minutes: killed, or busy with one long step) and failed; for
    each training its step, loss, images per second and time left; the latest errors with the paths of their logs; and
    what to type next. Use snakemake -n to see whether finished artifacts are out of date.

    \b
    Examples:
      faithful-pairs status
      faithful-pairs status results/demo
      watch faithful-pairs status results/demo      # every two seconds

    \b
    Exit status:
      0  everything is finished
      1  there is no such study, or a file can't be read
      2  wrong usage
      3  unfinished; jobs are running
      4  unfinished; no job is running
    """
    import json
    import time

    from workflow_scripts.study.active_config import studies_at
    from workflow_scripts.study.status.survey import survey

    now, here = time.time(), Path.cwd()
    studies = [one.relative_to(here) if here in one.parents else one for one in studies_at(path)]
    found = [survey(study, now) for study in studies]
    if as_json:
        sys.stdout.write(json.dumps([_as_json(one) for one in found], indent=1, default=str) + "\n")
    else:
        _show(found, now)
    if status := max(map(_exit_status, found)):
        raise typer.Exit(status)


def _show(found: list["Status"], now: float) -> None:
    from rich.console import Console

    from workflow_scripts.study.status.text import rendered

    terminal = sys.stdout.isatty()
    console = Console(highlight=False, width=None if terminal else WIDTH)
    with console.capture() as captured:
        for number, status in enumerate(found):
            if number:
                console.print()
            console.print(rendered(status, now), soft_wrap=not terminal)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def _as_json(status: "Status") -> dict[str, Any]:
    from dataclasses import asdict

    listed = [asdict(job) for jobs in status.jobs.values() for job in jobs]
    return {"study": str(status.study), "planned_known": status.planned, "jobs": listed}


def _exit_status(status: "Status") -> int:
    from workflow_scripts.study.status.survey import State

    if status.of_state(State.RUNNING):
        return RUNS
    unfinished = status.of_state(State.WAITING, State.FAILED, State.SILENT)
    return STANDS if unfinished or not status.planned else 0
