"""Unit vectors of captions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.core.runtime.meter import current
from workflow_scripts.embeddings.chunks import BATCHES, unit_rows, vector_chunks
from workflow_scripts.models.text_norms import is_blank

ROWS = 65_536  # handled at a time


class TextEncoder(Protocol):
    """What embeds captions."""

    @property
    def max_tokens(self) -> int | None:
        """How many tokens of a text are read, including start and end token; None if all are."""

    def __call__(self, texts: Sequence[str], batch: int, /) -> np.ndarray:
        """n texts, at most a batch of them, and the batch size -> (n, d) float32."""

    def truncated(self, texts: Sequence[str], /) -> np.ndarray:
        """(n,) bool, whether only the beginning of a text is read."""


@dataclass(frozen=True)
class Distinct:
    """The distinct texts among n captions.

    Attributes:
        texts: in order of first appearance.
        codes: (n,) int, which of them each caption is.
        order: which of them are not blank, in order of length, which reduces padding; those of one length in the order
            of their characters. So the order, and with it every batch, depends on the set of texts alone.
    """

    texts: list[str]
    codes: np.ndarray
    order: np.ndarray

    def ordered(self, start: int, stop: int) -> list[str]:
        """Texts that are not blank, by their places in ``order``."""
        return [self.texts[i] for i in self.order[start:stop]]

    def placed(self, values: np.ndarray) -> np.ndarray:
        """Values of the texts in ``order`` -> those of all ``texts``, zero for blank ones."""
        found = np.zeros((len(self.texts), *values.shape[1:]), values.dtype)
        found[self.order] = values
        return found

    @property
    def blank(self) -> np.ndarray:
        """(n,) bool: which captions are blank."""
        return ~self.placed(np.ones(len(self.order), bool))[self.codes]


def distinct(captions: pa.ChunkedArray) -> Distinct:
    """The distinct texts among the captions; a missing one is an empty text."""
    coded = pc.dictionary_encode(pc.fill_null(captions, "")).combine_chunks()
    coded = coded.chunk(0) if isinstance(coded, pa.ChunkedArray) else coded
    texts = coded.dictionary.to_pylist()
    some = (i for i, text in enumerate(texts) if not is_blank(text))
    order = sorted(some, key=lambda i: (len(texts[i]), texts[i]))
    return Distinct(texts, coded.indices.to_numpy(), np.array(order, dtype=np.int64))


def embed(
    captions: Distinct, encoder: TextEncoder, batch: int, work: Path, dimensions: int | None = None
) -> np.ndarray:
    """Vectors of the distinct texts, by their ``order``: (m, d) float32 unit rows.

    Each batch is a call of its own, whatever was computed before an interruption.

    Args:
        batch: captions per forward pass.
        work: folder of resume files.
        dimensions: d, how many of the encoder's dimensions are kept; None: all.
    """

    def compute(start: int, stop: int) -> np.ndarray:
        texts = captions.ordered(start, stop)
        firsts = range(0, len(texts), batch)
        vectors = np.concatenate([encoder(texts[first : first + batch], batch) for first in firsts])
        found = unit_rows(vectors[:, :dimensions])
        current().count(len(texts))
        return found

    chunks = vector_chunks(len(captions.order), BATCHES * batch, work, compute, "chunks of captions embedded")
    found = [vectors for _, vectors in chunks]
    return np.concatenate(found) if found else np.zeros((0, encoder(["a"], 1)[:, :dimensions].shape[-1]), np.float32)


def truncated(captions: Distinct, encoder: TextEncoder) -> np.ndarray:
    """(m,) bool, of the same texts as :func:`embed`: of which the encoder reads only the beginning."""
    pieces = (captions.ordered(start, start + ROWS) for start in range(0, len(captions.order), ROWS))
    return np.concatenate([np.zeros(0, bool), *(encoder.truncated(piece) for piece in pieces)])


def write_vectors(captions: Distinct, vectors: np.ndarray, out: Path) -> np.ndarray:
    """Write the vector of each of the n captions; returns which are zero, (n,) bool.

    A blank caption gets a zero vector and forms no pairs.

    Args:
        vectors: (m, d) float32, of the texts in ``order``.
        out: becomes a .npy of float32 (n, d), a block at a time.
    """
    found, codes = captions.placed(vectors), captions.codes
    written = np.lib.format.open_memmap(out, mode="w+", dtype=np.float32, shape=(len(codes), found.shape[1]))
    for start in range(0, len(codes), ROWS):
        written[start : start + ROWS] = found[codes[start : start + ROWS]]
    written.flush()
    zero = ~np.any(found, axis=1)
    return zero[codes]
