"""What a GPU does besides a step of training (``bench_step``).

    python -m tests.bench.bench_gpu [--rows NAME ...]

``recaption``: images per second of recaptioning in batches of 256 against batches of 32, by BLIP-2 with OPT-2.7b in its
real size and with random weights. ``knn``: seconds of a search by FAISS on the device against those on the CPU, whose
neighbours must be equal. ``two_processes``: images per second of two trainings that share the device, together,
against those of one alone. Without a GPU, all are done with tiny models and few rows. Prints one JSON line per row;
exit status 1 when neighbours differ.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.bench.bench_knn import made_up
from tests.bench.bench_loader import photos
from tests.bench.bench_recaption import DECODING, save_models, shard
from tests.bench.bench_step import GPU, Sides, run_of
from workflow_scripts.captions.recaptioning.models import load_models
from workflow_scripts.captions.recaptioning.shard import recaption_shard
from workflow_scripts.models.text_norms import MatchedText
from workflow_scripts.pairs.neighbours import How, Rule, nearest
from workflow_scripts.pairs.search.candidates import usable
from workflow_scripts.pretraining.training.trainer import reproducible

DEVICE = "cuda" if GPU else "cpu"
IMAGES, BATCHES = (1024, (32, 256)) if GPU else (16, (4, 16))
VECTORS, SECONDS, BATCH = (500_000, 30.0, 128) if GPU else (3_000, 1.0, 8)
WORKERS = 16 if GPU else 1
SMALL: dict[str, Any] = {} if GPU else {"backbone": "resnet_small", "image_size": 32, "simclr": {"projector": [16, 8]}}


def line(bench: str, ours: float, baseline: float, quotient: float, **more: Any) -> dict[str, Any]:
    """A row."""
    return {"bench": bench, "ours": ours, "baseline": baseline, "ratio": round(quotient, 3), "device": DEVICE, **more}


def recaption() -> dict[str, Any]:
    """Images per second by the size of batches."""
    with tempfile.TemporaryDirectory() as at, torch.inference_mode():
        models = load_models(*save_models(Path(at), real=GPU), DEVICE, DECODING, MatchedText())
        rows, images = shard(Path(at), 0, IMAGES)
        rates = []
        for size in BATCHES:
            for turn in ("warm-up", "timed"):
                work = Path(at, f"{size}-{turn}")
                work.mkdir()
                start = time.perf_counter()
                recaption_shard(rows, images, size, work, lambda: models, WORKERS)
            rates.append(IMAGES / (time.perf_counter() - start))
    peak = torch.cuda.max_memory_allocated() // 2**20 if GPU else None
    return line("recaption", rates[1], rates[0], rates[1] / rates[0], batches=BATCHES[::-1], peak_mb=peak)


def knn() -> dict[str, Any]:
    """Seconds of a search on the device, and on the CPU; without a GPU build of FAISS, both are on the CPU."""
    vectors = made_up(VECTORS)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids, found, seconds = np.arange(VECTORS, dtype=np.uint64), [], []
    for device in (usable(DEVICE), "cpu"):
        how = How(device, WORKERS)
        nearest(vectors[:1000], ids[:1000], Rule(1), how)  # so that the libraries are loaded
        start = time.perf_counter()
        found.append(nearest(vectors, ids, Rule(1), how))
        seconds.append(time.perf_counter() - start)
    equal = all(np.array_equal(getattr(found[0], name), getattr(found[1], name)) for name in ("target", "cosine"))
    made = line("knn", seconds[0], seconds[1], seconds[1] / seconds[0], rows=VECTORS, equal=equal)
    return made | {"device": usable(DEVICE)} | ({} if equal else {"failed": "neighbours differ"})


def two_processes() -> dict[str, Any]:
    """Images per second of one training, and of two at once."""
    alone, together = _rates(1), _rates(2)
    return line("two_processes", sum(together), alone[0], sum(together) / alone[0], each=together)


def _rates(number: int) -> list[float]:
    command = [sys.executable, "-m", "tests.bench.bench_gpu", "--train"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    started = [subprocess.Popen(command, **pipes) for _ in range(number)]
    for one in started:
        one.stdout.readline()  # it is warm
    for one in started:
        one.stdin.write("\n")
        one.stdin.flush()
    rates = [float(one.stdout.readline()) for one in started]
    ended = [one.wait() for one in started]
    if any(ended):
        raise SystemExit("a training failed")
    return rates


def train() -> None:
    """Train in this process: say when it is warm, wait for a line, and print the images per second."""
    with tempfile.TemporaryDirectory() as folder, reproducible(DEVICE, 1):
        sides, steps = Sides(run_of(Path(folder), photos(), BATCH, **SMALL)), 0
        sides.whole(3)
        sys.stdout.write("\n")
        sys.stdout.flush()
        sys.stdin.readline()
        start = time.perf_counter()
        while time.perf_counter() < start + SECONDS:
            sides.whole(1)
            steps += 1
        if GPU:
            torch.cuda.synchronize()
        sys.stdout.write(f"{steps * BATCH / (time.perf_counter() - start)}\n")
        sys.stdout.flush()
        sides.batches.close()


ROWS = {"recaption": recaption, "knn": knn, "two_processes": two_processes}


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="*", choices=ROWS, default=list(ROWS))
    parser.add_argument("--train", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.train:
        train()
        return
    failed = False
    for name in args.rows:
        row = ROWS[name]()
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()
        failed |= "failed" in row
    raise SystemExit(failed)


if __name__ == "__main__":
    main()
