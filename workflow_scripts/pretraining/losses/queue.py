"""A queue of rows of earlier batches, which is part of the checkpoint."""

import torch
from torch import Tensor, nn

from workflow_scripts.pretraining.losses.contrastive import units


class Queue(nn.Module):
    """The last rows that were added, first in, first out.

    Both are buffers: ``rows`` (size, width) float32, of unit length and random until they are replaced, and ``place``,
    a scalar int64, where the next row goes.
    """

    rows: Tensor
    place: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.register_buffer("rows", units(torch.randn(size, width)))
        self.register_buffer("place", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def nearest(self, rows: Tensor) -> Tensor:
        """(b, width) float -> a copy of the row of the queue at the smallest angle to each, without gradient."""
        return self.rows[(units(rows) @ self.rows.T).argmax(dim=1)]

    @torch.no_grad()
    def add(self, rows: Tensor) -> None:
        """Put (n, width) float rows of all processes, in the same order on each, in the place of the oldest ones.

        Of more rows than the queue holds, the last ones are kept. Nothing is read back from a GPU.
        """
        size, skipped = len(self.rows), max(0, len(rows) - len(self.rows))
        places = (self.place + torch.arange(skipped, len(rows), device=rows.device)) % size
        self.rows.index_copy_(0, places, units(rows[skipped:]))
        self.place.add_(len(rows)).remainder_(size)
