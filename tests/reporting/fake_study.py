"""A small made-up study: artifacts of every stage that the report reads, with plausible numbers."""

import hashlib
import io
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from tests.file_bytes import encoded, parquet
from tests.helpers import make_artifact
from tests.reporting.fake_data import Inputs, N, data_inputs, key, rows
from tests.reporting.fake_files import SIZE, js, picture
from workflow_scripts.evaluation.leakage.search import Match, counts_of, matches_table

DATASETS = ("concept", "colour", "scene")
RUNS = [
    ("simclr", "self", "simclr", 0, 0.58),
    *[("simclr", "original", "crop", seed, 0.52) for seed in range(3)],
    *[("simclr", "revised", "crop", seed, 0.60) for seed in range(3)],
    ("simclr", "shuffled", "crop", 0, 0.41),
    ("simsiam", "original", "crop", 0, 0.47),
    ("simsiam", "revised", "crop", 0, 0.53),
    ("untrained", "none", "none", 0, 0.30),
]


def run_name(method: str, pairs: str, augmentation: str, seed: int) -> str:
    return f"{method}-{pairs}-{augmentation}-resnet_small-s{seed}"


def make_study(results: Path, captions: dict[int, str] | None = None) -> Inputs:
    """All inputs of the report by name; `captions` replaces original captions by row number."""
    given = {**data_inputs(results, captions or {}), **run_inputs(results)}
    return {name: given[name] for name in sorted(given)}


def measure(value: float, at: int, half: float = 0.03) -> dict[str, float]:
    centre = value + 0.012 * np.sin(7.0 * at)
    return {"value": centre, "low": centre - half, "high": centre + half}


def run_inputs(results: Path) -> Inputs:
    given: Inputs = {name: [] for name in ("runs", "probe", "few_shot", "knn", "saliency", "datasets", "leakage")}
    summary: list[dict[str, Any]] = []
    for at, (method, pairs, augmentation, seed, level) in enumerate(RUNS):
        name = run_name(method, pairs, augmentation, seed)
        given["runs"].append(pretrained(results, name, method, at, level))
        unit, file = {"run": name, "step": "last"}, f"{name}.last"
        probe, few, scores = probe_rows(level, at), few_shot_rows(level, at), saliency_rows(level, at)
        near = knn_rows(level, at)
        for dataset in DATASETS:
            of_set = unit | {"dataset": dataset}
            measured = (("probe", "linear_probe", probe), ("few_shot", "few_shot", few), ("knn", "knn", near))
            for given_as, stage, lines in measured:
                table = parquet([row for row in lines if row["dataset"] == dataset])
                files = {".parquet": table}
                if stage == "knn":
                    files |= {".statistics.parquet": parquet(statistics(dataset, at))}
                given[given_as].append(make_artifact(results, stage, f"{file}.{dataset}", files, of_set))
        given["saliency"].append(saliency(results, f"{file}.masks", unit | {"dataset": "masks"}, scores, at))
        head = {**unit, "method": method, "pairs": pairs, "augmentation": augmentation, "tag": "", "seed": seed}
        head |= {"backbone": "resnet_small", "chosen_on": ""}
        head |= (
            {"trained_steps": 200, "epochs": 12.5, "batch_size": 64}
            if method != "untrained"
            else {"trained_steps": 0, "epochs": None}
        )
        summary += [head | _picked(row, f"linear_probe.{row['objective']}.accuracy") for row in probe]
        summary += [head | _picked(row, "few_shot.accuracy") for row in few]
        summary += [head | _picked(row, "knn.accuracy") for row in near]
        summary += [head | _picked(row, "without_leaked.knn.accuracy") | {"value": 0.4321, "n": 300} for row in near]
        summary += [head | _picked(row, saliency_metric(row)) for row in scores if row["stratum"] == "all"]
    given["datasets"] = [eval_dataset(results, name) for name in DATASETS]
    given["leakage"] = [leakage(results, name) for name in DATASETS]
    given["summary"] = [summary_tables(results, summary)]
    given["discrimination"] = [discrimination(results)]
    given["saliency_checks"] = [saliency_checks(results)]
    return given


def statistics(dataset: str, at: int) -> list[dict[str, Any]]:
    found = {"rankme": 17.25 + at, "alignment": 0.5, "uniformity": -1.5, "norm": 12.0, "norm_sd": 0.25}
    return [{"dataset": dataset, "metric": name, "value": value, "n": 400} for name, value in found.items()]


def probe_rows(level: float, at: int) -> list[dict[str, Any]]:
    same = {"metric": "accuracy", "n": 400, "best_c": 2.0, "common_c": 1.0, "value_at_common_c": 0.4321}
    return [
        {**same, "dataset": name, "objective": objective, **measure(level + 0.04 * i, at)}
        for i, name in enumerate(DATASETS)
        for objective in ("original", "sklearn")
    ]


