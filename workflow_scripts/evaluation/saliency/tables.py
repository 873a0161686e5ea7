"""The tables and example maps of saliency evaluation."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from workflow_scripts.evaluation.saliency.maps import MAP_TARGETS, TARGETS, SaliencyResult
from workflow_scripts.evaluation.saliency.scores import SCORES
from workflow_scripts.stats.intervals import bootstrap_means, percentile_interval
from workflow_scripts.stats.seeds import derive

IMAGES = pa.schema(
    [
        *[(name, pa.string()) for name in ("dataset", "key")],
        ("label", pa.int32()),
        *[(name, pa.string()) for name in ("target", "metric")],
        ("value", pa.float64()),
    ]
)
RESULTS = pa.schema(
    [
        *[(name, pa.string()) for name in ("dataset", "target", "metric")],
        *[(name, pa.float64()) for name in ("value", "low", "high")],
        *[("n", pa.int64()), ("constant_maps", pa.int64())],
    ]
)


def image_table(result: SaliencyResult) -> pa.Table:
    """One row per image, target and metric."""
    n, cells = len(result.keys), len(TARGETS) * len(SCORES)
    columns = [
        [result.name] * (n * cells),
        [key for key in result.keys for _ in range(cells)],
        np.repeat(np.array(result.labels, dtype=np.int32), cells),
        [target for target in TARGETS for _ in SCORES] * n,
        [*SCORES] * (n * len(TARGETS)),
        result.scores.ravel(),
    ]
    return pa.table(columns, schema=IMAGES)


def result_table(result: SaliencyResult, resamples: int, level: float, seed: int) -> pa.Table:
    """One row per target and metric: mean over images, bootstrap interval over images, n, constant maps.

    All targets share the resamples. A set without a scored image has no row.
    """
    n = len(result.keys)
    if not n:
        return RESULTS.empty_table()
    rows = []
    flat = result.scores.reshape(n, -1)
    resampled = bootstrap_means(flat, resamples, derive(seed, "saliency", result.name))
    for i, (target, metric) in enumerate((t, m) for t in TARGETS for m in SCORES):
        value, low, high = percentile_interval(float(flat[:, i].mean()), resampled[:, i], level)
        if n < 2:
            low = high = None
        constant = result.constant[target] if target in MAP_TARGETS else n * (target == "uniform")
        rows.append((result.name, target, metric, value, low, high, n, constant))
    return pa.table(list(zip(*rows, strict=True)), schema=RESULTS)


def write_examples(path: Path, result: SaliencyResult) -> None:
    """Example maps as ``.npz``, one row an image, sorted by key.

    ``datasets``, ``keys`` (n,) text; ``images`` (n, s, s, 3), ``masks`` (n, s, s; 0 background, 1 object, 255 ignore),
    ``maps`` (probe target) and ``maps_cosine`` (n, s, s), all uint8; 255 in a map is that map's maximum.
    """
    found = [(result.name, key, *example) for key, example in sorted(result.examples.items())]
    flat = np.empty((0, 0, 0), np.uint8)
    arrays = {
        "datasets": np.array([one[0] for one in found], dtype=str),
        "keys": np.array([one[1] for one in found], dtype=str),
        "images": np.stack([one[2] for one in found]) if found else np.empty((0, 0, 0, 3), np.uint8),
        "masks": np.stack([one[3] for one in found]) if found else flat,
        "maps": np.stack([one[4][0] for one in found]) if found else flat,
        "maps_cosine": np.stack([one[4][1] for one in found]) if found else flat,
    }
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
