"""Exact neighbours against a bare matrix product of the same size.

Run: python tests/bench/bench_knn.py [rows]. The ratio is sgemm seconds / our seconds: what part of the speed of light
the whole search keeps, with repeated rows found, proposals scored again and ties settled. Wanted: 0.7 or more.
"""

import json
import statistics
import sys
import time

import faiss
import numpy as np

from workflow_scripts.pairs.neighbours import Rule, nearest

WIDTH, BLOCK, REPEATS = 384, 4096, 3


def sgemm(vectors: np.ndarray) -> None:
    """All inner products, a block at a time, thrown away."""
    out = np.empty((BLOCK, len(vectors)), dtype=np.float32)
    for start in range(0, len(vectors), BLOCK):
        part = vectors[start : start + BLOCK]
        np.matmul(part, vectors.T, out=out[: len(part)])


def seconds(work, vectors: np.ndarray) -> float:  # type: ignore[no-untyped-def]
    """Wall seconds of one call."""
    start = time.perf_counter()
    work(vectors)
    return time.perf_counter() - start


def main() -> None:
    """Time both in turn and print one JSON line."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    vectors = np.random.default_rng(0).normal(size=(rows, WIDTH)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = [(seconds(sgemm, vectors), seconds(lambda v: nearest(v, Rule(1)), vectors)) for _ in range(REPEATS)]
    ratio = statistics.median(bare / ours for bare, ours in pairs)
    facts = {"sgemm_seconds": pairs[-1][0], "seconds": pairs[-1][1], "threads": faiss.omp_get_max_threads()}
    sys.stdout.write(json.dumps({"bench": "knn", "rows": rows, "ratio": round(ratio, 3), **facts}) + "\n")


if __name__ == "__main__":
    main()
