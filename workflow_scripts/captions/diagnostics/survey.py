"""What needs all captions of an arm at once: how often each occurs, and whether another one resembles it."""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.captions.diagnostics.near_duplicates import near_duplicates
from workflow_scripts.captions.diagnostics.words import words_of


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
