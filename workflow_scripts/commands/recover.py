"""``faithful-pairs recover``: end the jobs of a killed Snakemake, then start a command."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    then: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND", help="command to start then; put -- before it"),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="wait for running jobs; cancel those waiting in the queue")
    ] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="cancel all jobs")] = False,
) -> None:
    """End the jobs and locks that a killed Snakemake left.

    A killed Snakemake leaves its SLURM jobs in the queue, and the next one does not find them. This command finds the
    jobs that were submitted from this folder, and waits for them (--wait) or cancels them (--cancel). It then removes
    Snakemake's locks and starts the command given after --. If there are jobs and neither option is given, it only
    lists them. Run it on the machine where Snakemake ran, in the folder where it was started.

    \b
    Examples:
      faithful-pairs recover
      faithful-pairs recover --wait -- snakemake --profile profiles/slurm

    \b
    Exit status:
      0  done; with a command, the command's own status
      1  jobs are left, Snakemake is still running here, or SLURM does not answer
      2  wrong usage
    """
    from workflow_scripts.core.errors import PipelineError
    from workflow_scripts.recovery.recover import recover

    if wait and cancel:
        raise typer.BadParameter("give --wait or --cancel, not both", param_hint="--cancel")
    done = recover(Path.cwd(), "wait" if wait else "cancel" if cancel else None)
    sys.stdout.flush()
    if not done:
        raise typer.Exit(1)
    if then:
        try:
            os.execvp(then[0], then)
        except FileNotFoundError:
            advice = "no jobs are left; after --, give an existing command, or none"
            raise PipelineError("unknown command", "the command line", then[0], advice) from None
