"""Times and peak memory of a computation, for run records."""

import resource
import sys
import time
from datetime import UTC, datetime
from typing import Any


def now() -> str:
    """The time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def peak_memory() -> int:
    """Peak resident memory of this process or of one of its children so far, in bytes."""
    scale = 1 if sys.platform == "darwin" else 1024
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(one).ru_maxrss for one in who) * scale


class Clock:
    """Start, end, duration and CPU time of a computation."""

    def __init__(self) -> None:
        self.start, self._monotonic = now(), time.monotonic()

    def read(self) -> dict[str, Any]:
        """``start`` and ``end`` in UTC, ``seconds`` of wall time, ``cpu_seconds`` with children, ``peak_bytes``."""
        usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return {
            "start": self.start,
            "end": now(),
            "seconds": round(time.monotonic() - self._monotonic, 3),
            "cpu_seconds": round(sum(one.ru_utime + one.ru_stime for one in usage), 3),
            "peak_bytes": peak_memory(),
        }
