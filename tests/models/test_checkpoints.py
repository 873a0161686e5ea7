"""Loading: half a checkpoint or none is an error, never a random network."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Blip2ForImageTextRetrieval

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.checkpoints import dtype_of, load_checkpoint


def test_captioner_folder_is_no_matcher(checkpoints: dict[str, Path]) -> None:
    with pytest.raises(PipelineError, match="incomplete Blip2ForImageTextRetrieval checkpoint"):
        load_checkpoint(Blip2ForImageTextRetrieval, checkpoints["captioner"], "cpu")


def test_missing_weight_is_named(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "half"
    shutil.copytree(checkpoints["matcher"], folder)
    weights = load_file(folder / "model.safetensors")
    del weights["itm_head.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(PipelineError, match=r"1 weights missing, the first is itm_head.weight"):
        load_checkpoint(Blip2ForImageTextRetrieval, folder, "cpu")


def test_pickled_weights_are_refused(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(checkpoints["matcher"], folder)
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(PipelineError, match="no Blip2ForImageTextRetrieval checkpoint"):
        load_checkpoint(Blip2ForImageTextRetrieval, folder, "cpu")


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(PipelineError, match="no Blip2ForImageTextRetrieval checkpoint"):
        load_checkpoint(Blip2ForImageTextRetrieval, tmp_path, "cpu")


def test_truncated_weights(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "short"
    shutil.copytree(checkpoints["matcher"], folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2000])
    with pytest.raises(PipelineError, match="no Blip2ForImageTextRetrieval checkpoint"):
        load_checkpoint(Blip2ForImageTextRetrieval, folder, "cpu")


def test_precision_follows_device() -> None:
    assert dtype_of("cpu") is torch.float32
    assert dtype_of("cuda") is torch.bfloat16
