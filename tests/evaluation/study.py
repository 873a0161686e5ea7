"""A made-up study: score tables of several runs on the same items, for the tests of the summary."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.file_bytes import parquet
from tests.helpers import make_artifact

LABELS = {"pets": np.array([0, 0, 0, 0, 1, 1, 2, 2, 2, 2], np.int32), "dtd": np.arange(14, dtype=np.int32) % 2}
METRIC = {"pets": "mean_per_class", "dtd": "accuracy"}


def run(method: str, pairs: str, augmentation: str, seed: int, steps: Sequence[str] = ("last",)) -> dict[str, Any]:
    """A run as the settings of the summary have it."""
    name = f"{method}-{pairs}-{augmentation}-resnet_small-s{seed}"
    return {
        "run": name,
        "method": method,
        "pairs": pairs,
        "augmentation": augmentation,
        "seed": seed,
        "steps": [*steps],
    }


def average(correct: np.ndarray, name: str) -> float:
    """The set's own metric, class by class where it is a mean of classes."""
    if METRIC[name] == "accuracy":
        return float(correct.mean())
    labels = LABELS[name]
    return float(np.mean([correct[labels == one].mean() for one in range(labels.max() + 1)]))


def hits(run: Mapping[str, Any], step: str, name: str) -> np.ndarray:
    """Which items a run gets right, made up from its name."""
    seed = [*f"{run['run']}{step}{name}".encode()]
    return np.random.default_rng(seed).random(len(LABELS[name])) < 0.6


def probe(results: Path, run: Mapping[str, Any], step: str = "last", keys: str = "k") -> list[Path]:
    """Its linear probe artifacts, one per set."""
    found = []
    for name, labels in LABELS.items():
        correct = hits(run, step, name)
        value = average(correct, name)
        head = {"dataset": name, "objective": "sklearn"}
        row = {**head, "metric": METRIC[name], "value": value, "low": value - 0.1, "high": value + 0.1}
        items = [
            {**head, "key": f"{keys}{i}", "label": label, "predicted": label if one else -1, "correct": one}
            for i, (label, one) in enumerate(zip(labels.tolist(), correct.tolist(), strict=True))
        ]
        files = {".parquet": parquet([row]), ".predictions.parquet": parquet(items), ".head.safetensors": b"x"}
        found.append(artifact(results, "linear_probe", run, step, name, files))
    return found


def knn(results: Path, run: Mapping[str, Any], step: str = "last") -> list[Path]:
    """Its kNN artifacts, one per set."""
    found = []
    for name, labels in LABELS.items():
        correct = hits(run, f"knn {step}", name)
        value = average(correct, name)
        row = {"dataset": name, "metric": METRIC[name], "value": value, "low": value - 0.1, "high": value + 0.1}
        items = [
            {"dataset": name, "key": f"k{i}", "label": label, "predicted": label if one else -1, "correct": one}
            for i, (label, one) in enumerate(zip(labels.tolist(), correct.tolist(), strict=True))
        ]
        rank = {"dataset": name, "metric": "rankme", "value": 2.5, "n": len(labels)}
        files = {".parquet": parquet([row]), ".predictions.parquet": parquet(items)}
        files |= {".statistics.parquet": parquet([rank])}
        found.append(artifact(results, "knn", run, step, name, files))
    return found


def artifact(
    results: Path, stage: str, run: Mapping[str, Any], step: str, dataset: str, files: Mapping[str, bytes]
) -> Path:
    """An artifact of one checkpoint and set."""
    unit = {"run": run["run"], "step": step, "dataset": dataset}
    return make_artifact(results, stage, ".".join(unit.values()), dict(files), unit)


def episodes(run: Mapping[str, Any], step: str = "last") -> np.ndarray:
    """Accuracies of eight episodes, made up from a run's name."""
    return np.random.default_rng([*f"{run['run']}{step}".encode()]).integers(0, 31, 8) / 30


def queries(run: Mapping[str, Any], step: str = "last") -> tuple[list[int], list[int], list[int]]:
    """Label, episodes and hits of each image, for eight episodes with 30 queries; hits add up to those of episodes."""
    shown = np.array([20, 22, 24, 26, 20, 24, 24, 26, 26, 28])
    total = round(float(episodes(run, step).sum() * 30))
    correct = shown * total // shown.sum()
    correct[: total - correct.sum()] += 1
    return LABELS["pets"].tolist(), shown.tolist(), correct.tolist()


def few_shot(results: Path, run: Mapping[str, Any], step: str = "last", name: str = "pets", ways: int = 5) -> Path:
    """Its few-shot artifact, on one set; all sets have the same episodes."""
    accuracy = episodes(run, step)
    row = {
        "dataset": name,
        "ways": ways,
        "metric": "accuracy",
        "value": float(accuracy.mean()),
        "low": 0.1,
        "high": 0.9,
    }
    items = [{"dataset": name, "episode": i, "accuracy": one} for i, one in enumerate(accuracy.tolist())]
    images = [
        {"dataset": name, "key": f"k{i}", "label": label, "shown": shown, "correct": correct}
        for i, (label, shown, correct) in enumerate(zip(*queries(run, step), strict=True))
    ]
    files = {".parquet": parquet([row]), ".episodes.parquet": parquet(items), ".images.parquet": parquet(images)}
    return artifact(results, "few_shot", run, step, name, files)


SCALES = {"raw": ("probe", "uniform", "oracle"), "corrected": ("probe", "uniform", "oracle"), "lead": ("uniform",)}


def saliency_scores(run: Mapping[str, Any], step: str = "last") -> dict[str, np.ndarray]:
    """Map -> pixel AP of eight images, made up from a run's name."""
    own = episodes(run, step)
    chance = np.linspace(0.1, 0.3, 8)
    return {"probe": own, "uniform": chance, "oracle": chance + 0.6}


def saliency(results: Path, run: Mapping[str, Any], step: str = "last") -> Path:
    """Its saliency artifact, with one score and layer."""
    scores = saliency_scores(run, step)
    items = [
        {"dataset": "masks", "layer": "" if target == "uniform" else "layer4", "target": target}
        | {"key": f"m{i}", "label": i % 3, "pixel_ap": one}
        for target, values in scores.items()
        for i, one in enumerate(values.tolist())
    ]
    means = {target: float(values.mean()) for target, values in scores.items()}
    corrected = {target: (value - means["uniform"]) / 0.6 for target, value in means.items()}
    of = {"raw": means, "corrected": corrected, "lead": {t: corrected["probe"] - v for t, v in corrected.items()}}
    same = {"dataset": "masks", "layer": "layer4", "metric": "pixel_ap", "low": 0.1, "high": 0.9, "n": 8}
    rows = [
        {**same, "stratum": stratum, "scale": scale, "target": target, "value": of[scale][target], "constant_maps": 0}
        for stratum in ("all", "middle third")
        for scale, targets in SCALES.items()
        for target in targets
    ]
    files = {".parquet": parquet(items), ".results.parquet": parquet(rows), ".examples.npz": b"x"}
    return artifact(results, "saliency", run, step, "masks", files)
