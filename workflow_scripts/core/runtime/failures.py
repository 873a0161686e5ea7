"""How a job ends that fails: a last line in its log that says why, or a new start if the error may have passed.

A file server that restarts or moves a file fails reads for a while. Reads that happen millions of times are repeated on
the spot (:mod:`workflow_scripts.core.files.patience`). Any other read, by whatever library, ends the job's work in an
orderly way; then the process becomes a new one, which resumes.
"""

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from pydantic import ValidationError

from workflow_scripts.core.errors import BUG, ERROR, PipelineError, error_text, one_line, traceback_text
from workflow_scripts.core.files.patience import PASSING, SECONDS
from workflow_scripts.core.files.storage_errors import number_among, storage_error

TRIES = "FAITHFUL_PAIRS_TRIES"  # starts of this job that such an error ended
LAST = "FAITHFUL_PAIRS_LAST_ERROR"  # what the last one said
LONG = 3600.0  # seconds of work after which earlier errors no longer count, unless the same one comes back
log = logging.getLogger(__name__)
_started = time.monotonic()


@contextmanager
def errors_reported(stage: str, artifact: Path) -> Iterator[None]:
    """End the process with a line for any error of the block.

    Args:
        stage: name of the stage, whose settings the block checks.
        artifact: what it makes.

    Raises:
        SystemExit: 1 after an error.
    """
    try:
        yield
    except PipelineError as error:
        _fail(str(storage_error(error, stage, ()) or error))
    except ValidationError as error:
        first = error.errors()[0]
        _fail(f"{first['msg']} in settings of {stage}: {'.'.join(map(str, first['loc']))}; correct the config")
    except KeyboardInterrupt:
        _fail(str(PipelineError("interrupted", stage, "Ctrl-C", "run the same command again to continue")))
    except MemoryError as error:
        advice = "give the job more memory or use smaller batches"
        _fail(f"not enough memory in {stage}: {error or 'nothing left'}; {advice}")
    except Exception as error:  # noqa: BLE001 - the last line of a log must report any error
        if known := storage_error(error, stage, (artifact,)):
            _fail(str(known))
        sys.stderr.write(traceback_text(error))
        _fail(f"{type(error).__name__} in stage {stage}: {error}; {BUG}")


def _fail(message: str) -> NoReturn:
    with suppress(OSError):  # a full disk: the run ends with a line about the log
        sys.stderr.write(f"{ERROR}{error_text(message)}\n")
        sys.stderr.flush()
    raise SystemExit(1)


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
