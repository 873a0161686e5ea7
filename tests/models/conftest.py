import pytest
import torch


@pytest.fixture
def on_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are loaded as for a GPU, though on a CPU."""
    monkeypatch.setattr("workflow_scripts.models.networks.split_linear.dtype_of", lambda device: torch.bfloat16)
