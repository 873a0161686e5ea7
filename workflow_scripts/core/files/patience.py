"""Reads again after errors that often pass by themselves: a file server restarts, or moves a file."""

import errno
import logging
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
log = logging.getLogger(__name__)
PASSING = frozenset({errno.EIO, errno.ESTALE, errno.ETIMEDOUT})
SECONDS = (1.0, 5.0, 25.0)
"""Waits before the second, third and fourth try."""


def patiently(read: Callable[[], T], file: Path, waits: Sequence[float] = SECONDS) -> T:
    """What ``read`` gives; after one of :data:`PASSING` it is called again, at most ``len(waits)`` times.

    Args:
        read: reads from ``file``, which it reopens each time: a stale handle stays stale.
        file: what is read, for log and error.
        waits: seconds before each further try.

    Raises:
        OSError: any other error, or the one of the last try; it names the file.
    """
    for wait in (*waits, None):
        try:
            return read()
        except OSError as error:
            error.filename = error.filename or str(file)
            if wait is None or error.errno not in PASSING:
                raise
            log.warning("%s in %s; trying again in %g s", os.strerror(error.errno), error.filename, wait)
            time.sleep(wait)
    raise AssertionError("the last try returns or raises")
