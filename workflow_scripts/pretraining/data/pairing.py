"""Positive pairs, as row numbers of the image index."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.text_norms import is_blank

ROWS = 65_536  # texts that are converted to Python's at a time


@dataclass(frozen=True)
class Pairing:
    """Positive pairs.

    Attributes:
        sources: (m,) int64, rows of the images that take part, ascending.
        starts: (m + 1,) int64; the partners of ``sources[i]`` are ``targets[starts[i]:starts[i + 1]]``, best first.
        targets: (p,) int64, rows of the partners.
    """

    sources: np.ndarray
    starts: np.ndarray
    targets: np.ndarray

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def self_pairs(self) -> int:
        """Number of images that are paired with themselves."""
        return int(np.count_nonzero(self.targets[self.starts[:-1]] == self.sources))

    @property
    def elsewhere(self) -> int:
        """Number of pairs whose partner is not one of ``sources``."""
        return int(np.count_nonzero(~np.isin(self.targets, self.sources)))

    def partners(self, positions: np.ndarray, uniform: np.ndarray, number: int = 1) -> np.ndarray:
        """(b,) positions in ``sources`` -> (number, b) rows of partners of each.

        If an image has more, the first is drawn by ``uniform``, (b,) in [0, 1), and the others follow it in the order
        of the table; if it has fewer, they are repeated.
        """
        if not number:
            return np.empty((0, len(positions)), np.int64)
        first, count = self.starts[positions], self.starts[positions + 1] - self.starts[positions]
        rank = (uniform * count).astype(np.int64)
        return np.stack([self.targets[first + (rank + more) % count] for more in range(number)])


def with_itself(rows: np.ndarray) -> Pairing:
    """The images in ``rows``, ascending, each paired with itself."""
    return Pairing(rows, np.arange(len(rows) + 1), rows)


def completed(pairing: Pairing, images: int) -> Pairing:
    """The pairing; those of ``images`` images that have no partner are paired with themselves."""
    counts = np.ones(images, np.int64)
    counts[pairing.sources] = np.diff(pairing.starts)
    paired = np.zeros(images, np.bool_)
    paired[pairing.sources] = True
    targets = np.repeat(np.arange(images), counts)
    targets[np.repeat(paired, counts)] = pairing.targets
    return Pairing(np.arange(images), _starts(counts), targets)


def among(pairing: Pairing, rows: np.ndarray) -> tuple[Pairing, np.ndarray]:
    """The pairs whose source is one of ``rows`` (n,) int64, whatever their partner; and which sources are kept (m,)."""
    kept, counts = np.isin(pairing.sources, rows), np.diff(pairing.starts)
    return Pairing(pairing.sources[kept], _starts(counts[kept]), pairing.targets[np.repeat(kept, counts)]), kept


def _starts(counts: np.ndarray) -> np.ndarray:
    return np.append(0, np.cumsum(counts)).astype(np.int64)


def rows_of(keys: pa.ChunkedArray, requested: pa.ChunkedArray, where: Path) -> np.ndarray:
    """Row numbers in ``keys`` of the ``requested`` keys, int64.

    Raises:
        PipelineError: a requested key is not among ``keys``.
    """
    found = pc.index_in(requested, value_set=keys.combine_chunks())
    if found.null_count:
        missing = requested.filter(pc.is_null(found))[0].as_py()
        advice = "the table belongs to other images; recompute it from this study's"
        raise PipelineError("unknown image key", where, repr(missing), advice)
    return found.to_numpy().astype(np.int64)


def from_table(keys: pa.ChunkedArray, table: pa.Table, where: Path) -> Pairing:
    """Pairs of a pair table (columns source, target, rank); images that are not sources are left out.

    Args:
        keys: keys of all images in index order.
        table: the pair table.
        where: its path, for messages.

    Raises:
        PipelineError: the table names an unknown image.
    """
    source = rows_of(keys, table["source"], where)
    target = rows_of(keys, table["target"], where)
    order = np.lexsort((table["rank"].to_numpy(), source))
    sources, starts = np.unique(source[order], return_index=True)
    return Pairing(sources, np.append(starts, len(source)).astype(np.int64), target[order])


def from_captions(keys: pa.ChunkedArray, table: pa.Table, where: Path) -> tuple[Pairing, np.ndarray]:
    """Images with a caption, each paired with itself; blank captions are left out.

    Returns:
        The pairs, and (m,) int64 numbers of their captions, equal for equal captions.

    Raises:
        PipelineError: the table names an unknown image.
    """
    rows = rows_of(keys, table["key"], where)
    texts = pc.dictionary_encode(pc.fill_null(table["caption"], "").cast(pa.large_string()).combine_chunks())
    blank = np.zeros(len(texts.dictionary), dtype=bool)
    for start in range(0, len(blank), ROWS):
        blank[start : start + ROWS] = [is_blank(text) for text in texts.dictionary.slice(start, ROWS).to_pylist()]
    codes, order = texts.indices.to_numpy().astype(np.int64), np.argsort(rows, kind="stable")
    kept = order[~blank[codes[order]]]
    return with_itself(rows[kept]), codes[kept]


def from_labels(keys: pa.ChunkedArray, named: pa.ChunkedArray, labels: pa.ChunkedArray) -> tuple[Pairing, np.ndarray]:
    """Images with a label, each paired with itself, and their labels row by row; the others are left out.

    Args:
        keys: keys of all images in index order.
        named: keys of the labelled images, some of which the index may lack.
        labels: their labels.

    Returns:
        The pairs, and (m,) int64 numbers of their labels, in the order of the labels' names.
    """
    aligned = labels.combine_chunks().take(pc.index_in(keys, value_set=named.combine_chunks()).combine_chunks())
    rows = np.flatnonzero(pc.is_valid(aligned).to_numpy(zero_copy_only=False))
    return with_itself(rows), numbered(aligned.take(pa.array(rows)))


def numbered(values: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """(n,) int64: the rank of each value among the distinct values in ascending order."""
    return np.asarray(pc.rank(values, tiebreaker="dense").to_numpy().astype(np.int64) - 1)
