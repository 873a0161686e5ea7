"""Captions that equal another one, or share most of their words with it, in linear time."""

from collections.abc import Iterable, Iterator
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array

from workflow_scripts.captions.diagnostics.words import words_of

SIMILAR = 0.8
"""Captions are near duplicates if their sets of words have at least this Jaccard index."""
BANDS, ROWS = 16, 4
"""A pair at the threshold is compared with probability 1 - (1 - 0.8^4)^16 = 0.9998."""
NEIGHBOURS = 8
"""Comparisons of a caption in each band, which bounds the time if thousands of captions resemble each other."""
PAIRS = 200_000  # compared at once


def near_duplicates(words: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Which captions have a near duplicate among the others.

    Candidates are found by MinHash (Broder 1997, "On the resemblance and containment of documents") and bands of its
    values (Leskovec, Rajaraman and Ullman 2020, Mining of Massive Datasets, section 3.4), then compared exactly. A
    caption with very many similar ones can be missed, never found wrongly.

    Args:
        words: (w,) int64 codes of the different words of each caption, one caption after the other.
        sizes: (n,) number of them in each caption; captions without words have no duplicate.

    Returns:
        (n,) bool.
    """
    starts = np.concatenate([[0], np.cumsum(sizes)])
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(_mix(words.astype(np.uint64), 0))])
    _, first, group, counts = np.unique(
        sums[starts[1:]] - sums[starts[:-1]], return_index=True, return_inverse=True, return_counts=True
    )
    found = (counts > 1) & (sizes[first] > 0)  # sets with an equal one
    smallest = round(SIMILAR / (1 - SIMILAR))  # a set with fewer words differs too much from every other
    longer = np.flatnonzero(sizes[first] >= smallest)
    if len(longer):
        found[longer] |= _similar(*_chosen(words, starts, first[longer]))
    return np.asarray(found[group] & (sizes > 0))


def resembling(first: Iterable[str], second: Iterable[str]) -> np.ndarray:
    """(m,) bool: which pairs of captions are near duplicates; a caption without words is none."""
    sets = ((set(words_of(one)), set(words_of(other))) for one, other in zip(first, second, strict=True))
    return np.array([bool(a) and len(a & b) >= SIMILAR * len(a | b) - 1e-9 for a, b in sets], dtype=bool)


def _mix(values: np.ndarray, seed: int) -> np.ndarray:
    """Hashes of (n,) uint64 by the finaliser of SplitMix64 (Steele, Lea and Flood 2014, OOPSLA)."""
    values = values + np.uint64((seed + 1) * 0x9E3779B97F4A7C15 % 2**64)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ (values >> np.uint64(31)))


def _chosen(words: np.ndarray, starts: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Words and sizes of some captions."""
    sizes = np.diff(starts)[rows]
    ends = np.cumsum(sizes)
    return words[np.arange(ends[-1]) + np.repeat(starts[rows] - (ends - sizes), sizes)], sizes


def _similar(words: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """(m,) bool: which of m different sets, none of them empty, resemble another one."""
    starts = np.concatenate([[0], np.cumsum(sizes)])
    _, codes = np.unique(words, return_inverse=True)
    sets = csr_array((np.ones(len(codes), np.int32), codes, starts))
    found = np.zeros(len(sizes), dtype=bool)
    for first, second in _candidates(words.astype(np.uint64), starts[:-1]):
        small, large = np.minimum(sizes[first], sizes[second]), np.maximum(sizes[first], sizes[second])
        open_ = (small >= SIMILAR * large - 1e-9) & ~(found[first] & found[second])
        first, second = first[open_], second[open_]
        for start in range(0, len(first), PAIRS):
            one, two = first[start : start + PAIRS], second[start : start + PAIRS]
            common = sets[one].multiply(sets[two]).sum(axis=1)
            near = common >= SIMILAR * (sizes[one] + sizes[two] - common) - 1e-9
            found[one[near]] = found[two[near]] = True
    return found


def _candidates(words: np.ndarray, starts: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of rows whose sets agree in all values of a band."""
    for band in range(BANDS):
        key = np.zeros(len(starts), np.uint64)
        for row in range(ROWS):
            number = 1 + band * ROWS + row
            key = _mix(key ^ np.minimum.reduceat(_mix(words, number), starts), number)
        order = np.argsort(key, kind="stable")
        for step in range(1, min(NEIGHBOURS, len(order) - 1) + 1):
            same = key[order[step:]] == key[order[:-step]]
            if not same.any():
                break
            yield order[:-step][same], order[step:][same]


def survey(batches: Iterable[pa.Array], sampled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Repetition of n captions, of which only hashes and the words of a sample are held.

    Args:
        batches: the captions.
        sampled: (n,) bool, the captions among which near duplicates are looked for.

    Returns:
        (n,) int32, how many captions are equal to it; (n,) bool, whether another caption of the sample resembles it
        (false outside the sample).
    """
    hashes: list[np.ndarray] = []
    vocabulary: dict[str, int] = {}
    words: list[np.ndarray] = []
    start = 0
    for batch in batches:
        coded = pc.dictionary_encode(batch)
        texts, rows = coded.dictionary.to_pylist(), coded.indices.to_numpy()
        hashes.append(np.array([_hash(text) for text in texts], np.uint64)[rows])
        sets = {row: _codes(texts[row], vocabulary) for row in set(rows[sampled[start : start + len(rows)]].tolist())}
        words += [sets[row] for row in rows[sampled[start : start + len(rows)]].tolist()]
        start += len(rows)
    _, group, counts = np.unique(np.concatenate([np.zeros(0, np.uint64), *hashes]), False, True, True)
    near = np.zeros(start, dtype=bool)
    sizes = np.array([len(one) for one in words], dtype=np.int64)
    near[sampled] = near_duplicates(np.concatenate([np.zeros(0, np.int64), *words]), sizes)
    return counts[group].astype(np.int32), near


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _codes(caption: str, vocabulary: dict[str, int]) -> np.ndarray:
    return np.array([vocabulary.setdefault(word, len(vocabulary)) for word in dict.fromkeys(words_of(caption))])
