"""The stages of the workflow: every file in ``stages/``, by what it declares of itself."""

from functools import cache
from importlib import import_module
from pathlib import Path

from workflow_scripts import stages
from workflow_scripts.core.declaration.stage import Stage

FOLDER = Path(stages.__path__[0])


@cache
def stage_names() -> frozenset[str]:
    """Names of all stages."""
    return frozenset(path.stem for path in FOLDER.glob("*.py")) - {"__init__"}


@cache
def declaration(name: str) -> Stage | None:
    """What a stage declares of its artifacts; None for the crate, which is no artifact, and for what is no stage.

    Results of other versions of the workflow may hold artifacts of stages that this one lacks.
    """
    if name not in stage_names():
        return None
    found: Stage | None = getattr(import_module(f"{stages.__name__}.{name}"), "STAGE", None)
    return found
