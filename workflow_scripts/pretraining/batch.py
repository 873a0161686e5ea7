"""What a loss is computed from."""

from typing import Any, NamedTuple

from torch import Tensor


class Batch(NamedTuple):
    """One process's part of the batch of a step, b pairs, on its device.

    A named tuple passes through ``DistributedDataParallel`` and ``accelerate`` as its fields do. Fields that the
    method does not learn from are None.

    Attributes:
        views: of each view that the method declares, (b, 3, s, s) float32, normalised.
        step: number of the step, counted from 1.
        tokens: (b, n) int64, of the captions of the pairs' sources, n the longest of them.
        caption_ids: (b,) int64, equal for sources with the same caption.
        vectors: (b, d) float32, sentence vectors of the captions.
        scores: (b,) float32, how faithful the captions of the pairs are; NaN if unknown. None: pairs have no weights.
        weights: (b,) float32, of the pairs, which the network makes from their scores. None: 1.
        labels: (b,) int64, of the sources.
    """

    views: tuple[Tensor, ...]
    step: int
    tokens: Tensor | None = None
    caption_ids: Tensor | None = None
    vectors: Tensor | None = None
    scores: Tensor | None = None
    weights: Tensor | None = None
    labels: Tensor | None = None

    def every(self, nth: int, first: int) -> "Batch":
        """Its pairs ``first``, ``first + nth`` and so on; with any number of processes, the same pairs in all parts.

        Views of the same memory. ``b`` must be a multiple of ``nth``.
        """
        rows = slice(first, None, nth)
        cut: dict[str, Any] = {name: one[rows] for name, one in self._asdict().items() if isinstance(one, Tensor)}
        return self._replace(views=tuple(view[rows] for view in self.views), **cut)
