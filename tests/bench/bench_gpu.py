"""What a GPU does besides a step of training (``bench_step``).

    python -m tests.bench.bench_gpu [--rows NAME ...]

``recaption``: images per second of recaptioning in batches of 256, and of a size that is measured, against batches of
32, by BLIP-2 with OPT-2.7b in its real size and with random weights. ``embeddings``: images per second through CLIP
ViT-L/14, with decoding, against bare forward passes; ``judge``: the same of BLIP-2's matcher, with a caption for each
image. ``knn``: seconds of a search by FAISS on the device against those on the CPU, whose neighbours must be equal.
``probe``: seconds of a linear probe's objective with its gradients against the same by autograd. ``saliency``: seconds
of Grad-CAM maps against bare forward and backward passes. ``two_processes``: images per second of two trainings, each
on a GPU of its own if there are two, together, against those of one alone. Without a GPU, all are done with tiny models
and few rows. Prints one JSON line per row; exit status 1 when neighbours differ.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.bench.bench_knn import made_up
from tests.bench.bench_loader import photos
from tests.bench.bench_recaption import DECODING, save_models, shard
from tests.bench.bench_step import GPU, Sides, run_of
from tests.models.small_towers import save_clip
from workflow_scripts.captions.recaptioning.batch_size import fitting_batch_size
from workflow_scripts.captions.recaptioning.models import load_models
from workflow_scripts.captions.recaptioning.shard import recaption_shard
from workflow_scripts.core.images.reading import prepared
from workflow_scripts.core.runtime.precision import EXACT, computing
from workflow_scripts.embeddings.images import embed
from workflow_scripts.embeddings.transformers_images import transformers_encoder
from workflow_scripts.evaluation.linear_probe.objectives import TorchCrossEntropy
from workflow_scripts.evaluation.saliency.maps.grad_cam import explaining, grad_cam, probe_logits
from workflow_scripts.models.backbones import build_backbone, explained_layers
from workflow_scripts.models.preprocessing import normalise
from workflow_scripts.models.text_norms import MatchedText
from workflow_scripts.pairs.neighbours import How, Rule, nearest
from workflow_scripts.pairs.search.candidates import usable
from workflow_scripts.pretraining.training.trainer import reproducible
from workflow_scripts.stages.score_captions import JUDGES

DEVICE = "cuda" if GPU else "cpu"
IMAGES, BATCHES = (1024, (32, 256)) if GPU else (16, (4, 16))
VECTORS, SECONDS, BATCH = (500_000, 30.0, 128) if GPU else (3_000, 1.0, 8)
WORKERS = len(os.sched_getaffinity(0)) if GPU else 1
CARDS = torch.cuda.device_count()
SMALL: dict[str, Any] = {} if GPU else {"backbone": "resnet_small", "image_size": 32, "simclr": {"projector": [16, 8]}}


def line(bench: str, ours: float, baseline: float, quotient: float, **more: Any) -> dict[str, Any]:
    """A row."""
    return {"bench": bench, "ours": ours, "baseline": baseline, "ratio": round(quotient, 3), "device": DEVICE, **more}


def recaption() -> dict[str, Any]:
    """Images per second by the size of batches."""
    with tempfile.TemporaryDirectory() as at, torch.inference_mode(), computing(EXACT, DEVICE):
        models = load_models(*save_models(Path(at), real=GPU), DEVICE, DECODING, MatchedText())
        rows, images = shard(Path(at), 0, IMAGES)
        sizes = [*BATCHES, fitting_batch_size(models)]
        rates = []
        for size in sizes:
            for turn in ("warm-up", "timed"):
                work = Path(at, f"{len(rates)}-{turn}")
                work.mkdir()
                start = time.perf_counter()
                recaption_shard(rows, images, size, work, lambda: models, WORKERS)
            rates.append(IMAGES / (time.perf_counter() - start))
    peak = torch.cuda.max_memory_allocated() // 2**20 if GPU else None
    return line("recaption", rates[1], rates[0], rates[1] / rates[0], batches=sizes, rates=rates, peak_mb=peak)


def embeddings() -> dict[str, Any]:
    """Images per second through an image encoder: as the stage does it, and without decoding."""
    with tempfile.TemporaryDirectory() as at, computing(EXACT, DEVICE):
        vision = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
        save_clip(Path(at, "clip"), {**vision, "patch_size": 14, "image_size": 224} if GPU else {})
        _, images = shard(Path(at), 0, IMAGES)
        encoder = transformers_encoder(Path(at, "clip"), DEVICE)
        ready = encoder.prepare([images.image(row) for row in range(BATCHES[0])])
        bare = rate(lambda: encoder.encode(ready), len(ready))
        whole = rate(lambda: embed(images, encoder, BATCHES[0], Path(tempfile.mkdtemp(dir=at)), WORKERS), IMAGES)
    return line("embeddings", whole, bare, whole / bare)


def judge() -> dict[str, Any]:
    """Images per second of a judge, each with one caption: with decoding, and without."""
    with tempfile.TemporaryDirectory() as at, computing(EXACT, DEVICE):
        _, matcher = save_models(Path(at), real=GPU)
        rows, images = shard(Path(at), 0, IMAGES)
        scorer, texts = JUDGES["blip2"].load({"model": matcher}, DEVICE, MatchedText()), rows["caption"].to_pylist()
        cuts = [range(start, start + BATCHES[0]) for start in range(0, IMAGES, BATCHES[0])]

        def score(loaded: Any, captions: list[str]) -> None:
            for values in scorer.scores(scorer.prepare(loaded), scorer.read(captions)):
                values.cpu()

        def stage() -> None:
            for cut, loaded in zip(cuts, prepared(images, cuts, scorer.load, WORKERS), strict=True):
                score(loaded, texts[cut.start : cut.stop])

        first = scorer.load([images.image(row) for row in cuts[0]])
        bare, whole = rate(lambda: score(first, texts[: BATCHES[0]]), BATCHES[0]), rate(stage, IMAGES)
    return line("judge", whole, bare, whole / bare)


def rate(work: Callable[[], Any], images: int) -> float:
    """Images per second of ``work``, after a warm-up."""
    work()
    start = time.perf_counter()
    work()
    if GPU:
        torch.cuda.synchronize()
    return images / (time.perf_counter() - start)


def probe() -> dict[str, Any]:
    """Seconds of a linear probe's mean cross entropy and gradients, and of the same by autograd."""
    rows, width, classes = (1_281_167, 2048, 1000) if GPU else (2_000, 32, 10)
    rng = np.random.default_rng(0)
    features, labels = rng.standard_normal((rows, width), np.float32), rng.integers(0, classes, rows)
    features = features.astype(np.float64)  # as the stage does
    loss = TorchCrossEntropy(features, labels, classes, DEVICE)
    weight, bias = np.zeros((classes, width)), np.zeros(classes)
    kept, targets = loss.features, torch.from_numpy(labels).to(DEVICE)

    def bare() -> None:
        head = torch.zeros((classes, width), dtype=torch.float64, device=DEVICE, requires_grad=True)
        for start in range(0, rows, 65_536):
            part = slice(start, start + 65_536)
            torch.nn.functional.cross_entropy(kept[part] @ head.T, targets[part], reduction="sum").backward()

    ours, baseline = 1 / rate(lambda: loss(weight, bias), 1), 1 / rate(bare, 1)
    peak = torch.cuda.max_memory_allocated() // 2**20 if GPU else None
    return line("probe", ours, baseline, ours / baseline, rows=rows, peak_mb=peak)


