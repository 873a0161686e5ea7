"""Statistics of frozen features that need no classifier: rank, alignment, uniformity and norm."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.stats.feature_statistics import alignment, rankme, uniformity
from workflow_scripts.stats.seeds import derive

ROWS = pa.schema(
    [("dataset", pa.string()), ("metric", pa.string()), ("value", pa.float64()), ("n", pa.int64())],
)


@dataclass(frozen=True)
class Sampling:
    """Limits of what is read.

    Attributes:
        rank_images: images of train and val behind RankMe, at most.
        uniformity_pairs: pairs of test images behind the uniformity, at most.
        seed: of both draws; they do not depend on the features, so all checkpoints share them.
    """

    rank_images: int
    uniformity_pairs: int
    seed: int


def statistics_table(data: Downstream, sampling: Sampling) -> pa.Table:
    """A row per statistic: dataset, metric, value, n (images). A statistic that does not exist is left out."""
    bank, test = data.rows("train", "val"), data.rows("test")
    if len(bank) > sampling.rank_images:
        generator = np.random.Generator(np.random.PCG64(derive(sampling.seed, "rankme", data.name)))
        bank = np.sort(generator.choice(bank, sampling.rank_images, replace=False))
    features, labels = data.features[test].astype(np.float64), data.labels[test]
    norms = np.linalg.norm(features, axis=1)
    unit = features / np.maximum(norms, 1e-12)[:, None]
    aligned, partnered = alignment(unit, labels)
    spread = uniformity(unit, sampling.uniformity_pairs, derive(sampling.seed, "uniformity", data.name))
    found = {
        "rankme": (rankme(data.features[bank].astype(np.float64)), len(bank)),
        "alignment": (aligned, partnered),
        "uniformity": (spread, len(test)),
        "norm": (float(norms.mean()), len(test)),
        "norm_sd": (float(norms.std()), len(test)),
    }
    rows = [(data.name, name, value, n) for name, (value, n) in found.items() if np.isfinite(value)]
    return pa.Table.from_pylist([dict(zip(ROWS.names, row, strict=True)) for row in rows], ROWS)
