"""Unit vectors of captions."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.embeddings.chunks import unit_rows, vector_chunks


class TextEncoder(Protocol):
    """What embeds captions."""

    @property
    def max_tokens(self) -> int | None:
        """How many tokens of a text are read, including start and end token; None if all are."""

    def __call__(self, texts: Sequence[str], batch: int, /) -> np.ndarray:
        """n texts and a batch size -> (n, d) float32."""

    def truncated(self, texts: Sequence[str], /) -> np.ndarray:
        """(n,) bool, whether only the beginning of a text is read."""


Reduce = Callable[[np.ndarray], np.ndarray]
"""(n, d) float32 unit rows, or zero -> (n, fewer) likewise."""


def embed(
    captions: pa.ChunkedArray,
    encoder: TextEncoder,
    batch: int,
    chunk: int,
    work: Path,
    out: Path,
    reduce: Reduce | None = None,
) -> int:
    """Write the vectors of n captions to ``out``; returns the number of empty captions.

    Each distinct caption is encoded once, so equal captions get bit-identical vectors. They are encoded in order of
    length to reduce padding; the order, and so every batch, depends only on the set of captions. An empty caption gets
    a zero vector and forms no pairs.

    Args:
        captions: n strings.
        batch: captions per forward pass.
        chunk: batches per resume file.
        work: folder of resume files.
        out: becomes a .npy of float32 (n, d), unit rows.
        reduce: applied to the vectors of the distinct captions, in order of first appearance.
    """
    coded = pc.dictionary_encode(captions).combine_chunks()
    coded = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
    texts = coded.dictionary.to_pylist()
    ordered = sorted((i for i, text in enumerate(texts) if text), key=lambda i: (len(texts[i]), texts[i]))
    width = encoder(["a"], 1).shape[-1]
    unique = np.zeros((len(texts), width), dtype=np.float32)

    def compute(start: int, stop: int) -> np.ndarray:
        chosen = [texts[i] for i in ordered[start:stop]]
        return unit_rows(encoder(chosen, batch))

    for rows, vectors in vector_chunks(len(ordered), batch * chunk, work, compute, "chunks of captions embedded"):
        unique[ordered[rows]] = vectors
    if reduce is not None:
        unique = reduce(unique)
    return scatter(unique, coded.indices.to_numpy(), texts, out)


def truncated(captions: pa.ChunkedArray, encoder: TextEncoder) -> np.ndarray:
    """(n,) bool: of which captions the encoder reads only the beginning."""
    batches = pa.table({"caption": captions}).to_batches(max_chunksize=65_536)
    return np.concatenate([np.zeros(0, bool), *(encoder.truncated(batch["caption"].to_pylist()) for batch in batches)])


def unknown(captions: pa.ChunkedArray, vectors: np.ndarray, rows: int = 65_536) -> np.ndarray:
    """(n,) bool: which captions are not empty, but have the vector zero in (n, d) ``vectors``."""
    empty = pc.equal(pc.fill_null(captions, ""), "").to_numpy()
    parts = [vectors[start : start + rows].any(axis=1) for start in range(0, len(vectors), rows)]
    return ~np.concatenate([np.zeros(0, bool), *parts]) & ~empty


def scatter(unique: np.ndarray, codes: np.ndarray, texts: list[str], out: Path, rows: int = 65_536) -> int:
    """Write row ``codes[i]`` of ``unique`` as row i of ``out``, a block at a time; counts the empty captions."""
    written = np.lib.format.open_memmap(out, mode="w+", dtype=np.float32, shape=(len(codes), unique.shape[1]))
    for start in range(0, len(codes), rows):
        written[start : start + rows] = unique[codes[start : start + rows]]
    written.flush()
    return int(np.isin(codes, [i for i, text in enumerate(texts) if not text]).sum())
