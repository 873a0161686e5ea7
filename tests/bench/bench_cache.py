"""CPU time of a cache hit of a stage, against the start of Python with pydantic alone.

    python -m tests.bench.bench_cache [--repeats 7]

A stage that finds its key in the cache verifies the entry, links it and ends before any heavy import; the aim is at
most 0.5 s of CPU. The stage is `pair_table` on hand-made vectors.
"""

import argparse
import io
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.helpers import make_artifact

ROWS, WIDTH, LIMIT = 2_000, 64, 0.5


def cpu_seconds(command: list[str]) -> float:
    """User and system time of one process."""
    before = os.times()
    subprocess.run(command, check=True, capture_output=True)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def vectors(results: Path) -> Path:
    """An embed_captions artifact of random unit rows."""
    rows = np.random.default_rng(0).standard_normal((ROWS, WIDTH)).astype(np.float32)
    array, keys = io.BytesIO(), io.BytesIO()
    np.save(array, rows / np.linalg.norm(rows, axis=1, keepdims=True))
    names = [f"k{row:05d}" for row in range(ROWS)]
    pq.write_table(
        pa.table({"key": names, "subreddit": ["a"] * ROWS, "year": pa.array([2020] * ROWS, pa.int16())}), keys
    )
    return make_artifact(results, "embed_captions", "x", {".npy": array.getvalue(), ".keys.parquet": keys.getvalue()})


def main() -> None:
    """Print medians and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        stage = [sys.executable, "-m", "workflow_scripts.stages.pair_table", "--device", "cpu", "--settings", "{}"]
        stage += ["--artifact", str(results / "study/pair_table/x"), "--input", f"vectors={vectors(results)}"]
        computed = cpu_seconds(stage)
        hits = statistics.median(cpu_seconds(stage) for _ in range(repeats))
        bare = statistics.median(cpu_seconds([sys.executable, "-c", "import pydantic"]) for _ in range(repeats))
    sys.stdout.write(
        f"computed {computed:.2f} s CPU, cache hit {hits:.2f} s CPU (limit {LIMIT}), python + pydantic {bare:.2f} s; "
        f"ratio hit / bare {hits / bare:.2f}\n"
    )
    sys.exit(hits > LIMIT)


if __name__ == "__main__":
    main()
