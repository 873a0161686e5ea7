"""Captions as rows of tokens: one file of ids, written in blocks and read by position."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workflow_scripts.models.text_norms import is_blank

Encode = Callable[[list[str]], tuple[list[list[int]], int]]
"""Captions -> rows of ids, and how many captions were cut."""


def write_rows(
    captions: Iterator[list[str | None]], encode: Encode, vocabulary: int, path: Path
) -> tuple[np.ndarray, int]:
    """Write the ids of all captions, one after another, as a .npy; memory holds one batch of them.

    Args:
        captions: batches, in order; blank and missing ones get no ids.
        vocabulary: ids are below it; two bytes each if that is enough, else four.

    Returns:
        (n,) int32 ids of each caption, 0 for a blank one; and the number of captions that were cut to the context.
    """
    kind = np.dtype(np.uint16 if vocabulary <= 2**16 else np.int32)
    header = {"descr": kind.str, "fortran_order": False}
    lengths, cut = [np.zeros(0, np.int32)], 0
    with path.open("wb") as file:
        # numpy leaves room in the header for a first dimension that grows.
        np.lib.format.write_array_header_1_0(file, {**header, "shape": (0,)})
        start = file.tell()
        for batch in captions:
            some = [text for text in batch if text and not is_blank(text)]
            rows, shorter = encode(some)
            cut += shorter
            size = np.zeros(len(batch), np.int32)
            size[[not is_blank(text) for text in batch]] = [len(row) for row in rows]
            lengths.append(size)
            file.write(np.array([token for row in rows for token in row], kind).tobytes())
        total = (file.tell() - start) // kind.itemsize
        file.seek(0)
        np.lib.format.write_array_header_1_0(file, {**header, "shape": (total,)})
        assert file.tell() == start
    return np.concatenate(lengths), cut


class TokenSizes(NamedTuple):
    """What a run needs to know of a tokenizer.

    Attributes:
        vocabulary: ids are below this number.
        end: id of the end token.
        padding: id that fills shorter rows.
        context: number of ids of the longest possible caption.
    """

    vocabulary: int
    end: int
    padding: int
    context: int


@dataclass(frozen=True)
class TokenRows:
    """The captions of a run as rows of ids.

    Attributes:
        path: .npy of the ids of many captions; it is mapped, not read.
        sizes: of the tokenizer.
        starts: (m,) int64, where each caption of the run begins.
        lengths: (m,) int32, its number of ids.
    """

    path: Path
    sizes: TokenSizes
    starts: np.ndarray
    lengths: np.ndarray

    @cached_property
    def ids(self) -> np.ndarray:
        """(t,) ids of all captions."""
        found: np.ndarray = np.load(self.path, mmap_mode="r", allow_pickle=False)
        return found

    def of(self, rows: np.ndarray) -> "TokenRows":
        """Those of some captions, by number or as a mask."""
        return replace(self, starts=self.starts[rows], lengths=self.lengths[rows])

    def __getitem__(self, positions: np.ndarray) -> np.ndarray:
        """(b,) captions -> (b, n) int64 ids, with n the longest of these rows."""
        lengths = self.lengths[positions]
        rows = np.full((len(positions), int(lengths.max())), self.sizes.padding, np.int64)
        for row, start, length in zip(rows, self.starts[positions].tolist(), lengths.tolist(), strict=True):
            row[:length] = self.ids[start : start + length]
        return rows