def saliency() -> dict[str, Any]:
    """Seconds of the Grad-CAM maps of a batch for four classes, and of a forward and four backward passes."""
    network, width = build_backbone(name := "resnet50" if GPU else "resnet_small")
    network, side = network.eval().to(DEVICE), 224 if GPU else 32
    part = explained_layers(network, {"backbone": name}, ["layer4"])["layer4"]
    rng = np.random.default_rng(0)
    pixels = torch.from_numpy(rng.integers(0, 256, (64, 3, side, side), np.uint8)).to(DEVICE)
    weight, ones = rng.standard_normal((10, width), np.float32), np.ones(width, np.float32)
    logits = probe_logits(weight, np.zeros(10, np.float32), 0 * ones, ones, DEVICE)
    targets = [logits((torch.arange(64, device=DEVICE) + shift) % 10) for shift in range(4)]

    def maps() -> None:
        with explaining(network, [part]) as cam:
            grad_cam(cam, normalise(pixels), targets)

    def bare() -> None:
        given = normalise(pixels).requires_grad_()
        features = network(given)
        for target in targets:
            target(features).sum().backward(retain_graph=True)

    ours, baseline = 1 / rate(maps, 1), 1 / rate(bare, 1)
    return line("saliency", ours, baseline, ours / baseline)


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
    return line("two_processes", sum(together), alone[0], sum(together) / alone[0], each=together, gpus=CARDS)


def _rates(number: int) -> list[float]:
    command = [sys.executable, "-m", "tests.bench.bench_gpu", "--train"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    cards = [{"CUDA_VISIBLE_DEVICES": str(at)} if CARDS > 1 else {} for at in range(number)]
    started = [subprocess.Popen(command, env=os.environ | card, **pipes) for card in cards]
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


ROWS = {
    "recaption": recaption,
    "embeddings": embeddings,
    "judge": judge,
    "knn": knn,
    "probe": probe,
    "saliency": saliency,
    "two_processes": two_processes,
}


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
