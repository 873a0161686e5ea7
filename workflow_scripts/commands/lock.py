"""``faithful-pairs lock``: record what the hub models and URLs of a config stand for."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from workflow_scripts.commands.cost import ConfigFiles
from workflow_scripts.core.errors.text import printed

if TYPE_CHECKING:
    from workflow_scripts.study.config.lock import Lock


def command(
    configfile: ConfigFiles = None,
    check: Annotated[bool, typer.Option("--check", help="write nothing; only compare")] = False,
) -> None:
    """Record the commits of hub models and the sha256 of URLs.

    Asks the hub for the current commit of each model in the config, and writes the commits, and the sha256 of each URL,
    beside the last config file: my-study.lock.yaml for my-study.yaml, config.lock.yaml for config.yaml alone. A URL
    whose sha256 the config leaves out is fetched once to hash it. Runs with this config then read exactly these
    revisions and bytes. Commit the file with the config. What changed is printed.

    \b
    Examples:
      faithful-pairs lock
      faithful-pairs lock --configfile my-study.yaml
      faithful-pairs lock --configfile my-study.yaml --check    # has a model moved since?

    \b
    Exit status:
      0  written, or there is nothing to lock; with --check, the lock is up to date
      1  with --check, the lock is missing or out of date; or a source can't be reached, or a config file is faulty
      2  wrong usage
    """
    from workflow_scripts.core.files.durable import write_durable
    from workflow_scripts.study.active_config import base_files
    from workflow_scripts.study.config.files import read_config, shown
    from workflow_scripts.study.config.lock import read_lock, resolve
    from workflow_scripts.study.config.study import checked_study

    config = read_config([*base_files(), *(configfile or [])])
    path = config.lock_file
    assert path is not None
    before = read_lock(path)
    now = resolve(checked_study(config), config.root)
    changes = list(_changes(before, now))
    sys.stdout.write(printed(changes))
    same = before is not None and not changes
    if not (now.hub or now.urls or path.exists()):
        sys.stdout.write(printed(["nothing to lock: the config names no hub model and no URL"]))
        return
    if not check and not same:
        write_durable(path, now.text().encode())
    state = "up to date" if same else "out of date" if check else "written"
    sys.stdout.write(printed([f"{shown(path)}: {state}; hub models: {len(now.hub)}, URLs: {len(now.urls)}"]))
    if check and not same:
        raise typer.Exit(1)


def _changes(before: "Lock | None", now: "Lock") -> Iterator[str]:
    """One line per entry that was added, changed or removed."""
    for kind in ("hub", "urls"):
        old: dict[str, str] = getattr(before, kind, {})
        new: dict[str, str] = getattr(now, kind)
        for name in sorted(old.keys() | new.keys()):
            if name not in old:
                yield f"added    {name}: {new[name]}"
            elif name not in new:
                yield f"removed  {name}: {old[name]}"
            elif old[name] != new[name]:
                yield f"changed  {name}: {old[name]} -> {new[name]}"
