"""Changing the colours of a batch on a processor, against how it was done first, in one run.

    python -m tests.bench.bench_colour [--batches N]

Both get the same crops and give normalised images with channels last. Prints one JSON line per size of images: times
per image of one thread's processor time, so that other work on the machine counts little, their ratio, and the largest
difference in grey levels.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from tests.bench.first_colour import recolour
from workflow_scripts.models.preprocessing import STD, normalise
from workflow_scripts.pretraining.data.crops import draws
from workflow_scripts.pretraining.data.recolour import changes, finished

SIZES = {48: (64, 3.0), 224: (32, 6.0)}
"""Side of the images in pixels: images in a batch, and the ratio to reach."""
ROUNDS = 5


def ours(images: torch.Tensor, uniform: np.ndarray) -> torch.Tensor:
    made = changes(uniform)
    return finished(images, made, made.numbers)


def first(images: torch.Tensor, uniform: np.ndarray) -> torch.Tensor:
    coloured = recolour(images.permute(0, 3, 1, 2).contiguous(), uniform)
    return normalise(coloured).contiguous(memory_format=torch.channels_last)


def seconds(make: Callable[[torch.Tensor, np.ndarray], torch.Tensor], images: torch.Tensor, drawn: np.ndarray) -> float:
    start = time.thread_time()
    for uniform in drawn:
        make(images, uniform)
    return (time.thread_time() - start) / len(drawn) / len(images)


def measure(size: int, batches: int) -> dict[str, float | str]:
    """Best of some rounds of each, taken in turn."""
    number, target = SIZES[size]
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (number, size, size, 3), dtype=torch.uint8, generator=generator)
    drawn = np.stack([draws(0, step, 0, 0, number) for step in range(batches)])
    scale = 255 * torch.tensor(STD).view(1, 3, 1, 1)
    off = max(float(((ours(images, one) - first(images, one)) * scale).abs().max()) for one in drawn[:2])
    rounds = [(seconds(ours, images, drawn), seconds(first, images, drawn)) for _ in range(ROUNDS)]
    fast, slow = (min(column) for column in zip(*rounds, strict=True))
    return {
        "bench": f"colour.{size}",
        "ours": round(1e6 * fast, 1),
        "baseline": round(1e6 * slow, 1),
        "unit": "us per image",
        "ratio": round(slow / fast, 2),
        "target": target,
        "grey_levels": round(off, 5),
    }


def main(argv: list[str] | None = None) -> None:
    """Measure and print; exit status 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=8)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    results = [measure(size, args.batches) for size in SIZES]
    for result in results:
        sys.stdout.write(json.dumps(result) + "\n")
    raise SystemExit(any(one["ratio"] < one["target"] or one["grey_levels"] > 0.01 for one in results))


if __name__ == "__main__":
    main()
