"""Statistics of frozen features that need no classifier: rank, alignment, uniformity and norm.

All are computed in float64, in time linear in the number of images.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.stats.seeds import derive

EPSILON = 1e-7
"""RankMe's summand of every share, so that zeros have a logarithm (Garrido et al. 2023, eq. 1)."""
SHARPNESS = 2.0
"""t of the uniformity (Wang and Isola 2020, section 4.1.2)."""
AT_ONCE = 65_536

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


def rankme(features: np.ndarray) -> float:
    """Exponential of the entropy of the singular values of ``features`` (n, d), scaled to sum 1.

    Garrido et al. 2023 ("RankMe", ICML), eq. 1: between 1 and min(n, d). The singular values are roots of the
    eigenvalues of the features' products (d, d); those that rounding hides are 1e-8 of the largest, below the
    summand 1e-7. Features of zeros have no singular values: NaN.
    """
    squares = np.linalg.eigvalsh(features.T @ features)[-min(features.shape) :]
    values = np.sqrt(np.maximum(squares, 0))
    if not values.any():
        return float("nan")
    shares = values / values.sum() + EPSILON
    return float(np.exp(-(shares * np.log(shares)).sum()))


def alignment(unit: np.ndarray, labels: np.ndarray) -> tuple[float, int]:
    """Mean squared distance of an image's features to those of another image of its class, and how many images count.

    Wang and Isola 2020 (ICML), section 4.1.1 with exponent 2. Their positive pairs are views of an image; frozen
    features are scored without augmentation, so here they are all pairs of images with the same label, each image
    counted equally. Images that are alone in their class are left out; NaN if all are.

    Args:
        unit: (n, d), rows of length 1.
        labels: (n,) int.
    """
    _, index, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    sums = np.zeros((len(sizes), unit.shape[1]))
    np.add.at(sums, index, unit)
    squares = np.bincount(index, np.square(unit).sum(axis=1))
    # The sum of |x - y|^2 over ordered pairs of m rows is 2 m sum |x|^2 - 2 |sum x|^2; each image is in m - 1 of them.
    several = sizes > 1
    distances = 2 * (sizes * squares - np.square(sums).sum(axis=1))[several] / (sizes[several] - 1)
    images = int(sizes[several].sum())
    return (float(distances.sum() / images) if images else float("nan")), images


def uniformity(unit: np.ndarray, pairs: int, seed: int) -> float:
    """Logarithm of the mean of exp(-t |x - y|^2) over pairs of different rows of ``unit`` (n, d), of length 1.

    Wang and Isola 2020, section 4.1.2, with their t = 2: 0 if all features are equal, and lower the more evenly they
    cover the sphere. All pairs if there are at most ``pairs``, else so many that are drawn; NaN with a single row.
    """
    n = len(unit)
    if n < 2:
        return float("nan")
    if n * (n - 1) // 2 <= pairs:
        first, second = np.triu_indices(n, 1)
    else:
        generator = np.random.Generator(np.random.PCG64(seed))
        first, second = generator.integers(0, n, pairs), generator.integers(0, n - 1, pairs)
        second += second >= first
    total = 0.0
    for start in range(0, len(first), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        squared = np.square(unit[first[part]] - unit[second[part]]).sum(axis=1)
        total += float(np.exp(-SHARPNESS * squared).sum())
    return float(np.log(total / len(first)))


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
