"""GPUs as the driver's tool lists them, and what an installed PyTorch or a job needs of them."""

import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime import environment, gpu
from workflow_scripts.core.runtime.gpu import (
    Gpu,
    check_gpus,
    cuda_of_driver,
    cuda_of_torch,
    too_small,
    unusable,
    visible_gpus,
)

H100, OLD = Gpu("NVIDIA H100, 80GB", "580.95.05", 85_520, 9.0), Gpu("Tesla V100", "470.57.02", 17_179, 7.0)
LINES = "NVIDIA H100, 80GB, 580.95.05, 81559, 9.0\nTesla V100, 470.57.02, 16384, 7.0\nOdd, [N/A], [N/A], [N/A]\n"


def test_gpus_are_read_from_the_drivers_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(gpu, "ask", lambda *command: asked.append(command) or LINES)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    assert visible_gpus() == [H100, OLD]
    assert asked[0][1:3] == ("-i", "GPU-a,GPU-b")
    monkeypatch.setattr(gpu, "ask", lambda *command: None)
    assert visible_gpus() == []


def test_drivers_and_gpus_that_cuda_no_longer_supports() -> None:
    for cuda, supported in ((None, 11), (12, 12), (12, 13), (12, None)):
        assert list(unusable([H100, OLD], cuda, supported)) == []
    driver, capability = map(str, unusable([OLD, OLD], 13, 11))
    assert driver.startswith(
        "GPU driver too old in Tesla V100: 470.57.02 supports CUDA 11, but the installed PyTorch is built for CUDA 13; "
    )
    assert capability.startswith("GPU too old in Tesla V100: compute capability 7.0, but CUDA 13 needs 7.5; use")
    assert list(unusable([replace(OLD, capability=7.5)], 13, 13)) == []


def test_the_drivers_library_says_which_cuda_it_supports(monkeypatch: pytest.MonkeyPatch) -> None:
    def version(at: Any) -> int:
        at._obj.value = 13_010
        return 0

    monkeypatch.setattr("ctypes.CDLL", lambda name: SimpleNamespace(cuDriverGetVersion=version))
    assert cuda_of_driver() == 13
    monkeypatch.setattr("ctypes.CDLL", lambda name: SimpleNamespace(cuDriverGetVersion=lambda at: 3))
    assert cuda_of_driver() is None


def test_memory_is_compared_with_that_of_the_smallest_gpu() -> None:
    assert too_small([], 10**6, "pretrain") is too_small([H100, OLD], 17_179, "pretrain") is None
    assert str(too_small([H100, OLD], 52_000, "pretrain")).startswith(
        "GPU memory may not suffice in pretrain, Tesla V100: 17,179 MB, but about 52,000 MB are needed (an estimate); "
    )


@pytest.mark.parametrize(("line", "cuda"), [("cuda: Optional[str] = '13.0'", 13), ("cuda: Optional[str] = None", None)])
def test_the_version_of_cuda_is_read_without_importing_torch(
    line: str, cuda: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "version.py").write_text(f"__version__ = '2.15.0'\n{line}\nhip: Optional[str] = None\n")
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    assert cuda_of_torch() == cuda


def test_a_job_names_its_gpu_and_stops_if_the_driver_is_too_old(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gpu, "cuda_of_torch", lambda: 13)
    monkeypatch.setattr(gpu, "cuda_of_driver", lambda: 13)
    monkeypatch.setattr(gpu, "visible_gpus", lambda: [H100])
    with caplog.at_level(logging.INFO):
        check_gpus("pretrain", 90_000)
    first, second, third = caplog.messages
    assert first.startswith("GPU: NVIDIA H100, 80GB, compute capability 9.0, 85,520 MB, driver 580.95.05; PyTorch is")
    assert second == "about 90,000 MB of a GPU are needed"
    assert third.startswith("GPU memory may not suffice in pretrain, NVIDIA H100, 80GB: 85,520 MB, but about 90,000")
    monkeypatch.setattr(gpu, "cuda_of_driver", lambda: 11)
    with pytest.raises(PipelineError, match="GPU driver too old"):
        check_gpus("pretrain", 0)


@pytest.mark.parametrize("hidden", ["", "-1", "NoDevFiles"])
def test_slurms_name_for_no_gpus_hides_all(hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    monkeypatch.setattr(Path, "exists", lambda path: True)
    assert environment.resolve_device("auto") == "cpu" and environment.gpus() == 0
    assert environment.no_gpu() == f"no GPU is visible (CUDA_VISIBLE_DEVICES is {hidden!r})"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert environment.resolve_device("auto") == "cuda"
