"""Assigns captions to wrong images, by seed: the negative control and the unfaithful part of a dose."""

import numpy as np

from workflow_scripts.stats.seeds import derive


def derange(texts: np.ndarray, groups: np.ndarray, seed: int) -> np.ndarray:
    """The source of each image's caption: an image of its group with another text.

    The images of a group are ordered so that equal texts are adjacent (texts, and images of a text, in random order).
    Each gets the caption m places further on, where m is how often the group's most frequent text occurs. That is an
    equal text only if one text makes up more than half of the group, and then for as few of its n images as possible
    (2 m - n). They get none.

    Args:
        texts: (n,) int64 in [0, 2^31), equal for equal captions.
        groups: (n,) int64 in [0, 2^31), equal for images that may exchange captions.
        seed: seed of the order.

    Returns:
        (n,) int64 rows: image i gets the caption of image ``result[i]``, or none if that is -1. No caption is given
        twice.
    """
    count = len(texts)
    if not count:
        return np.empty(0, dtype=np.int64)
    rng = np.random.default_rng(derive(seed, "derange"))
    distinct, text, sizes = np.unique(groups << 31 | texts, return_inverse=True, return_counts=True)
    first = np.flatnonzero(np.diff(distinct >> 31, prepend=-1))  # of each group: its first text
    place = rng.permutation(len(sizes))
    number = rng.permutation(np.arange(count, dtype=np.int32))
    order = np.lexsort((number, place[text], groups))
    members, largest = np.add.reduceat(sizes, first), np.maximum.reduceat(sizes, first)
    start = np.repeat(np.cumsum(members) - members, members)
    shift = np.repeat(np.where(largest < members, largest, 1), members)
    further = order[start + (np.arange(count) - start + shift) % np.repeat(members, members)]
    given = np.empty(count, dtype=np.int64)
    given[order] = np.where(text[further] == text[order], -1, further)
    return given


def faithful_rows(count: int, share: float, seed: int) -> np.ndarray:
    """(count,) bool, exactly round(share * count) true (halves up); a larger share contains a smaller one."""
    order = np.random.default_rng(derive(seed, "faithful")).permutation(count)
    chosen = np.zeros(count, dtype=bool)
    chosen[order[: int(share * count + 0.5)]] = True
    return chosen


def mix(texts: np.ndarray, groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Like :func:`derange` for the images outside ``faithful_rows``; those inside get their own caption.

    The unfaithful images of a group exchange captions among themselves, so no caption is used more often than in the
    base arm. A group's only unfaithful image gets the caption of a faithful one with another text, if there is one.
    """
    given = np.arange(len(texts))
    rest = np.flatnonzero(~faithful_rows(len(texts), share, seed))
    source = derange(texts[rest], groups[rest], seed)
    given[rest] = np.where(source < 0, -1, rest[source])
    _, first, unfaithful = np.unique(groups[rest], return_index=True, return_counts=True)
    rows, ends = np.argsort(groups, kind="stable"), np.cumsum(np.bincount(groups))
    for number, image in enumerate(rest[first[unfaithful == 1]].tolist()):
        group = int(groups[image])
        members = rows[ends[group - 1] if group else 0 : ends[group]]
        others = members[texts[members] != texts[image]]
        if len(others):
            given[image] = others[(derive(seed, "single") + number) % len(others)]
    return given
