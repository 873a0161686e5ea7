"""Statistics of feature vectors: rank, alignment and uniformity.

All are computed in float64, in time linear in the number of images.
"""

import numpy as np

EPSILON = 1e-7
"""RankMe's summand of every share, so that zeros have a logarithm (Garrido et al. 2023, eq. 1)."""
SHARPNESS = 2.0
"""t of the uniformity (Wang and Isola 2020, section 4.1.2)."""
AT_ONCE = 65_536


def rankme(features: np.ndarray) -> float:
    """Exponential of the entropy of the singular values of ``features`` (n, d), scaled to sum 1.

    Garrido et al. 2023 ("RankMe", ICML), eq. 1: between 1 and min(n, d). The singular values are roots of the
    eigenvalues of the products of columns or rows, whichever are fewer; those that rounding hides are 1e-8 of the
    largest, below the summand 1e-7. Features of zeros have no singular values: NaN.
    """
    narrow = features if len(features) > features.shape[1] else features.T
    squares = np.linalg.eigvalsh(narrow.T @ narrow)
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
