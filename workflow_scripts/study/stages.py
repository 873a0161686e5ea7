"""The stages of the workflow: every file in ``stages/``, by what it declares of itself."""

import re
from functools import cache
from importlib import import_module
from pathlib import Path

from workflow_scripts import stages
from workflow_scripts.core.declaration.stage import Stage
from workflow_scripts.core.digest import ROOT

FOLDER = Path(stages.__path__[0])


@cache
def stage_names() -> frozenset[str]:
    """Names of all stages."""
    return frozenset(path.stem for path in FOLDER.glob("*.py")) - {"__init__"}


@cache
def stages_in_order() -> list[str]:
    """Names of all stages in the order of their rules, which is the order of the chain."""
    texts = [
        (ROOT / path).read_text() for path in re.findall(r'^include: "(.+)"', (ROOT / "Snakefile").read_text(), re.M)
    ]
    return [name for text in texts for name in re.findall(r"^ *rule (\w+):", text, re.M)]


@cache
def declaration(name: str) -> Stage | None:
    """What a stage declares of its artifacts; None for the crate, which is no artifact, and for what is no stage.

    Results of other versions of the workflow may hold artifacts of stages that this one lacks.
    """
    if name not in stage_names():
        return None
    found: Stage | None = getattr(import_module(f"{stages.__name__}.{name}"), "STAGE", None)
    return found
