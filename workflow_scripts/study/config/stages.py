"""The stages of the workflow: the declarations of all files in ``stages/``."""

import re
from functools import cache
from importlib import import_module
from pathlib import Path

from workflow_scripts import stages
from workflow_scripts.core.declaration.facts import Facts, Tolerance
from workflow_scripts.core.digest import PROJECT
from workflow_scripts.core.runtime.stage import Stage
from workflow_scripts.core.settings import Settings

FOLDER = Path(stages.__path__[0])
INCLUDE = re.compile(r'^include: "(.+)"', re.MULTILINE)
RULE = re.compile(r"^ *rule (\w+):", re.MULTILINE)


@cache
def stage_names() -> frozenset[str]:
    """Names of all stages."""
    return frozenset(path.stem for path in FOLDER.glob("*.py")) - {"__init__"}


@cache
def stages_in_order() -> list[str]:
    """Names of all stages in the order of their rules, which is the order of the workflow."""
    included = INCLUDE.findall((PROJECT / "Snakefile").read_text())
    return [name for path in included for name in RULE.findall((PROJECT / path).read_text())]


@cache
def declaration(name: str) -> Stage | None:
    """The declaration of a stage; None for the crate, which is not an artifact, and for unknown names.

    Results of other versions of the workflow may hold artifacts of stages that this one lacks.
    """
    if name not in stage_names():
        return None
    found: Stage | None = getattr(import_module(f"{stages.__name__}.{name}"), "STAGE", None)
    return found


@cache
def facts(name: str) -> Facts:
    """The facts about a stage, which can't change bytes.

    Raises:
        ModuleNotFoundError: there is no such stage.
    """
    found: Facts = import_module(f"{stages.__name__}.{name}").FACTS
    return found


def declared_stages() -> list[Stage]:
    """The declarations of the stages that make artifacts, in the order of the workflow."""
    return [*filter(None, map(declaration, stages_in_order()))]


def sections_below(section: str) -> dict[str, type[Settings]]:
    """Stage -> class of its settings, for stages whose settings are ``<section>.<stage>`` in a config."""
    found = {name: declaration(name) for name in sorted(stage_names()) if facts(name).section == f"{section}.{name}"}
    return {name: stage.settings for name, stage in found.items() if stage is not None}


def published() -> dict[str, dict[str, bool]]:
    """Stage -> suffixes of the files that a crate may hold copies of -> whether it does so at any size."""
    return {
        name: {suffix: file.published == "always" for suffix, file in facts(name).files.items() if file.published}
        for name in sorted(stage_names())
    }


def tolerance(stage: str, suffix: str) -> Tolerance | None:
    """How far a recomputed file may deviate on another machine; None if its bytes must be the same."""
    file = facts(stage).file(suffix) if stage in stage_names() else None
    return None if file is None else file.tolerance
