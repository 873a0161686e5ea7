"""Values copied from the GPU while training goes on, and read at a later step, so that no step waits for them."""

import torch


class Reading:
    """A copy of a tensor to the processor, which goes on while it is made."""

    def __init__(self, values: torch.Tensor) -> None:
        self._made: torch.cuda.Event | None = None
        self._values = values
        if values.device.type == "cuda":
            self._values = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            self._values.copy_(values, non_blocking=True)
            self._made = torch.cuda.Event()
            self._made.record()

    def values(self) -> list[float]:
        """The numbers of the tensor, once they are there."""
        if self._made is not None:
            self._made.synchronize()
        return [float(value) for value in self._values.tolist()]
