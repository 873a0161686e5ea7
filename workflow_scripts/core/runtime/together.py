"""Reads the inputs of jobs that one process makes together: a fault in those of another job must not end its own."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from workflow_scripts.core.errors import PipelineError, one_line
from workflow_scripts.core.inputs import read_apart

if TYPE_CHECKING:
    from workflow_scripts.core.declaration.stage import S
    from workflow_scripts.core.stage import Job

log = logging.getLogger(__name__)
T = TypeVar("T")


def read_all(job: "Job[S]", read: "Callable[[Job[S]], T]") -> "list[tuple[Job[S], T]]":
    """The job and its ``others``, each with what ``read`` gives.

    One of the others whose inputs can't be read, or change while they are read, is left to its own process. Their later
    changes are not looked for, since everything needed is in memory.

    Args:
        job: the process's own.
        read: reads into memory everything that the stage needs of the inputs that differ between the jobs.

    Raises:
        PipelineError: the own job's inputs can't be read.
    """
    found = [(job, read(job))]
    for other in job.others:
        try:
            with read_apart():
                value = read(other)
        except (PipelineError, OSError, ValueError) as error:
            other.left = True
            left_to_its_own(other.staging.artifact, error)
        else:
            found.append((other, value))
    job.others = [other for other in job.others if not other.left]
    return found


def left_to_its_own(artifact: Path, error: Exception) -> None:
    """Log that this process does not make an artifact of another job, and why."""
    log.info("%s is left to its own job: %s", artifact, one_line(str(error)))
