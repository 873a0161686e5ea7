"""The GPUs of a machine as its driver describes them, and whether they can do what a job needs; without torch."""

import importlib.util
import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime.machine import ask

log = logging.getLogger(__name__)
QUERY = "name,driver_version,compute_cap,memory.total"
LEAST_DRIVER = {12: (525, 60), 13: (580, 65)}
"""Least driver of a major version of CUDA, https://docs.nvidia.com/deploy/cuda-compatibility."""
LEAST_CAPABILITY = {12: 5.0, 13: 7.5}
"""Least compute capability of a major version of CUDA, from its release notes."""


@dataclass(frozen=True)
class Gpu:
    """A GPU: its name, the driver's version, its compute capability, and its memory in MB."""

    name: str
    driver: str
    capability: float
    memory_mb: int


def visible_gpus() -> list[Gpu]:
    """Those that this process may use, a MIG device as its GPU; none if the driver's tool is missing or fails."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    which = ["-i", visible] if visible else []
    answer = ask("nvidia-smi", *which, f"--query-gpu={QUERY}", "--format=csv,noheader,nounits")
    rows = [[cell.strip() for cell in line.rsplit(",", 3)] for line in (answer or "").splitlines()]
    return [
        Gpu(name, driver, float(capability), int(memory))
        for name, driver, capability, memory in (row for row in rows if len(row) == 4)
        if re.fullmatch(r"\d+\.\d+", capability) and memory.isdigit()
    ]


def cuda_of_torch() -> int | None:
    """Major version of CUDA that the installed PyTorch is built for; None without CUDA."""
    spec = importlib.util.find_spec("torch")
    file = Path(spec.origin).with_name("version.py") if spec and spec.origin else None
    found = re.search(r"^cuda\b.*= '(\d+)\.", file.read_text(), re.M) if file and file.is_file() else None
    return int(found[1]) if found else None


def unusable(gpus: Sequence[Gpu], cuda: int | None) -> Iterator[PipelineError]:
    """Why the installed PyTorch can't use these GPUs."""
    for gpu in dict.fromkeys(gpus):
        driver = tuple(int(part) for part in re.findall(r"\d+", gpu.driver))
        if driver < (least := LEAST_DRIVER.get(cuda or 0, (0, 0))):
            value = f"{gpu.driver}, but the installed PyTorch, built for CUDA {cuda}, needs {least[0]}.{least[1]}"
            advice = "ask for a newer driver, or install a PyTorch that is built for an older CUDA"
            yield PipelineError("GPU driver too old", gpu.name, value, advice)
        if gpu.capability < (lowest := LEAST_CAPABILITY.get(cuda or 0, 0.0)):
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
            "GPU: %s, compute capability %s, %s MB, driver %s; PyTorch is built for CUDA %s; about %s MB needed",
            gpu.name, gpu.capability, f"{gpu.memory_mb:,}", gpu.driver, cuda, f"{needed_mb:,}",
        )  # fmt: skip
    for error in unusable(gpus, cuda):
        raise error
    if (small := too_small(gpus, needed_mb, stage)) is not None:
        log.warning("%s", small)
