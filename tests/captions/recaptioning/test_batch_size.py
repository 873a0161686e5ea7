"""Batches as large as memory allows, and the same ones after a kill."""

from pathlib import Path
from typing import Literal

import pytest
import torch

from workflow_scripts.captions.recaptioning import batch_size
from workflow_scripts.captions.recaptioning.batch_size import (
    ON_CPU,
    batch_size_of,
    fitting,
    fitting_batch_size,
    largest,
)
from workflow_scripts.captions.recaptioning.decoding import Decoding
from workflow_scripts.captions.recaptioning.models import load_models
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.text_norms import MatchedText


def test_the_size_is_measured_until_a_batch_is_finished(tmp_path: Path) -> None:
    assert batch_size_of("auto", tmp_path, lambda: 64) == 64
    assert batch_size_of("auto", tmp_path, lambda: 16) == 16, "the next attempt may have a smaller GPU"
    (tmp_path / "batch-000003.parquet").touch()
    assert batch_size_of("auto", tmp_path, lambda: 128) == 16, "finished batches have this size"
    assert batch_size_of(7, tmp_path, lambda: 128) == 7


OF_CUBLAS = RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory."), OF_CUBLAS])
@pytest.mark.parametrize(
    ("wanted", "where", "advice"), [("auto", "the.key/batch_size", "remove the folder of this file"),
                                    (64, "recaption.batch_size", "fewer images")],
)  # fmt: skip
def test_a_batch_too_large_for_the_gpu(
    wanted: int | Literal["auto"], where: str, advice: str, error: RuntimeError, tmp_path: Path
) -> None:
    with pytest.raises(PipelineError) as caught, fitting(wanted, 64, tmp_path / "the.key"):
        raise error
    assert str(caught.value.where).endswith(where)
    assert caught.value.value == "64 images per batch" and advice in caught.value.advice


def test_another_error_of_the_device_stays_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="illegal memory access"), fitting("auto", 64, tmp_path):
        raise RuntimeError("CUDA error: an illegal memory access was encountered")


@pytest.mark.parametrize(
    ("free", "taken", "expected"), [(1000, [40, 80], 64), (639, [40, 80], 32), (10**9, [40, 80], 512), (5, [40, 80], 1),
                                    (1000, [500, 504], 256)],
)  # fmt: skip
def test_the_largest_power_of_two_on_the_line_through_two_sizes(free: int, taken: list[int], expected: int) -> None:
    assert largest(free, taken) == expected


def test_the_gpu_batch_size_is_extrapolated_from_two_batches(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    decoding = Decoding(max_new_tokens=4)
    models = load_models(checkpoints["captioner"], checkpoints["matcher"], "cpu", decoding, MatchedText())
    assert fitting_batch_size(models) == ON_CPU
    peaks = iter([1_000 + 4 * 10, 1_000 + 8 * 10])
    fakes = {
        "empty_cache": lambda: None,
        "reset_peak_memory_stats": lambda: None,
        "memory_allocated": lambda: 1_000,
        "memory_reserved": lambda: 1_500,
        "max_memory_allocated": lambda: next(peaks),
        "mem_get_info": lambda: (1_100, 80_000),
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(batch_size, "on_gpu", lambda models: True)
    assert fitting_batch_size(models) == 128  # 10 bytes per image, 0.8 of 1,600 free
    assert next(peaks, None) is None
