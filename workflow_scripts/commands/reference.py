"""``docs/generated/commands.md``, from the help of the commands: ``python -m workflow_scripts.commands.reference``."""

import typer

from workflow_scripts.commands.errors import PROGRAM
from workflow_scripts.commands.main import COMMANDS, app
from workflow_scripts.core.digest import ROOT

PAGE = ROOT / "docs/generated/commands.md"  # not in git
WIDTH = 100  # columns
_HEAD = f"""# Commands
This page is what `{PROGRAM} --help` and `{PROGRAM} COMMAND --help` print; `make docs` writes it. The script
is in `.venv/bin`. More about the commands is in [provenance.md](../provenance.md), [cost.md](../cost.md),
[browse.md](../browse.md), [labelling.md](../labelling.md), [export.md](../export.md),
[stages.md](../stages.md#removing-rows) (`remove`) and [cluster.md](../cluster.md#when-a-job-dies) (`recover`).

**Completion.** `{PROGRAM} --install-completion` sets it up for the shell that you are in (bash, zsh, fish or
PowerShell); `--show-completion` prints the script instead.

**If a command itself fails** with the words *this is a bug*, run it again with `FAITHFUL_PAIRS_TRACEBACK=1` in the
environment and report what it prints.
"""


def page() -> str:
    """The page, as Markdown."""
    group = typer.main.get_group(app)
    root = typer.Context(group, info_name=PROGRAM, terminal_width=WIDTH, **group.context_settings)
    parts = [typer.Context(group.commands[name], root, info_name=name, terminal_width=WIDTH) for name in COMMANDS]
    return "\n".join([_HEAD, *(_section(context) for context in (root, *parts))])


def _section(context: typer.Context) -> str:
    return f"## `{context.command_path}`\n```text\n{context.get_help().rstrip()}\n```\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page())
