"""Assigns captions to wrong images, by seed: the negative control and the unfaithful part of a dose."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
    width = int(texts.max()).bit_length()
    pairs = groups << width
    pairs |= texts
    text, distinct, sizes = _numbered(pairs)
    first = _starts(distinct >> width)  # of each group: its first text
    place = rng.permutation(len(sizes))
    if len(first) > 1:  # texts of a group are side by side
        place = _ranks((distinct >> width) << 31 | place).astype(np.int64)
    number = rng.permutation(np.arange(count, dtype=np.int32))
    rows = np.empty(count, dtype=np.int32)
    rows[number] = np.arange(count, dtype=np.int32)
    # One number for text and image: sorting it needs no access to distant memory, however many there are.
    packed = place[text]
    packed <<= 31
    packed |= number
    packed.sort()
    order = rows[packed & (2**31 - 1)]
    packed >>= 31
    members, largest = np.add.reduceat(sizes, first), np.maximum.reduceat(sizes, first)
    further = _further(members, np.where(largest < members, largest, 1))
    given = np.empty(count, dtype=np.int64)
    given[order] = np.where(packed[further] == packed, -1, order[further])
    return given


def _numbered(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,) int32 number of each value among the distinct ones, these in ascending order, and how often each occurs."""
    encoded = pc.dictionary_encode(pa.array(values))
    distinct = encoded.dictionary.to_numpy()
    numbers = _ranks(distinct)[encoded.indices.to_numpy()]
    return numbers, np.sort(distinct), np.bincount(numbers)


def _ranks(values: np.ndarray) -> np.ndarray:
    """(n,) int32 where each of the values, which differ, stands in ascending order."""
    ranks = np.empty(len(values), dtype=np.int32)
    ranks[np.argsort(values)] = np.arange(len(values), dtype=np.int32)
    return ranks


def _starts(values: np.ndarray) -> np.ndarray:
    """Where runs of equal values start."""
    return np.flatnonzero(np.append(True, values[1:] != values[:-1]))


def _further(members: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """(n,) int32 for each place in runs of ``members`` places: that ``shift`` further on in its run, around its end."""
    sizes, ends, shift = (one.astype(np.int32) for one in (members, np.cumsum(members), shift))
    found = np.repeat(shift, members)
    found += np.arange(len(found), dtype=np.int32)
    np.subtract(found, np.repeat(sizes, members), out=found, where=found >= np.repeat(ends, members))
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
