"""Bootstrap of classes and of the items within them, and crossed with seeds.

Items of a class resemble each other, so a resample draws C of the C classes with replacement, and then, for each class
drawn, as many of its items as it has (the cluster bootstrap of Davison and Hinkley 1997, Bootstrap Methods, section
3.8). Crossed with seeds, a resample also draws S of the S seeds (Owen 2007, Ann. Appl. Stat. 1:386): for statistics
that are no means, whose variance has no closed form.
"""

from collections.abc import Callable, Iterator

import numpy as np

from workflow_scripts.stats.intervals import CELLS, resampling_weights


def nested_weights(labels: np.ndarray, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """How often each item is drawn in each resample of classes, then items: blocks (b, n) float32.

    Args:
        labels: (n,) the class of each item.
    """
    rng = np.random.default_rng(seed)
    n = len(labels)
    order = np.argsort(labels, kind="stable")
    _, starts, sizes = np.unique(labels[order], return_index=True, return_counts=True)
    block = max(1, min(resamples, CELLS // n))
    for first in range(0, resamples, block):
        rows = min(block, resamples - first)
        drawn = rng.integers(len(sizes), size=(rows, len(sizes)))
        count = sizes[drawn].ravel()
        place = starts[drawn].ravel().repeat(count) + (rng.random(count.sum()) * count.repeat(count)).astype(np.int64)
        row = np.arange(rows).repeat(sizes[drawn].sum(axis=1))
        yield np.bincount(order[place] + row * n, minlength=rows * n).reshape(rows, n).astype(np.float32)


def nested_means(values: np.ndarray, labels: np.ndarray, shares: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Weighted means in resamples of classes, then items.

    Args:
        values: (n, m) float, one row an item; all columns share the resamples, so that differences stay paired.
        labels: (n,) the class of each item.
        shares: (n,) the weight of each item in the mean: 1 for a mean over items, 1 / size of its class for a mean of
            class means.

    Returns:
        (resamples, m) float64: in each resample, the sum of weighted values of the drawn items over that of their
        weights.
    """
    scaled = np.column_stack([values * shares[:, None], shares]).astype(np.float32)
    sums = np.concatenate([weights @ scaled for weights in nested_weights(labels, resamples, seed)]).astype(np.float64)
    return np.asarray(sums[:, :-1] / sums[:, -1:])


def crossed_bootstrap(
    values: np.ndarray, labels: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], resamples: int, seed: int
) -> np.ndarray:
    """A statistic of several means in resamples of seeds, crossed with classes, then items.

    Args:
        values: (S, n, m) float: by seed, item, and what is averaged.
        labels: (n,) the class of each item.
        statistic: maps means (resamples, m) to (resamples, ...), for example a ratio of two of them.

    Returns:
        (resamples, ...) float64.
    """
    seeds, items, columns = values.shape
    flat = np.moveaxis(values, 0, 1).reshape(items, seeds * columns)
    means = nested_means(flat, labels, np.ones(items), resamples, seed).reshape(resamples, seeds, columns)
    drawn = np.concatenate(list(resampling_weights(seeds, resamples, seed + 1))) / seeds
    return statistic(np.einsum("bs,bsm->bm", drawn, means))
