"""Nearest neighbours in frozen features: every test image is classified by the images of train and val."""

import numpy as np
import pyarrow as pa

from workflow_scripts.evaluation.downstream import Downstream, with_interval
from workflow_scripts.evaluation.interval_settings import Bootstrap
from workflow_scripts.models.nearest import nearest_classes, nearest_classes_on
from workflow_scripts.stats.feature_statistics import alignment, rankme, uniformity
from workflow_scripts.stats.seeds import derive

RANK_IMAGES = 25_600
"""Most images of train and val behind RankMe: as many as in its paper."""
UNIFORMITY_PAIRS = 200_000
"""Most pairs of test images behind the uniformity."""
RESULTS = pa.schema(
    [
        *[(name, pa.string()) for name in ("dataset", "metric")],
        *[(name, pa.float64()) for name in ("value", "low", "high")],
        *[(name, pa.int64()) for name in ("n", "bank")],
    ]
)
ROWS = pa.schema([("dataset", pa.string()), ("metric", pa.string()), ("value", pa.float64()), ("n", pa.int64())])


def knn(data: Downstream, neighbours: int, temperature: float, device: str) -> np.ndarray:
    """Classes of the rows of the test split, in order: (t,) int32.

    Nothing is tuned, so validation images vote too, as they are fitted by the tested linear probe.
    """
    bank = data.rows("train", "val")
    sides = data.features[bank], data.labels[bank], data.features[data.rows("test")]
    if device == "cpu":
        return nearest_classes(*sides, neighbours, temperature).astype(np.int32)
    return nearest_classes_on(device, *sides, neighbours, temperature).astype(np.int32)


def results_table(data: Downstream, predicted: np.ndarray, intervals: Bootstrap, seed: int) -> pa.Table:
    """One row: dataset, metric, value, low, high, n (test images), bank (images that vote)."""
    score = with_interval(predicted, data, intervals, seed)
    row = (data.name, data.metric, *score, len(predicted), len(data.rows("train", "val")))
    return pa.Table.from_pylist([dict(zip(RESULTS.names, row, strict=True))], RESULTS)


def statistics_table(data: Downstream, seed: int) -> pa.Table:
    """A row per statistic: dataset, metric, value, n (images). A statistic that does not exist is left out.

    Args:
        seed: of what is drawn, which does not depend on the features, so all checkpoints share it.
    """
    bank, test = data.rows("train", "val"), data.rows("test")
    if len(bank) > RANK_IMAGES:
        generator = np.random.Generator(np.random.PCG64(derive(seed, "rankme", data.name)))
        bank = np.sort(generator.choice(bank, RANK_IMAGES, replace=False))
    features, labels = data.features[test].astype(np.float64), data.labels[test]
    norms = np.linalg.norm(features, axis=1)
    unit = features / np.maximum(norms, 1e-12)[:, None]
    aligned, partnered = alignment(unit, labels)
    spread = uniformity(unit, UNIFORMITY_PAIRS, derive(seed, "uniformity", data.name))
    found = {
        "rankme": (rankme(data.features[bank].astype(np.float64)), len(bank)),
        "alignment": (aligned, partnered),
        "uniformity": (spread, len(test)),
        "norm": (float(norms.mean()), len(test)),
        "norm_sd": (float(norms.std()), len(test)),
    }
    rows = [(data.name, name, value, n) for name, (value, n) in found.items() if np.isfinite(value)]
    return pa.Table.from_pylist([dict(zip(ROWS.names, row, strict=True)) for row in rows], ROWS)
