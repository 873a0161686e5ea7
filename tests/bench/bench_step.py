"""A whole training step with real photos against bare forward and backward passes: ResNet-50, 224 px.

    python -m tests.bench.bench_step [--rows NAME ...] [--batch N] [--steps N] [--rounds N]

The step decodes JPEGs of 512 px (those of ``bench_loader``), crops, trains with SimCLR, optimizes and logs; its batches
are prepared by a thread beside it. Bare passes repeat on one batch that is there already. Rows: ``step``;
``step/micro_batches``, in two parts with the gradients of the whole batch, against bare passes in two parts. The sides
take turns, and the ratio is that of the medians.

On a GPU the batch is 256 and the precision bf16. On a CPU the batch is 8 in float32, with one math thread; the ratio is
that of processor times (of the busier of the training thread and all others to that of bare passes), which other work
on the machine hardly changes. Prints one JSON line per row; exit status 1 when a target is missed.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from accelerate import Accelerator

from tests.bench.bench_loader import PHOTOS, in_tar, photos
from tests.pretraining.shapes import plan
from workflow_scripts.pretraining.data.pairing import with_itself
from workflow_scripts.pretraining.training.gradients import backward
from workflow_scripts.pretraining.training.plan import Plan
from workflow_scripts.pretraining.training.trainer import Trainer, reproducible

GPU = torch.cuda.is_available()
TARGETS = {"step": 1.05, "step/micro_batches": 1.05}


class Spent(NamedTuple):
    """Seconds: by the clock, of the training thread's processor time, and of the other threads'."""

    clock: float
    training: float
    others: float


def timed(work: Callable[[], None], steps: int) -> Spent:
    """Time per step of ``work``."""

    def now() -> Spent:
        if GPU:
            torch.cuda.synchronize()
        training = time.thread_time()
        return Spent(time.perf_counter(), training, time.process_time() - training)

    start = now()
    work()
    return Spent(*((after - before) / steps for before, after in zip(start, now(), strict=True)))


class Sides:
    """A run, whose steps are timed beside bare passes of its network."""

    def __init__(self, run: Plan) -> None:
        self.trainer = Trainer(run, Accelerator(cpu=not GPU, mixed_precision=run.settings.precision))
        self.batches = self.trainer.loaded(range(1, 10**6))
        self.given = next(self.batches)
        self.parts = run.settings.batch_size // (run.settings.micro_batch_size or run.settings.batch_size)

    def bare(self, steps: int) -> None:
        """Forward and backward passes."""
        trainer, batch = self.trainer, self.given
        ready = batch.finish(trainer.accelerator.device)
        trainer.wrapped.train()
        for _ in range(steps):
            trainer.model.zero_grad()
            backward(trainer.accelerator, trainer.wrapped, trainer.model, ready, self.parts)

    def whole(self, steps: int) -> None:
        """Steps of the run."""
        for _ in range(steps):
            self.trainer._step(next(self.batches))
            self.trainer._after_step()


def run_of(folder: Path, files: list[bytes], batch: int, **changed: Any) -> Plan:
    """A run of SimCLR over the photos, on the GPU if there is one."""
    settings = {
        "backbone": "resnet50",
        "image_size": 224,
        "batch_size": batch,
        "augmentation": "crop",
        "log_every": 10,
        "steps": 1_000_000,
        "checkpoint_every": 10**6,
        "simclr": {},
        "precision": "bf16" if GPU else "no",
        **changed,
    }
    made = plan(folder, keep=False, workers=16 if GPU else 1, **settings)
    images = in_tar(folder / "photos.tar", files)
    return replace(made, images=images, pairing=with_itself(np.arange(PHOTOS)), device="cuda" if GPU else "cpu")


def ratio(name: str, sides: Sides, steps: int, rounds: int) -> dict[str, Any]:
    """Medians of rounds in turns, after a warm-up."""
    sides.bare(1)
    sides.whole(1)
    pairs = [(timed(lambda: sides.bare(steps), steps), timed(lambda: sides.whole(steps), steps)) for _ in range(rounds)]
    bare, whole = (Spent(*map(statistics.median, zip(*one, strict=True))) for one in zip(*pairs, strict=True))
    ours, baseline = (
        (whole.clock, bare.clock) if GPU else (max(whole.training, whole.others), bare.training + bare.others)
    )
    row = {"bench": name, "ours": round(1000 * ours, 1), "baseline": round(1000 * baseline, 1), "unit": "ms per step"}
    row |= {"ratio": round(ours / baseline, 3), "clock_ratio": round(whole.clock / bare.clock, 3)}
    if name in TARGETS:
        row["target"] = TARGETS[name]
    if GPU:
        row["peak_mb"] = torch.cuda.max_memory_allocated() // 2**20
    return row


def measure(name: str, batch: int, steps: int, rounds: int, **changed: Any) -> dict[str, Any]:
    """One row."""
    changes: dict[str, dict[str, Any]] = {"step/micro_batches": {"micro_batch_size": batch // 2}}
    with tempfile.TemporaryDirectory() as folder, reproducible("cuda" if GPU else "cpu", 1):
        sides = Sides(run_of(Path(folder), photos(), batch, **changes.get(name, {}), **changed))
        try:
            return ratio(name, sides, steps, rounds)
        finally:
            sides.batches.close()


def main(argv: list[str] | None = None) -> None:
    """Measure and print; exit status 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", nargs="*", choices=TARGETS, default=["step"])
    parser.add_argument("--batch", type=int, default=256 if GPU else 8)
    parser.add_argument("--steps", type=int, default=20 if GPU else 3)
    parser.add_argument("--rounds", type=int, default=5 if GPU else 3)
    parser.add_argument("--small", action="store_true", help="a small network and small images, to try the script")
    args = parser.parse_args(argv)
    changed = {"backbone": "resnet_small", "image_size": 32, "simclr": {"projector": [16, 8]}} if args.small else {}
    missed = False
    for name in args.rows:
        row = measure(name, args.batch, args.steps, args.rounds, **changed)
        sys.stdout.write(json.dumps(row) + "\n")
        sys.stdout.flush()
        missed |= not args.small and row["ratio"] > row.get("target", row["ratio"])
    raise SystemExit(missed)


if __name__ == "__main__":
    main()
