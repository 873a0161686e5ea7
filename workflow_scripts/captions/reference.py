"""Captions of an arm in place of images, for judges that compare captions with captions."""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.captions.arm_rows import empty


class Reference:
    """The captions of the reference arm, of n images.

    Attributes:
        rows: (m,) int64 images that have a caption.
    """

    def __init__(self, captions: pa.ChunkedArray) -> None:
        self._captions = captions.combine_chunks()
        self.rows = np.flatnonzero(~empty(self._captions))

    def shown(self, cuts: Sequence[Sequence[int]]) -> Iterator[list[str]]:
        """The captions of each batch of rows."""
        for cut in cuts:
            yield self._captions.take(pa.array(cut)).to_pylist()

    def comparable(self, captions: pa.ChunkedArray) -> pa.ChunkedArray:
        """(n,) captions, emptied where there is nothing to compare: the image's is empty, or the same text."""
        nothing = pc.or_(pc.equal(self._captions, ""), pc.equal(self._captions, captions.combine_chunks()))
        return pc.if_else(nothing, "", captions)
