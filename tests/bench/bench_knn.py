"""Exact neighbours against one bare search by FAISS with the same threads, in turn.

Run: python -m tests.bench.bench_knn [--rows 100000] [--neighbours 1] [--threads 1] [--vectors FILE.npy] [--index I].
Prints one JSON line; the ratio is the median of FAISS's seconds / ours, so above 1 is faster than the bare search. Ours
includes finding repeated rows, scoring candidates in double precision, searching rows again, and settling ties.
``searched_again`` is the share of rows whose first candidates were not sure to be complete. With ``--index``, a second
line has the seconds with an index of FAISS, its training included, and the recall of the first rows.
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
from threadpoolctl import threadpool_limits

from workflow_scripts.pairs import neighbours
from workflow_scripts.pairs.neighbours import How, Near, Rule, nearest
from workflow_scripts.pairs.search.index import FLAT, Index

WIDTH, COMPARED = 384, 20_000


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of one call, of all threads, so that what else runs on the machine matters little."""
    start = time.process_time()
    work()
    return time.process_time() - start


def found(vectors: np.ndarray, k: int, threads: int, index: str = FLAT, parameters: str = "") -> Near:
    """Neighbours as the stage finds them."""
    ids = np.random.default_rng(1).integers(0, 2**63, len(vectors), dtype=np.uint64)
    return nearest(vectors, ids, Rule(k), How(workers=threads, index=Index(index, parameters)))


def bare(vectors: np.ndarray, k: int, threads: int) -> None:
    """One search by FAISS for the row itself and ``k`` neighbours."""
    with threadpool_limits(threads, "blas"):
        faiss.omp_set_num_threads(threads)
        faiss.knn(vectors, vectors, k + 1, metric=faiss.METRIC_INNER_PRODUCT)


def searched_again(vectors: np.ndarray, k: int, threads: int) -> float:
    """The share of rows for which FAISS searched more than once."""
    asked, real = [], neighbours.largest

    def watched(queries: np.ndarray, *given: object) -> tuple[np.ndarray, np.ndarray]:
        asked.append(len(queries))
        return real(queries, *given)

    with patch.object(neighbours, "largest", watched):
        found(vectors, k, threads)
    return sum(asked) / len(vectors) - 1


def made_up(rows: int) -> np.ndarray:
    """(rows, WIDTH) float32 unit vectors in clusters of about 20, as captions are."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(max(1, rows // 20), WIDTH))
    return (centres[rng.integers(0, len(centres), rows)] + rng.normal(size=(rows, WIDTH))).astype(np.float32)


def say(**facts: object) -> None:
    """Print a line."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Time both in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--neighbours", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--vectors", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--index")
    parser.add_argument("--parameters", default="")
    options = parser.parse_args()
    vectors = np.load(options.vectors)[: options.rows] if options.vectors else made_up(options.rows)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    k, threads = options.neighbours, options.threads
    times = [
        (seconds(lambda: bare(vectors, k, threads)), seconds(lambda: found(vectors, k, threads)))
        for _ in range(options.repeats)
    ]
    base, ours = (statistics.median(column) for column in zip(*times, strict=True))
    ratio = statistics.median(one / other for one, other in times)
    facts = {"rows": len(vectors), "k": k, "threads": threads}
    again = searched_again(vectors[:COMPARED], k, threads)
    say(bench="knn", **facts, ours=ours, baseline=base, ratio=round(ratio, 3), searched_again=round(again, 5))
    if options.index:
        ours = seconds(lambda: found(vectors, k, threads, options.index, options.parameters))
        few = vectors[:COMPARED]
        with patch.object(neighbours, "FEWEST", 0):
            near = found(few, k, threads, options.index, options.parameters)
        recall = float((near.cosine >= found(few, k, threads).cosine[:, -1:]).mean())
        named = {"index": f"{options.index} {options.parameters}".strip(), "recall_of_first_rows": round(recall, 4)}
        say(bench="knn_index", **facts, **named, ours=ours, baseline=base, ratio=round(base / ours, 2))


if __name__ == "__main__":
    main()
