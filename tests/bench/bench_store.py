"""Time and memory of a job's look into a large store: ``python -m tests.bench.bench_store [segments] [urls]``.

Prints one JSON line: seconds to find ``urls`` urls that lie in as many segments as possible, and in one; peak memory.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from workflow_scripts.acquisition.states import State
from workflow_scripts.acquisition.store.record import Record, to_line
from workflow_scripts.acquisition.store.segment import BYTES, LINES, seal, with_suffix
from workflow_scripts.acquisition.store.store import Store


def url(segment: int, number: int) -> str:
    """A url that looks like one of RedCaps."""
    return f"https://i.redd.it/{segment:05d}x{number:05d}.jpg"


def make(folder: Path, segments: int, urls: int) -> None:
    """Sealed segments of ``urls`` failed urls each; bytes play no part in finding them."""
    attempt = {"attempt": 1, "started": 1.0, "seconds": 0.1, "state": "http_4xx", "http_status": 404, "read": 0}
    for segment in range(segments):
        stem = folder / f"job{segment:05d}-0"
        records = (Record(url(segment, n), State.HTTP_4XX, 404, [attempt], finished=1.0) for n in range(urls))
        with_suffix(stem, LINES).write_bytes(b"".join(map(to_line, records)))
        with_suffix(stem, BYTES).touch()
        seal(stem, ended=True)


def timed(folder: Path, wanted: Iterable[str]) -> tuple[float, int]:
    """Seconds to find ``wanted``, and how many were found."""
    start = time.perf_counter()
    with Store(folder, "bench") as store:
        found = len(store.find(wanted, ""))
    return round(time.perf_counter() - start, 2), found


def main() -> None:
    """Make the store and time it."""
    segments, urls = (int(given) for given in [*sys.argv[1:], *("1200", "10000")[len(sys.argv) - 1 :]])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, segments, urls)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seconds = {
            "spread": timed(folder, [url(n % segments, n // segments) for n in range(urls)]),
            "together": timed(folder, [url(segments // 2, n) for n in range(urls)]),
            "none": timed(folder, [f"https://i.redd.it/new{n}.jpg" for n in range(urls)]),
        }
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    facts = {"segments": segments, "urls": urls, "seconds_and_found": seconds, "peak_mb": [before >> 10, peak >> 10]}
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
