"""Many small tensors in one block of memory, which a GPU copies at once."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

ALIGNED = 16  # bytes; more than the size of any number


@dataclass(frozen=True)
class Packed:
    """Tensors one after another.

    Attributes:
        block: uint8.
        kinds: type, shape and first byte of each.
    """

    block: torch.Tensor
    kinds: Sequence[tuple[torch.dtype, torch.Size, int]]

    def pinned(self) -> "Packed":
        """A copy in pinned memory."""
        return replace(self, block=self.block.pin_memory())

    def on(self, device: torch.device) -> list[torch.Tensor]:
        """The tensors on ``device``, as views of one copy."""
        block = self.block.to(device, non_blocking=True)
        return [
            block[start : start + shape.numel() * kind.itemsize].view(kind).view(shape)
            for kind, shape, start in self.kinds
        ]


def pack(tensors: Sequence[torch.Tensor]) -> Packed:
    """Tensors on the processor, of any types and shapes."""
    sizes = [tensor.numel() * tensor.element_size() for tensor in tensors]
    starts = [0, *np.cumsum([-(-size // ALIGNED) * ALIGNED for size in sizes]).tolist()]
    block = torch.empty(starts[-1], dtype=torch.uint8)
    for tensor, start, size in zip(tensors, starts, sizes, strict=False):
        block[start : start + size] = tensor.contiguous().flatten().view(torch.uint8)
    return Packed(block, [(one.dtype, one.shape, start) for one, start in zip(tensors, starts, strict=False)])
