"""A search computes with the errors that its bounds suppose, whatever is allowed outside."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from workflow_scripts.pairs.search.candidates import _by_torch
from workflow_scripts.pairs.search.close_pairs import close_pairs

VECTORS = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32)


def state() -> tuple[str, bool]:
    reduced = torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction
    return torch.get_float32_matmul_precision(), bool(reduced)


@pytest.fixture(autouse=True)
def tf32() -> Iterator[None]:
    """TF32 is allowed, as in containers that set TORCH_ALLOW_TF32_CUBLAS_OVERRIDE."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize("half", [False, True, None])
def test_close_pairs(half: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watched(monkeypatch, "mm")
    close_pairs(VECTORS, 3, "cpu", half=half)
    assert seen == {("highest", False)}
    assert state() == ("high", True)


def test_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = watched(monkeypatch, "topk")
    search = _by_torch(VECTORS, "cpu")
    search(VECTORS, 3)
    search(VECTORS, 3)
    assert seen == {("highest", False)}
    assert state() == ("high", True)


def watched(monkeypatch: pytest.MonkeyPatch, name: str) -> set[tuple[str, bool]]:
    """What was allowed at each call of a function of torch."""
    seen: set[tuple[str, bool]] = set()
    real: Callable[..., Any] = getattr(torch, name)

    def call(*given: Any, **named: Any) -> Any:
        seen.add(state())
        return real(*given, **named)

    monkeypatch.setattr(torch, name, call)
    return seen
