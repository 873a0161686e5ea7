"""Loading: half a checkpoint or none is an error, never a random network."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import Blip2ForImageTextRetrieval

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.checkpoints import dtype_of, load_checkpoint


def no_itm_head(weights: Path) -> None:
    kept = {name: value for name, value in load_file(weights).items() if name != "itm_head.weight"}
    save_file(kept, weights, metadata={"format": "pt"})


def pickled(weights: Path) -> None:
    torch.save(load_file(weights), weights.with_name("pytorch_model.bin"))
    weights.unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (no_itm_head, "incomplete Blip2.*1 weights missing, the first is itm_head.weight"),
        (pickled, "no Blip2ForImageTextRetrieval checkpoint"),
        (lambda weights: weights.write_bytes(weights.read_bytes()[:2000]), "no Blip2ForImageTextRetrieval checkpoint"),
        (lambda weights: shutil.rmtree(weights.parent), "no Blip2ForImageTextRetrieval checkpoint"),
    ],
    ids=["missing", "pickled", "truncated", "none"],
)
def test_a_damaged_checkpoint_is_refused(
    damage: Callable[[Path], object], message: str, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    folder = shutil.copytree(checkpoints["matcher"], tmp_path / "copy")
    damage(folder / "model.safetensors")
    with pytest.raises(PipelineError, match=message):
        load_checkpoint(Blip2ForImageTextRetrieval, folder, "cpu")


def test_a_captioner_is_no_matcher(checkpoints: dict[str, Path]) -> None:
    with pytest.raises(PipelineError, match="incomplete Blip2ForImageTextRetrieval checkpoint"):
        load_checkpoint(Blip2ForImageTextRetrieval, checkpoints["captioner"], "cpu")


def test_precision_follows_device() -> None:
    assert dtype_of("cpu") is torch.float32
    assert dtype_of("cuda") is torch.bfloat16
