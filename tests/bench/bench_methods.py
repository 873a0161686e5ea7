"""A whole step of each pretraining method against its own bare forward and backward pass, and its memory.

    python -m tests.bench.bench_methods [--methods NAME ...] [--steps N]

The step reads, augments, trains, optimizes and logs, with a thread beside it that prepares batches: two cores. Each
method runs in a process of its own, and queues have their default sizes and are in use. Prints one JSON line per
method: times, a ratio, the peak memory of the process, and the sizes of what is trained and of what is remembered. The
ratio is that of processor times, which other work on the machine disturbs less: of the busier of both cores to that of
the bare passes. The same passes can take a tenth longer a minute later. So each ratio compares times measured one after
the other, and the median of all counts; ``ratios`` are the lowest and the highest.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.bench_pretrain import accelerated
from tests.pretraining.shapes import of_method, plan
from workflow_scripts.pretraining.settings import HEADS
from workflow_scripts.pretraining.training.plan import Plan
from workflow_scripts.pretraining.training.trainer import Trainer, reproducible

TARGET, ROUNDS, IMAGES = 1.05, 5, 256
FIRST = 50_000  # a step at which all queues are in use
TEXT = {"embedding": 128, "text_width": 128, "text_layers": 4, "text_heads": 4}
PROJECTOR = {"projector": [512, 512, 128]}
OWN: dict[str, dict[str, Any]] = {
    "simclr": PROJECTOR,
    "simsiam": {**PROJECTOR, "predictor": 128},
    "clip": TEXT,
    "slip": {**TEXT, **PROJECTOR},
    "lgslip": {**TEXT, "projector": [512, 512]},
    "declip_nn": TEXT,
    "nnclr": {**PROJECTOR, "predictor": 1024},
    "clip_sbert": {"embedding": 128},
    "xclr": PROJECTOR,
    "multi_positive": PROJECTOR,
    "swav": {"projector": [512, 128]},
}
"""Settings of methods, a quarter as wide as the original's, for a network that is a quarter as wide."""


class Spent(NamedTuple):
    """Seconds per step: by the clock, of the training thread's processor time, and of the other threads'."""

    clock: float
    training: float
    others: float


def _now() -> Spent:
    training = time.thread_time()
    return Spent(time.perf_counter(), training, time.process_time() - training)


def _per_step(start: Spent, steps: int) -> Spent:
    return Spent(*((after - before) / steps for before, after in zip(start, _now(), strict=True)))


def bare(trainer: Trainer, steps: int) -> Spent:
    """A forward and backward pass on one batch that is there already."""
    batch = trainer.batches.cut(FIRST).finish()
    trainer.model.train()
    start = _now()
    for _ in range(steps):
        trainer.model.zero_grad()
        trainer.model(batch).backward()
    return _per_step(start, steps)


def whole(trainer: Trainer, steps: int) -> Spent:
    """A step, after two that fill the memory of decoded images and the prefetcher."""
    start = _now()
    for i, batch in enumerate(trainer.loaded(range(FIRST, FIRST + steps + 2))):
        if i == 2:
            start = _now()
        trainer._step(batch)
        trainer._after_step()
    return _per_step(start, steps)


def run_of(method: str, folder: Path) -> Plan:
    changed = of_method(method, IMAGES) | {method: OWN.get(method, {})}
    sizes = {"backbone": "resnet18", "image_size": 96, "batch_size": 64, "steps": 100_000, "log_every": 10}
    return plan(folder, IMAGES, augmentation="crop", warmup_steps=20, checkpoint_every=100_000, **sizes, **changed)


def measure(method: str, steps: int) -> dict[str, Any]:
    """Medians of some rounds of each, taken in turn."""
    with tempfile.TemporaryDirectory() as folder, reproducible("cpu", 1):
        trainer = accelerated(run_of(method, Path(folder)))
        bare(trainer, 1)
        rounds = [(bare(trainer, steps), whole(trainer, steps)) for _ in range(ROUNDS)]
    ratios = [max(step.training, step.others) / passes.training for passes, step in rounds]
    trained = sum(one.numel() for one in trainer.model.parameters())
    remembered = sum(one.numel() * one.element_size() for name, one in trainer.model.named_buffers() if "queue" in name)
    return {
        "bench": f"method_step.{method}",
        "step_ms": round(1000 * statistics.median(step.clock for _, step in rounds), 1),
        "bare_ms": round(1000 * statistics.median(passes.clock for passes, _ in rounds), 1),
        "ratio": round(statistics.median(ratios), 3),
        "ratios": [round(min(ratios), 3), round(max(ratios), 3)],
        "target": TARGET,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "trained_millions": round(trained / 1e6, 1),
        "queue_mb": round(remembered / 2**20, 1),
    }


def main(argv: list[str] | None = None) -> None:
    """Measure and print; exit status 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="*", choices=HEADS, default=list(HEADS))
    parser.add_argument("--steps", type=int, default=3)
    args = parser.parse_args(argv)
    if len(args.methods) == 1:
        result = measure(args.methods[0], args.steps)
        sys.stdout.write(json.dumps(result) + "\n")
        raise SystemExit(result["ratio"] > TARGET)
    command = [sys.executable, "-m", "tests.bench.bench_methods", "--steps", str(args.steps), "--methods"]
    missed = [name for name in args.methods if subprocess.run([*command, name], check=False).returncode]
    raise SystemExit(bool(missed))


if __name__ == "__main__":
    main()
