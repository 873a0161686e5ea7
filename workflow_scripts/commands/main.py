"""The console script ``faithful-pairs``: one sub-command for each question about studies and results.

Modules of sub-commands import heavy modules inside their functions, so that ``--help`` and completion are fast.
"""

import io
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from workflow_scripts.commands import (
    accept,
    agreement,
    audit,
    browse,
    cache_gc,
    claims,
    config,
    cost,
    crate,
    diff,
    export,
    label,
    lock,
    paper,
    power,
    recover,
    remove,
    show,
    status,
    verify,
    why,
)
from workflow_scripts.commands.errors import INTERRUPTED, PROGRAM, ends_plainly, plain_errors, wrong_usage
from workflow_scripts.core.files.sharing import share_with_group
from workflow_scripts.core.runtime.process import check_assertions

# Sub-command -> its function, and its exit status after an error, as documented in its help.
COMMANDS: dict[str, tuple[Callable[..., None], int]] = {
    "status": (status.command, 1),
    "show": (show.command, 1),
    "audit": (audit.command, 2),
    "why": (why.command, 1),
    "diff": (diff.command, 2),
    "verify": (verify.command, 1),
    "config": (config.command, 1),
    "cost": (cost.command, 1),
    "power": (power.command, 1),
    "claims": (claims.command, 1),
    "browse": (browse.command, 1),
    "label": (label.command, 1),
    "agreement": (agreement.command, 1),
    "export": (export.command, 1),
    "paper": (paper.command, 1),
    "lock": (lock.command, 1),
    "accept": (accept.command, 1),
    "cache-gc": (cache_gc.command, 1),
    "remove": (remove.command, 1),
    "recover": (recover.command, 1),
    "crate": (crate.command, 1),
}

app = typer.Typer(
    rich_markup_mode=None,  # help is the same text on a terminal, in a pipe and in a file
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name, (function, after_fault) in COMMANDS.items():
    app.command(name)(ends_plainly(function, name, after_fault))


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    show_version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    """Inspect, check, explain and clean up the results of Faithful Pairs.

    Snakemake computes studies; these commands work on its results. Run them in the project's folder.
    Options and examples: faithful-pairs COMMAND --help.

    \b
    Examples:
      faithful-pairs status results/demo    # how far is it?
      faithful-pairs show results/demo      # what it found
      faithful-pairs audit results/demo     # is every file intact?
      faithful-pairs cost                   # what would the full study cost?

    \b
    Exit status of every command:
      0    done, and nothing is wrong
      1    something is wrong; a line that starts with "error:" says what
      2    wrong usage, unless the command's help says otherwise
      130  interrupted by Ctrl-C
    """
    if show_version:
        from importlib.metadata import version

        sys.stdout.write(f"{PROGRAM} {version('faithful-pairs')}\n")
    elif context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")
        raise typer.Exit(2)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns its exit status."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # the caller closed it
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - open until the process ends
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal without UTF-8 shows the rest
    share_with_group(Path("results"))
    try:
        with plain_errors(PROGRAM):
            check_assertions()
            ended_with = app(args=argv, prog_name=PROGRAM, standalone_mode=False)
            if ended_with == INTERRUPTED:  # typer caught the KeyboardInterrupt while it parsed the command line
                raise KeyboardInterrupt
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        wrong_usage(context.command_path if context else PROGRAM, error.format_message())
        return error.exit_code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return ended_with or 0
