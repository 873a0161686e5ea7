"""Exact neighbours against a bare float32 matrix product of the same size, in turn, on one thread.

Run: python -m tests.bench.bench_knn [--rows 100000] [--neighbours 1] [--vectors FILE.npy]. One JSON line per precision
of the products; the ratio is the seconds of the bare product / ours, so above 1 is faster than computing all products
once. Ours includes finding repeated rows, computing the remaining pairs again, and settling ties. ``equal`` says
whether targets and scores of the first rows are those that FAISS finds. A last line compares the approximate search,
its index included, with the exact one in float32.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import faiss
import numpy as np
import torch
from threadpoolctl import threadpool_limits

from workflow_scripts.pairs import neighbours
from workflow_scripts.pairs.neighbours import How, Near, Rule, nearest
from workflow_scripts.pairs.search import close_pairs

WIDTH, BLOCK, COMPARED = 384, 4096, 20_000


def sgemm(vectors: np.ndarray) -> None:
    """All inner products, a block at a time, thrown away."""
    out = np.empty((BLOCK, len(vectors)), dtype=np.float32)
    for start in range(0, len(vectors), BLOCK):
        part = vectors[start : start + BLOCK]
        np.matmul(part, vectors.T, out=out[: len(part)])


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one call; the same as wall seconds on one thread, whatever else runs on the machine."""
    start = time.process_time()
    work()
    return time.process_time() - start


def found(vectors: np.ndarray, k: int, half: bool | None, approximate: int | None = None) -> Near:
    """Neighbours by products of either precision, or by FAISS alone if ``half`` is None."""
    ids = np.random.default_rng(1).integers(0, 2**63, len(vectors), dtype=np.uint64)
    many = patch.object(neighbours, "MANY", 0 if half is not None else len(vectors) + 1)
    with many, patch.object(close_pairs, "_half_is_faster", lambda *_: half):
        return nearest(vectors, ids, Rule(k), How(approximate=approximate))


def made_up(rows: int) -> np.ndarray:
    """(rows, WIDTH) float32 unit vectors in clusters of about 20, as captions are."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(max(1, rows // 20), WIDTH))
    return (centres[rng.integers(0, len(centres), rows)] + rng.normal(size=(rows, WIDTH))).astype(np.float32)


def main() -> None:
    """Time the precisions and the bare product in turn, and print one JSON line for each precision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--neighbours", type=int, default=1)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--repeats", type=int, default=1)
    options = parser.parse_args()
    vectors = np.load(options.vectors)[: options.rows] if options.vectors else made_up(options.rows)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    k, few = options.neighbours, vectors[:COMPARED]
    with threadpool_limits(1):
        reference = found(few, k, None)
        for half in (False, True):
            same = found(few, k, half)
            equal = all(np.array_equal(getattr(same, name), getattr(reference, name)) for name in ("target", "cosine"))
            times = [
                (seconds(lambda: sgemm(vectors)), seconds(lambda half=half: found(vectors, k, half)))  # type: ignore[misc]
                for _ in range(options.repeats)
            ]
            bare, ours = (statistics.median(column) for column in zip(*times, strict=True))
            facts = {"rows": len(vectors), "k": k, "products": "bfloat16" if half else "float32", "equal": equal}
            line = {"bench": "knn", **facts, "ours": ours, "baseline": bare, "ratio": round(bare / ours, 2)}
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
            if not half:
                base = ours
        ours = seconds(lambda: found(vectors, k, False, 0))
        recall = float((found(few, k, False, 0).cosine >= reference.cosine[:, -1:]).mean())
        facts = {"rows": len(vectors), "k": k, "products": "compressed", "recall_of_first_rows": round(recall, 4)}
        line = {"bench": "knn_approximate", **facts, "ours": ours, "baseline": base, "ratio": round(base / ours, 2)}
        sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
