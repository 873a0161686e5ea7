"""A whole pretraining step against bare forward and backward of the same network on the same batch, in one run.

    python -m tests.bench.bench_pretrain [--augmentation crop|simclr] [--steps N]

The step reads, augments, trains, optimizes and logs; its batches are prepared by one thread beside it, so on two
cores augmentation costs nothing as long as it is the faster of the two. Prints one JSON line.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import torch

from tests.pretraining.shapes import plan
from workflow_scripts.pretraining.training.initial import build_network
from workflow_scripts.pretraining.training.plan import Plan
from workflow_scripts.pretraining.training.trainer import Trainer, reproducible

TARGET, ROUNDS = 1.15, 3


def accelerated(run: Plan) -> Trainer:
    from accelerate import Accelerator

    return Trainer(run, Accelerator(cpu=True))


def bare(run: Plan, steps: int) -> float:
    """Seconds per forward and backward on one batch that is there already."""
    trainer = accelerated(run)
    model = build_network(run.settings)
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batch = trainer.batches.cut(1).finish()
    start = time.perf_counter()
    for _ in range(steps):
        model.zero_grad()
        model(batch).backward()
    return (time.perf_counter() - start) / steps


def whole(run: Plan, steps: int) -> float:
    """Seconds per step of a run, after two steps that fill the memory of decoded images and the prefetcher."""
    trainer = accelerated(run)
    batches = trainer.loaded(range(1, steps + 3))
    start = 0.0
    for i, batch in enumerate(batches):
        if i == 2:
            start = time.perf_counter()
        trainer._step(batch)
        trainer._after_step()
    return (time.perf_counter() - start) / steps


def measure(augmentation: str, steps: int) -> dict[str, float | str]:
    """Best of some rounds of each, taken in turn so that a busy machine slows both."""
    changed = {
        **{"augmentation": augmentation, "image_size": 48, "batch_size": 128, "steps": 10_000, "log_every": 10},
        **{"simclr": {"projector": [256, 256, 64]}, "warmup_steps": 20, "checkpoint_every": 10_000},
    }
    with tempfile.TemporaryDirectory() as folder, reproducible("cpu", 1):
        run = plan(Path(folder), number=512, **changed)
        bare(run, 2)
        rounds = [(bare(run, steps), whole(run, steps)) for _ in range(ROUNDS)]
    slow, fast = (min(column) for column in zip(*[(w, b) for b, w in rounds], strict=True))
    return {
        "bench": f"pretrain_step.{augmentation}",
        "step_ms": round(1000 * slow, 1),
        "bare_ms": round(1000 * fast, 1),
        "ratio": round(slow / fast, 3),
        "target": TARGET,
    }


def main(argv: list[str] | None = None) -> None:
    """Measure and print; exit status 1 when the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--augmentation", choices=("crop", "simclr"), default="crop")
    parser.add_argument("--steps", type=int, default=12)
    args = parser.parse_args(argv)
    result = measure(args.augmentation, args.steps)
    sys.stdout.write(json.dumps(result) + "\n")
    raise SystemExit(result["ratio"] > TARGET)


if __name__ == "__main__":
    main()
