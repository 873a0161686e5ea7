"""Starts a job again after an error that often passes by itself: a file server restarts, or moves a file.

Reads that happen millions of times are repeated on the spot (:mod:`workflow_scripts.core.faults.patience`). Any other
read, by whatever library, ends the job's work in an orderly way; then the process becomes a new one, which resumes.
"""

import logging
import os
import sys
import time

from workflow_scripts.core.errors import one_line
from workflow_scripts.core.faults.patience import PASSING, SECONDS
from workflow_scripts.core.faults.storage_errors import number_among

TRIES = "FAITHFUL_PAIRS_TRIES"  # starts of this job that such an error ended
LAST = "FAITHFUL_PAIRS_LAST_ERROR"  # what the last one said
LONG = 3600.0  # seconds of work after which earlier errors no longer count, unless the same one comes back
log = logging.getLogger(__name__)
_started = time.monotonic()


def start_again(error: BaseException) -> None:
    """Wait, and become a new process of the same command, if ``error`` may have passed by then; else return.

    All files, locks and child processes of the work must have been given up. The process keeps its number, which
    Snakemake and SLURM know.
    """
    number, module = number_among(error, PASSING), getattr(sys.modules["__main__"], "__spec__", None)
    told = one_line(str(error))
    counts = time.monotonic() - _started < LONG or told == os.environ.get(LAST)
    tries = int(os.environ.get(TRIES, "0")) if counts else 0
    if number is None or module is None or tries >= len(SECONDS):
        return
    wait = SECONDS[tries]
    log.warning("%s (%s); starting again in %g s", os.strerror(number), told, wait)
    time.sleep(wait)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    words = [sys.executable, "-m", module.name.removesuffix(".__main__"), *sys.argv[1:]]
    os.execve(sys.executable, words, {**os.environ, TRIES: str(tries + 1), LAST: told})
