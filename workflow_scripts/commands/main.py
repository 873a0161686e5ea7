"""The console script ``faithful-pairs``: one sub-command for each question about studies and results.

Modules of sub-commands import heavy modules inside their functions, so that ``--help`` and completion are fast.
"""

import io
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import typer

from workflow_scripts.commands.errors import INTERRUPTED, PROGRAM, ends_plainly, plain_errors, wrong_usage
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.sharing import share_with_group
from workflow_scripts.core.runtime.process import check_assertions

# In the order of the help. Each is the function ``command`` of the module of this name.
COMMANDS = (
    "init",
    "check",
    "status",
    "show",
    "audit",
    "why",
    "impact",
    "diff",
    "verify",
    "config",
    "cost",
    "power",
    "claims",
    "browse",
    "label",
    "agreement",
    "export",
    "paper",
    "lock",
    "accept",
    "cache-gc",
    "remove",
    "recover",
    "crate",
)
AFTER_ERROR = {"audit": 2, "diff": 2}
"""Exit status after an error, as the command's help documents it, where it is not 1."""

app = typer.Typer(
    rich_markup_mode=None,  # help is the same text on a terminal, in a pipe and in a file
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for name in COMMANDS:
    module = import_module(f"workflow_scripts.commands.{name.replace('-', '_')}")
    app.command(name)(ends_plainly(module.command, name, AFTER_ERROR.get(name, 1)))


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
      faithful-pairs check my-study.yaml    # what does it lack, and what would it cost?
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
    check_clone(Path())
    if show_version:
        from importlib.metadata import version

        sys.stdout.write(f"{PROGRAM} {version('faithful-pairs')}\n")
    elif context.invoked_subcommand is None:
        sys.stdout.write(context.get_help() + "\n")
        raise typer.Exit(2)


def check_clone(folder: Path) -> None:
    """Check that the code of this command is that of the clone in which it works.

    Raises:
        PipelineError: ``folder`` is another clone, whose code Snakemake would run.
    """
    ours = Path(__file__).resolve().parents[1]
    theirs = folder / ours.name
    if (folder / "Snakefile").is_file() and theirs.is_dir() and not theirs.samefile(ours):
        value = f"{PROGRAM} runs the code in {ours.parent}"
        advice = "install this clone in an environment of its own: see README.md"
        raise PipelineError("code of another clone", folder.resolve(), value, advice)


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
