"""Products of matrices whose rounding errors have the bounds that a search supposes."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def known_precision() -> Iterator[None]:
    """Products of float32 numbers in float32, and sums of bfloat16 products too, whatever the environment allows.

    Some containers allow TF32 (``TORCH_ALLOW_TF32_CUBLAS_OVERRIDE``), and by default PyTorch lets a GPU round partial
    sums to bfloat16: both errors are larger than the bounds.
    """
    matmul, before = torch.backends.cuda.matmul, torch.get_float32_matmul_precision()
    reduced = matmul.allow_bf16_reduced_precision_reduction
    torch.set_float32_matmul_precision("highest")
    matmul.allow_bf16_reduced_precision_reduction = False
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
        matmul.allow_bf16_reduced_precision_reduction = reduced
