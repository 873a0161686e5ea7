"""Artifacts that one process makes after its own, so that models are loaded once for many of them."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.inputs import forgotten_later
from workflow_scripts.core.runtime.command_line import groups
from workflow_scripts.core.runtime.together import left_to_its_own

if TYPE_CHECKING:
    from argparse import Namespace

    from workflow_scripts.core.stage import Job

log = logging.getLogger(__name__)


def take_turns(waiting: "Sequence[Namespace]", make: "Callable[[Namespace], bool]") -> None:
    """Make the artifacts of other jobs in turn, until none is left whose inputs exist.

    Any number of processes may do so at the same time. An artifact that can't be made is left to its own job, which
    reports why. An error that no stage expects, such as one of the GPU, ends the process's turns.

    Args:
        waiting: command lines of the others.
        make: makes one unless there is no need; gives whether it did.
    """
    turns, before = 1, 0
    while waiting and turns > before:  # inputs of some may have appeared meanwhile
        before, absent = turns, []
        for args in waiting:
            if not all(Path(path).exists() for _, paths in groups(args.input) for path in paths):
                absent.append(args)
                continue
            try:
                with forgotten_later():
                    turns += make(args)
            except (PipelineError, OSError) as error:
                left_to_its_own(Path(args.artifact), error)
            except Exception as error:  # noqa: BLE001 - the own artifact is complete, so its job must not fail
                left_to_its_own(Path(args.artifact), error)
                return
        waiting = absent
    if turns > 1:
        log.info("%d artifacts made by this process", turns)


def check_shared_inputs(job: "Job[Any]", first: "Job[Any]") -> None:
    """Check that what a process keeps from its first job, such as models, is what a later job would read.

    Raises:
        PipelineError: an input that both read from the same place has changed.
    """
    for name in job.input_names:
        for one, then in zip(job.inputs(name), first.inputs(name), strict=False):
            if one.manifest_path == then.manifest_path and one.hash != then.hash:
                advice = "no action needed; the artifact's own job reads the new one"
                raise PipelineError("input changed during use", one.manifest_path, "replaced by another job", advice)
