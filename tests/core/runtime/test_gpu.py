"""GPUs as the driver's tool lists them, and what an installed PyTorch or a job needs of them."""

import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.runtime import environment, gpu
from workflow_scripts.core.runtime.gpu import Gpu, check_gpus, cuda_of_torch, too_small, unusable, visible_gpus

H100, OLD = Gpu("NVIDIA H100, 80GB", "580.95.05", 9.0, 81_559), Gpu("Tesla V100", "535.104.05", 7.0, 16_384)
LINES = "NVIDIA H100, 80GB, 580.95.05, 9.0, 81559\nTesla V100, 535.104.05, 7.0, 16384\nOdd, [N/A], [N/A], [N/A]\n"


def test_gpus_are_read_from_the_drivers_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, ...]] = []
    monkeypatch.setattr(gpu, "ask", lambda *command: asked.append(command) or LINES)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    assert visible_gpus() == [H100, OLD]
    assert asked[0][1:3] == ("-i", "GPU-a,GPU-b")
    monkeypatch.setattr(gpu, "ask", lambda *command: None)
    assert visible_gpus() == []


def test_drivers_and_gpus_that_cuda_no_longer_supports() -> None:
    assert list(unusable([H100, OLD], None)) == list(unusable([H100, OLD], 12)) == list(unusable([H100], 13)) == []
    driver, capability = map(str, unusable([OLD, OLD], 13))
    assert driver.startswith(
        "GPU driver too old in Tesla V100: 535.104.05, but the installed PyTorch, built for CUDA 13, needs 580.65; ask"
    )
    assert capability.startswith("GPU too old in Tesla V100: compute capability 7.0, but CUDA 13 needs 7.5; use")
    assert list(unusable([Gpu("x", "580.65.06", 7.5, 1)], 13)) == []


def test_memory_is_compared_with_that_of_the_smallest_gpu() -> None:
    assert too_small([], 10**6, "pretrain") is too_small([H100, OLD], 16_384, "pretrain") is None
    assert str(too_small([H100, OLD], 52_000, "pretrain")).startswith(
        "GPU memory may not suffice in pretrain, Tesla V100: 16,384 MB, but about 52,000 MB are needed (an estimate); "
    )


@pytest.mark.parametrize(("line", "cuda"), [("cuda: Optional[str] = '13.0'", 13), ("cuda: Optional[str] = None", None)])
def test_the_version_of_cuda_is_read_without_importing_torch(
    line: str, cuda: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "version.py").write_text(f"__version__ = '2.15.0'\n{line}\nhip: Optional[str] = None\n")
    spec = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    assert cuda_of_torch() == cuda


def test_a_job_names_its_gpu_first_and_stops_if_the_driver_is_too_old(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(gpu, "cuda_of_torch", lambda: 13)
    monkeypatch.setattr(gpu, "visible_gpus", lambda: [H100])
    with caplog.at_level(logging.INFO):
        check_gpus("pretrain", 90_000)
    first, second = caplog.messages
    assert first.startswith("GPU: NVIDIA H100, 80GB, compute capability 9.0, 81,559 MB, driver 580.95.05; PyTorch is")
    assert second.startswith("GPU memory may not suffice in pretrain, NVIDIA H100, 80GB: 81,559 MB, but about 90,000")
    monkeypatch.setattr(gpu, "visible_gpus", lambda: [OLD])
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
