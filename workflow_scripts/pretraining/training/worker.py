"""One of several training processes: ``python -m workflow_scripts.pretraining.training.worker PLAN``.

It is configured by RANK, WORLD_SIZE and the other variables of ``torchrun``.
"""

import json
import logging
import os
import sys
import threading
from pathlib import Path

from workflow_scripts.core.errors import PipelineError, traceback_text
from workflow_scripts.core.files.storage_errors import OF_DISKS, number_among, storage_error
from workflow_scripts.core.runtime.job_log import log_to_stderr
from workflow_scripts.core.runtime.meter import measuring
from workflow_scripts.core.runtime.progress import reporting_to
from workflow_scripts.pretraining.training.interrupt import Interrupt
from workflow_scripts.pretraining.training.meeting import meet


def error_file(work: Path, rank: int) -> Path:
    """File for the error that ended process ``rank``, for the process that started it."""
    return work / f"error-{rank}.json"


def write_error(work: Path, rank: int, error: PipelineError) -> None:
    """Write ``error`` to :func:`error_file`."""
    fields = error.what, str(error.where), str(error.value), error.advice
    error_file(work, rank).write_text(json.dumps([fields, number_among(error, OF_DISKS)]))


def raise_error(work: Path, ranks: range) -> None:
    """Raise the error that one of ``ranks`` wrote, if any did."""
    for rank in ranks:
        path = error_file(work, rank)
        if path.exists():
            fields, number = json.loads(path.read_text())
            raise PipelineError(*fields) from (None if number is None else OSError(number, os.strerror(number)))


def main(plan: str) -> int:
    """Train one process's part of the plan in file ``plan``; returns the exit status."""
    rank = int(os.environ["RANK"])
    level = logging.INFO if rank == 0 else logging.WARNING
    log_to_stderr(f"%(asctime)s [{rank}] %(message)s", level)
    work = Path(plan).parent
    try:
        measured = measuring(work, f"rank-{rank}", tree=False)  # memory: by the process that started this one
        with Interrupt() as interrupt, measured, reporting_to(work if rank == 0 else None):
            from workflow_scripts.pretraining.training.plan import read_plan
            from workflow_scripts.pretraining.training.stage_in import staged_plan
            from workflow_scripts.pretraining.training.trainer import train

            with staged_plan(read_plan(Path(plan)), interrupt, rank) as near:
                meet(near.settings.processes)  # nodes may copy, and import, for different times
                train(near, interrupt)
    except PipelineError as error:
        write_error(work, rank, error)
        return 1
    except SystemExit as ended:
        return int(ended.code or 0)
    except Exception as error:  # noqa: BLE001 - whatever it was, this process must end here and say why
        known = storage_error(error, "pretrain", ()) if isinstance(error, OSError) else None  # else maybe the network's
        if known is None:
            sys.stderr.write(traceback_text(error))
        else:
            known.__cause__ = error
            write_error(Path(plan).parent, rank, known)
        return 1
    return 0


def _end_with_parent() -> None:
    # Left alone, this process would go on writing checkpoints beside a new run of the stage.
    while os.read(0, 1):  # not by sys.stdin, whose lock a forked loader would wait for
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    status = main(sys.argv[1])
    # Everything is on disk and all processes have synchronised. An orderly shutdown of gloo can wait forever for a peer
    # that has ended, so it is left to the operating system.
    sys.stderr.flush()
    os._exit(status)