def few_shot_rows(level: float, at: int) -> list[dict[str, Any]]:
    same = {"metric": "accuracy", "standard_error": 0.004, "n": 600}
    return [{**same, "dataset": name, **measure(level + 0.1, at + i, 0.008)} for i, name in enumerate(DATASETS)]


def knn_rows(level: float, at: int) -> list[dict[str, Any]]:
    same = {"metric": "accuracy", "n": 400, "bank": 900}
    return [{**same, "dataset": name, **measure(level - 0.05, at + i)} for i, name in enumerate(DATASETS)]


LEAKED = "<b>test & co</b>"
"""Key of a test image that is among the training images."""


def leakage(results: Path, name: str) -> Path:
    found = [Match(0, key(1), False, True, True, 4, 47, 0.9375, 0.9)] if name == DATASETS[0] else []
    table = parquet(matches_table(found, [LEAKED]))
    about = {"dataset": name, "test_images": 900, "training_images": N, **counts_of(found)}
    about["vectors"] = {"encoder": "clip", "cosine": 0.8} if name == DATASETS[0] else None
    about |= {"nearly_of_one_colour": {"test": 7, "training": 3}, "correlation": 0.93}
    return make_artifact(results, "leakage", name, {".parquet": table, ".json": js(about)}, {"dataset": name})


def eval_dataset(results: Path, name: str) -> Path:
    data = encoded(picture(3))
    place = {"offset": 0, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    files = {".json": js({"classes": ["a", "b"], "metric": "accuracy", "has_masks": False})}
    files |= {".tar": data, ".parquet": parquet([{"key": LEAKED, "split": "test", **place}])}
    return make_artifact(results, "eval_dataset", name, files, {"dataset": name}, rows(900, {}))


def discrimination(results: Path) -> Path:
    row = {"dataset": "masks", "models": 4, "runs": 9, "icc": 0.8, "low": 0.5, "high": 0.95, "recovered": 1.0}
    row |= {
        "spearman": 0.7,
        "partial_r2": None,
        "verdict": "inconclusive",
        "reason": "why",
        "beyond_probe": "not shown",
    }
    metrics = ("linear_probe.sklearn", "saliency.probe.pixel_ap.corrected")
    files = {".parquet": parquet([row | {"metric": metric} for metric in metrics])}
    return make_artifact(results, "discrimination", "discrimination", files)


def saliency_checks(results: Path) -> Path:
    rows = [
        {"check": check, "at": at, "measure": measure, "value": value, "low": low, "high": None if low is None else 0.5}
        for check, at, measure, value, low in (
            ("cascade", "trained", "corrected AP", 0.4, 0.3),
            ("cascade", "another photo", "Spearman with the trained network's map", 0.2, None),
            ("ROAD", "40 % removed", "fall of the logit, most", -1.5, -2.0),
        )
    ]
    unit = {"run": run_name(*RUNS[0][:4]), "step": "last", "dataset": "masks"}
    files = {".parquet": parquet([row | {"dataset": "masks", "n": 60} for row in rows])}
    return make_artifact(results, "saliency_checks", ".".join(unit.values()), files, unit)


def saliency_metric(row: dict[str, Any]) -> str:
    """A row's metric in the summary."""
    return f"saliency.{row['target']}.{row['metric']}{'' if row['scale'] == 'raw' else '.' + row['scale']}"


def summary_tables(results: Path, summary: list[dict[str, Any]]) -> Path:
    contrasts = contrast_rows()
    read = [
        {"file": f"linear_probe/{run_name(*run[:4])}.last.concept.parquet", "manifest_sha256": "0" * 64} for run in RUNS
    ]
    sources = {"files": read, "rows": [[0]] * len(summary), "contrasts": [[1, 4]] * len(contrasts)}
    files = {".parquet": parquet(summary), ".contrasts.parquet": parquet(contrasts), ".sources.json": js(sources)}
    return make_artifact(results, "summary", "summary", files)


def _picked(row: dict[str, Any], metric: str) -> dict[str, Any]:
    return {"dataset": row["dataset"], "metric": metric, **{name: row[name] for name in ("value", "low", "high", "n")}}


def pretrained(results: Path, name: str, method: str, at: int, level: float) -> Path:
    table = []
    for step in range(0, 301, 10) if method != "untrained" else ():
        loss = 3.0 + 2.0 * np.exp(-step / 80) + 0.1 * np.sin(step + at) - level
        knn = 0.3 + (level - 0.3) * (1 - np.exp(-step / 90)) if step % 50 == 0 else None
        rank = 60 * np.exp(-step / 100) if step % 50 == 0 else None
        row = {"step": step, "loss": loss, "lr": 1e-3, "images": step * 128, "knn_accuracy": knn, "rankme": rank}
        table.append(row)
    empty = pa.schema([("step", pa.int64()), ("loss", pa.float64()), ("knn_accuracy", pa.float64())]).empty_table()
    curve = parquet(table) if table else parquet(empty)
    about = {"method": method, "collapsed_step": 150 if "-original-" in name else None} | (
        {"self_pairs": 2, "partners_elsewhere": 5} if "-revised-" in name else {}
    )
    files = {"/run.json": js(about), "/curve.parquet": curve}
    lost = rows(N, {"no_pair": 1, "not_common": 3} if "-original-" in name else {"not_common": 3})
    return make_artifact(results, "pretrain", name, files, {"run": name}, {} if method == "untrained" else lost)


def saliency_rows(level: float, at: int) -> list[dict[str, Any]]:
    """Of a study's saliency: one layer, two strata, three maps."""
    targets = {"probe": level, "runner_up": level - 0.2, "lafam": level - 0.1, "uniform": 0.21, "centre_gaussian": 0.33}
    scales = {"raw": lambda value: value, "corrected": lambda value: value - 0.21, "lead": lambda value: level - value}
    same = {"dataset": "masks", "layer": "layer4", "n": 120, "constant_maps": 0}
    return [
        {**same, "scale": scale, "stratum": stratum, "target": target, "metric": metric, **measure(of(value), at)}
        for scale, of in scales.items()
        for stratum in ("all", "middle third")
        for target, value in targets.items()
        for metric in ("mass_in_mask", "pointing_game", "pixel_ap")
    ]


def saliency(results: Path, name: str, unit: dict[str, str], scores: list[dict[str, Any]], at: int) -> Path:
    draw = np.random.default_rng(at)
    y, x = np.mgrid[:SIZE, :SIZE]
    shown = np.stack([np.asarray(picture(number)) for number in range(8)])
    centres = draw.integers(15, 50, (8, 2))
    maps = np.stack([255 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 300) for cx, cy in centres]).astype(np.uint8)
    masks = np.stack([((x - 32) ** 2 + (y - 32) ** 2 < 300).astype(np.uint8) for _ in range(8)])
    masks[:, :4] = 255
    out = io.BytesIO()
    names = {"datasets": np.array(["masks"] * 8), "keys": np.array([f"m{i}" for i in range(8)])}
    names |= {"roles": np.array(["shared"] * 5 + ["best", "median", "worst"])}
    names |= {"classes": np.array(["a <b>"] * 8), "swapped": np.array(["c"] * 8), "scores": np.linspace(0, 1, 8)}
    np.savez(out, **names, images=shown, masks=masks, maps=maps, maps_swapped=maps)
    files = {".results.parquet": parquet(scores), ".examples.npz": out.getvalue(), ".parquet": b"x"}
    return make_artifact(results, "saliency", name, files, unit)


