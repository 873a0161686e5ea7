"""Pages of all commands and of all keys of the config, as they print them, in ``docs/generated``.

``python -m workflow_scripts.commands.reference`` writes them; git ignores them.
"""

import typer

from workflow_scripts.commands.config import every_key, explained
from workflow_scripts.commands.errors import PROGRAM
from workflow_scripts.commands.main import COMMANDS, app
from workflow_scripts.core.digest import ROOT

FOLDER = ROOT / "docs/generated"
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


def commands_page() -> str:
    """What the commands' ``--help`` prints, as Markdown."""
    group = typer.main.get_group(app)
    root = typer.Context(group, info_name=PROGRAM, terminal_width=WIDTH, **group.context_settings)
    parts = [typer.Context(group.commands[name], root, info_name=name, terminal_width=WIDTH) for name in COMMANDS]
    return "\n".join([_HEAD, *(_section(context) for context in (root, *parts))])


def _section(context: typer.Context) -> str:
    return f"## `{context.command_path}`\n```text\n{context.get_help().rstrip()}\n```\n"


def config_page() -> str:
    """What ``config KEY`` prints of each key, as Markdown."""
    head = f"# Keys of the config\nThis page is what `{PROGRAM} config KEY` prints; `make docs` writes it.\n"
    return "\n".join([head, *(f"## `{key}`\n```text\n{explained(key)}```\n" for key in every_key())])


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "commands.md").write_text(commands_page())
    (FOLDER / "config.md").write_text(config_page())
