"""Precision of floating-point numbers on a GPU, which is set here alone.

On a CPU all numbers are float32 or float64, whatever is declared. ``docs/decisions.md`` has the reasons.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from types import ModuleType

TF32 = "NVIDIA_TF32_OVERRIDE"
"""Variable of NVIDIA's libraries, whoever calls them: 0 forbids TF32."""
SWITCHES = {
    "matmul_tf32": "backends.cuda.matmul.allow_tf32",
    "matmul_bf16_sums": "backends.cuda.matmul.allow_bf16_reduced_precision_reduction",
    "matmul_fp16_sums": "backends.cuda.matmul.allow_fp16_reduced_precision_reduction",
    "matmul_fp16_accumulation": "backends.cuda.matmul.allow_fp16_accumulation",
    "cudnn_tf32": "backends.cudnn.allow_tf32",
    "cudnn_benchmark": "backends.cudnn.benchmark",
    "cudnn_deterministic": "backends.cudnn.deterministic",
}
"""Name in run records -> PyTorch's switch."""
ALGORITHMS = "torch_deterministic_algorithms"


@dataclass(frozen=True, kw_only=True)
class Precision:
    """How a stage's switches are set; ``docs/decisions.md`` lists the types of its numbers.

    Attributes:
        training: float32 convolutions may be TF32, and the first steps measure which algorithms are the fastest; on a
            CPU, only deterministic algorithms are used.
        torch: whether PyTorch computes.
    """

    training: bool = False
    torch: bool = True


EXACT = Precision()


def switches(precision: Precision, device: str) -> dict[str, bool]:
    """What PyTorch's switches are set to, by their names in run records."""
    fast = precision.training and device != "cpu"
    on = {"cudnn_tf32": fast, "cudnn_benchmark": fast, "cudnn_deterministic": not fast}
    return {**dict.fromkeys(SWITCHES, False), **on, ALGORITHMS: precision.training and device == "cpu"}


@contextmanager
def computing(precision: Precision, device: str) -> Iterator[None]:
    """A block that computes with ``precision``, whatever PyTorch's defaults and the machine's variables are.

    It must begin before the first computation on the device, as NVIDIA's libraries read the variable once.
    """
    if device == "cpu" and not precision.training:
        yield
        return
    before, variable = None, os.environ.pop(TF32, None)
    if not precision.training:
        os.environ[TF32] = "0"
    try:
        if precision.torch:
            import torch

            before = _current(torch)
            _set(torch, switches(precision, device))
        yield
    finally:
        if before is not None:
            _set(sys.modules["torch"], before)
        os.environ.pop(TF32, None)
        if variable is not None:
            os.environ[TF32] = variable


def current_switches() -> dict[str, bool]:
    """Values of PyTorch's switches; empty if it is not loaded."""
    torch = sys.modules.get("torch")
    return {} if torch is None else _current(torch)


def _current(torch: ModuleType) -> dict[str, bool]:
    found = {name: bool(attrgetter(path)(torch)) for name, path in SWITCHES.items()}
    return {**found, ALGORITHMS: torch.are_deterministic_algorithms_enabled()}


def _set(torch: ModuleType, values: dict[str, bool]) -> None:
    for name, path in SWITCHES.items():
        holder, _, switch = path.rpartition(".")
        setattr(attrgetter(holder)(torch), switch, values[name])
    torch.use_deterministic_algorithms(values[ALGORITHMS])
