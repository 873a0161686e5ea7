"""Assigns captions to wrong images, by seed: the negative control and the unfaithful part of a dose."""

import numpy as np

from workflow_scripts.stats.seeds import derive


def derange(texts: np.ndarray, seed: int) -> np.ndarray:
    """The source of each image's caption: a permutation without fixed points that also avoids equal texts.

    Images are ordered so that equal texts are adjacent (groups and members in random order), and each gets the caption
    m places further on, where m is the size of the largest group. So no image keeps its own text unless one text makes
    up more than half of all, and then as few as possible do (2 m - n).

    Args:
        texts: (n,) int64, equal for equal captions; n >= 2.
        seed: seed of the order.

    Returns:
        (n,) int64 rows: image i gets the caption of image ``result[i]``.
    """
    count = len(texts)
    if count < 2:
        raise ValueError(f"{count} captions can't be shuffled; at least 2 are needed")
    rng = np.random.default_rng(derive(seed, "derange"))
    _, group, sizes = np.unique(texts, return_inverse=True, return_counts=True)
    place = rng.permutation(len(sizes))[group]
    order = np.lexsort((rng.permutation(count), place))
    largest = int(sizes.max())
    shift = largest if largest < count else 1
    given = np.empty(count, dtype=np.int64)
    given[order] = np.roll(order, -shift)
    return given


def faithful_rows(count: int, share: float, seed: int) -> np.ndarray:
    """(count,) bool, exactly round(share * count) true (halves up); a larger share contains a smaller one."""
    order = np.random.default_rng(derive(seed, "faithful")).permutation(count)
    chosen = np.zeros(count, dtype=bool)
    chosen[order[: int(share * count + 0.5)]] = True
    return chosen


def mix(texts: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Like :func:`derange` for the images outside ``faithful_rows``; those inside get their own caption.

    The unfaithful images exchange captions among themselves, so every caption is used as often as in the base arm. A
    single unfaithful image gets a faithful image's caption instead.
    """
    given = np.arange(len(texts))
    rest = np.flatnonzero(~faithful_rows(len(texts), share, seed))
    if len(rest) == 1:
        others = np.flatnonzero(texts != texts[rest[0]])
        others = others if len(others) else np.delete(given, rest[0])
        if len(others) == 0:
            raise ValueError("1 caption can't be shuffled; at least 2 are needed")
        given[rest] = others[derive(seed, "single") % len(others)]
    elif len(rest):
        given[rest] = rest[derange(texts[rest], seed)]
    return given
