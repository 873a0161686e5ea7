"""The last line of a job's log, which says why it failed."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from pydantic import ValidationError

from workflow_scripts.core.errors import BUG, ERROR, PipelineError, error_text, traceback_text
from workflow_scripts.core.faults.storage_errors import storage_error

log = logging.getLogger(__name__)


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
        log.debug("%s", traceback_text(error))
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
