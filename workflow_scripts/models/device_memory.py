"""Whether an error means that a GPU's memory is full: few of them are of torch's own class for it."""

import torch

SAID = (
    "out of memory",  # CUDA, NCCL, Triton
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "ALLOCATION_FAILED",  # cuDNN 9: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED, and cuSOLVER
    # No room for the handle or the workspace of a library, which says no more than that.
    "CUBLAS_STATUS_NOT_INITIALIZED",
    "CUDNN_STATUS_NOT_INITIALIZED",
    "unable to find an engine to execute this computation",
)
"""What torch and the libraries below it say where a device has no memory left; that of a processor is not among it."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that a GPU's memory is full, so that a smaller batch may help."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(said.lower() in str(error).lower() for said in SAID)
