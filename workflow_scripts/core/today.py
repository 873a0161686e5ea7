"""The config that a study has today, for commands that are given results alone.

Each start of the workflow notes in ``results/.configs/<study>.json`` which config files and overrides it was given; the
files are read again when somebody asks.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.core.accepted import accepted
from workflow_scripts.core.config_files import read_config
from workflow_scripts.core.digest import ROOT
from workflow_scripts.core.durable import make_folders, write_durable
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.jsonio import pretty, read_json

if TYPE_CHECKING:
    from workflow_scripts.core.units import Units

BASE = "config.yaml"


def remember(results: Path, study: str, files: Sequence[str], overrides: Mapping[str, Any]) -> None:
    """Note what the study's config is made of; a results folder that can't be written is left as it is.

    Args:
        files: config files, later ones win; paths below the working directory are kept relative to it.
        overrides: what ``--config`` said.
    """
    here = os.getcwd()
    kept = [os.path.relpath(file, here) if Path(file).is_relative_to(here) else file for file in files]
    path, data = _note(results, study), pretty({"configfiles": kept, "config": dict(overrides)})
    try:
        if not path.exists() or path.read_bytes() != data:
            make_folders(path.parent)
            write_durable(path, data)
    except OSError:
        return


def units_of(results: Path, study: str, files: Sequence[str] = ()) -> "Units | None":
    """The study's units by today's config; None when no config is known for it.

    Args:
        files: config files to use instead of those that the last start of the workflow was given.

    Raises:
        PipelineError: a config file given is missing or faulty, or the note of the last start is.
    """
    overrides: dict[str, Any] = {}
    if files:
        names = [BASE, *files]
    else:
        noted = read_json(_note(results, study), "delete it") if _note(results, study).exists() else {}
        try:
            names, overrides = [str(name) for name in noted.get("configfiles", [BASE])], dict(noted.get("config", {}))
        except (AttributeError, TypeError, ValueError):
            advice = "delete it; the next start of the workflow writes it anew"
            raise PipelineError("no note of config files", _note(results, study), str(noted)[:80], advice) from None
        if any(_find(name) is None for name in names):
            return None
    config = read_config([_find(name) or name for name in names], overrides)
    if config.data().get("study") != study:
        return None
    # Not before: checking a config takes longer than reading a small study.
    from workflow_scripts.core.config import load_study
    from workflow_scripts.core.units import Units

    return Units(load_study(config), accepted(results))


def _note(results: Path, study: str) -> Path:
    return results / ".configs" / f"{study}.json"


def _find(name: str) -> Path | None:
    return next((path for path in (Path(name), ROOT / name) if path.is_file()), None)
