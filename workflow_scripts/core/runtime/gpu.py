"""The GPUs of a machine as its driver describes them, and whether they can do what a job needs; without torch."""

import ctypes
import importlib.util
import logging
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.core.errors import PipelineError

log = logging.getLogger(__name__)
SECONDS = 20  # timeout of nvidia-smi and git
QUERY = "name,driver_version,memory.total,compute_cap"
CUDA = re.compile(r"^cuda\b.*= '(\d+)\.", re.M)  # in torch/version.py
LEAST_CAPABILITY = {12: 5.0, 13: 7.5}
"""Least compute capability of a major version of CUDA, from its release notes."""
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


@dataclass(frozen=True)
class Gpu:
    """A GPU: its name, the driver's version, its memory in MB, and its compute capability."""

    name: str
    driver: str
    memory_mb: int
    capability: float


def ask(*command: str) -> str | None:
    """The output of a command; None if it is missing, fails, or takes too long."""
    quiet = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        answer = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False, env=quiet)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.decode(errors="surrogateescape") if answer.returncode == 0 else None


def visible_gpus() -> list[Gpu]:
    """Those that this process may use, a MIG device as its GPU; none if the driver's tool is missing or fails."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    which = ["-i", visible] if visible else []
    answer = ask("nvidia-smi", *which, f"--query-gpu={QUERY}", "--format=csv,noheader,nounits") or ""
    rows = [line.strip().rsplit(", ", 3) for line in answer.splitlines()]
    return [
        Gpu(name, driver, int(mebibytes) * 2**20 // 10**6, float(capability))
        for name, driver, mebibytes, capability in (row for row in rows if len(row) == 4)
        if mebibytes.isdigit()
    ]


def cuda_of_driver() -> int | None:
    """Major version of CUDA that the driver, or a compatibility package in its place, supports; None if unknown."""
    version = ctypes.c_int()
    try:
        failed = ctypes.CDLL("libcuda.so.1").cuDriverGetVersion(ctypes.byref(version))
    except (OSError, AttributeError):
        return None
    return None if failed else version.value // 1000


def cuda_of_torch() -> int | None:
    """Major version of CUDA that the installed PyTorch is built for; None without CUDA."""
    spec = importlib.util.find_spec("torch")
    file = Path(spec.origin).with_name("version.py") if spec and spec.origin else None
    found = CUDA.search(file.read_text()) if file and file.is_file() else None
    return int(found[1]) if found else None


def unusable(gpus: Sequence[Gpu], cuda: int | None, supported: int | None) -> Iterator[PipelineError]:
    """Why a PyTorch that is built for ``cuda`` can't use these GPUs, whose driver supports CUDA ``supported``."""
    for gpu in dict.fromkeys(gpus):
        if cuda and supported and supported < cuda:
            value = f"{gpu.driver} supports CUDA {supported}, but the installed PyTorch is built for CUDA {cuda}"
            advice = "ask for a newer driver, or install a PyTorch that is built for an older CUDA"
            yield PipelineError("GPU driver too old", gpu.name, value, advice)
        lowest = LEAST_CAPABILITY.get(cuda or 0, 0.0)
        if gpu.capability < lowest:
            value = f"compute capability {gpu.capability}, but CUDA {cuda} needs {lowest}"
            advice = "use a newer GPU, or install a PyTorch that is built for an older CUDA"
            yield PipelineError("GPU too old", gpu.name, value, advice)


def too_small(gpus: Sequence[Gpu], needed_mb: int, what: str) -> PipelineError | None:
    """The smallest GPU has less memory than ``what`` is estimated to need."""
    smallest = min(gpus, key=lambda gpu: gpu.memory_mb, default=None)
    if smallest is None or needed_mb <= smallest.memory_mb:
        return None
    value = f"{smallest.memory_mb:,} MB, but about {needed_mb:,} MB are needed (an estimate)"
    advice = "lower the batch size, set micro_batch_size for a training, or use a GPU with more memory"
    return PipelineError("GPU memory may not suffice", f"{what}, {smallest.name}", value, advice)


def check_gpus(stage: str, needed_mb: int) -> None:
    """Log the job's GPUs, and warn if their memory may not suffice.

    Raises:
        PipelineError: the installed PyTorch can't use one of them.
    """
    gpus, cuda = visible_gpus(), cuda_of_torch()
    for gpu in gpus:
        log.info(
            "GPU: %s, compute capability %s, %s MB, driver %s; PyTorch is built for CUDA %s",
            gpu.name, gpu.capability, f"{gpu.memory_mb:,}", gpu.driver, cuda,
        )  # fmt: skip
    if gpus and needed_mb:
        log.info("about %s MB of a GPU are needed", f"{needed_mb:,}")
    for error in unusable(gpus, cuda, cuda_of_driver()):
        raise error
    if (small := too_small(gpus, needed_mb, stage)) is not None:
        log.warning("%s", small)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that a GPU's memory is full, so that a smaller batch may help."""
    full = type(error).__name__ == "OutOfMemoryError" or any(said.lower() in str(error).lower() for said in SAID)
    return full and isinstance(error, RuntimeError)