def contrast_rows() -> list[dict[str, Any]]:
    """As the summary makes them: each dataset and their mean, at three levels and two steps."""
    found = []
    metrics = ("linear_probe.sklearn.accuracy", "few_shot.accuracy", "saliency.probe.pixel_ap.corrected")
    differences = {("original (crop) - self (simclr)", "simclr"): -0.06, ("original - shuffled", "simclr"): 0.1}
    differences |= {("revised - original", "simclr"): 0.08, ("revised - original", "simsiam"): 0.02}
    for ((name, method), value), metric, step in product(differences.items(), metrics, ("last", "best")):
        datasets = ("masks",) if metric.startswith("saliency") else (*DATASETS, "mean")
        for dataset in datasets:
            known = (name, method) == ("revised - original", "simclr")
            head = {"contrast": name, "method": method, "augmentation": "crop", "dataset": dataset, "metric": metric}
            head |= {"step": step, "backbone": "resnet_small", "tag": "", "difference": value, "expected": 1}
            ends = {"low": value - 0.06, "high": value + 0.06} if known else {"low": None, "high": None}
            numbers = {"p": 0.01, "p_adjusted": 0.02, "detectable": 0.07} if known else {}
            said = ("exploratory", "" if known else "no joint interval")
            primary = known and (dataset, step) == ("mean", "last") and metric.startswith("linear_probe")
            if primary:
                said = ("inconclusive", "only one objective was fitted")
            sides = {side: " ".join(f"{run_name(*run[:4])}.{step}" for run in RUNS if run[:2] == (method, pairs))
                     for side, pairs in zip(("plus", "minus"), name.split(" - "), strict=True)}  # fmt: skip
            joint = dict.fromkeys(("p", "p_adjusted", "detectable")) | numbers | sides
            joint |= {"unequal": "", "chosen_on": "", "verdict": said[0], "reason": said[1], "arms": 0}
            joint |= {"primary": "declared" if primary else ""}
            nothing = dict.fromkeys(joint)
            found.append(head | nothing | {"level": "image", "low": value - 0.03, "high": value + 0.03, "n": 400})
            found.append(head | nothing | {"level": "seed", **ends, "n": 3 if known else 1})
            found.append(head | joint | {"level": "joint", **ends, "n": 3 if known else 1})
    return found
