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
    several = groups.min() < groups.max()
    rows = _sorted(np.arange(count), texts, *([groups] if several else []))
    starts, first_texts = _starts(groups[rows]), _starts(groups[rows], texts[rows])
    sizes = np.diff(first_texts, append=count)
    text = np.empty(count, dtype=np.int64)  # of each row: its number among all texts of all groups
    text[rows] = np.repeat(np.arange(len(sizes)), sizes)
    largest = np.maximum.reduceat(sizes, np.searchsorted(first_texts, starts))
    place = rng.permutation(len(sizes))
    rows[rng.permutation(count)] = np.arange(count)  # at random
    order = _sorted(rows, place[text], *([groups] if several else []))
    members = np.diff(starts, append=count)
    further = _further(starts, members, np.where(largest < members, largest, 1))
    text = text[order]
    given = np.empty(count, dtype=np.int64)
    given[order] = np.where(text[further] == text, -1, order[further])
    return given


def _sorted(rows: np.ndarray, *keys: np.ndarray) -> np.ndarray:
    """Rows sorted by their keys, of which the last counts most; rows with equal keys keep their order.

    Sorting key and position as one number needs fewer accesses to distant memory than sorting positions by their key:
    at millions of rows, its time grows hardly faster than their number.
    """
    count = len(rows)
    for key in keys:
        packed = key[rows]
        packed *= count
        packed += np.arange(count)
        packed.sort()
        packed %= count
        rows = rows[packed]
    return rows


def _starts(*values: np.ndarray) -> np.ndarray:
    """Where runs of rows with equal values start."""
    new = np.zeros(len(values[0]), dtype=bool)
    new[0] = True
    for one in values:
        new[1:] |= one[1:] != one[:-1]
    return np.flatnonzero(new)


def _further(starts: np.ndarray, members: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """(n,) for each place in runs of ``members`` places: the place ``shift`` further on in its run, around its end."""
    first, size = np.repeat(starts, members), np.repeat(members, members)
    found = np.arange(len(first)) - first + np.repeat(shift, members)
    found %= size
    found += first
    return found


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
