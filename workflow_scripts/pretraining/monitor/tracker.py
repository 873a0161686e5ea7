"""The declaration of an experiment tracker, which shows the curves of runs while they train."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol


class TrackedRun(NamedTuple):
    """What a tracker needs to know about a run.

    Attributes:
        study: name of the study.
        name: of the run in the study.
        id: the same for each attempt at the run, and another one if anything in its key changes.
        folder: for the tracker's files, shared by all runs of the results folder.
        settings: of the run, as JSON values.
    """

    study: str
    name: str
    id: str
    folder: Path
    settings: dict[str, Any]


class Writer(Protocol):
    """An open run of a tracker."""

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add the values of a step; steps come in ascending order, each once."""

    def close(self) -> None:
        """End this attempt; what was written is complete."""


@dataclass(frozen=True, kw_only=True)
class Tracker:
    """An experiment tracker.

    Attributes:
        name: in configs, and of the extra of this package that installs it.
        summary: one sentence.
        package: module that must be importable.
        open: starts or continues the run of this id.
    """

    name: str
    summary: str
    package: str
    open: Callable[[TrackedRun], Writer]
