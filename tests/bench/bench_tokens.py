"""A step of CLIP's text tower on rows cut to the batch's longest caption, against rows padded to the context.

    python -m tests.bench.bench_tokens [--batch N] [--rounds N]

Lengths are drawn like those of RedCaps' titles in tokens of CLIP (median 9, 90th percentile 14, start and end token
among them). The tower has a quarter of CLIP's width. Prints one JSON line.
"""

import argparse
import json
import time

import numpy as np
import torch

from workflow_scripts.models.text.tower import TextTower

CONTEXT, VOCABULARY, END = 77, 49_408, 49_407


def rows(batch: int, seed: int) -> torch.Tensor:
    """(batch, longest) int64 ids, padded with the end token."""
    generator = np.random.default_rng(seed)
    lengths = np.clip(np.rint(generator.lognormal(np.log(9), 0.35, batch)), 3, CONTEXT).astype(int)
    made = np.full((batch, lengths.max()), END)
    for row, length in zip(made, lengths, strict=True):
        row[: length - 1] = generator.integers(0, END - 1, length - 1)
    return torch.from_numpy(made)


def seconds(tower: TextTower, batches: list[torch.Tensor]) -> float:
    """Of a forward and backward pass, on average."""
    began = time.perf_counter()
    for tokens in batches:
        tower.zero_grad()
        tower(tokens).square().sum().backward()
    return (time.perf_counter() - began) / len(batches)


def main() -> None:
    """Measure both in turn, and print their times and ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.manual_seed(0)
    tower = TextTower(VOCABULARY, END, CONTEXT, 128, 12, 8, 128, original=True)
    cut = [rows(options.batch, seed) for seed in range(2)]
    whole = [torch.nn.functional.pad(one, (0, CONTEXT - one.shape[1]), value=END) for one in cut]
    seconds(tower, cut[:1])
    taken = [(seconds(tower, cut), seconds(tower, whole)) for _ in range(options.rounds)]
    ours, padded = (float(np.median(one)) for one in zip(*taken, strict=True))
    longest = float(np.mean([one.shape[1] for one in cut]))
    found = {"cut_s": round(ours, 3), "padded_s": round(padded, 3), "ratio": round(ours / padded, 3)}
    print(json.dumps({"batch": options.batch, "longest": longest, **found}))


if __name__ == "__main__":
    main()
