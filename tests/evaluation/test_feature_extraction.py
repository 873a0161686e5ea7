import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.feature_extraction import extract
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.models.backbones import build_backbone
from workflow_scripts.models.preprocessing import normalise


@pytest.fixture
def images() -> PackedImages:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 16, 16, 3), np.uint8)
    return PackedImages(pixels, np.zeros((0, 16, 16), np.uint8), np.zeros(0, np.int64))


def test_features_equal_the_network_outputs(images: PackedImages, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_backbone("resnet_small")[0].eval()
    found = extract(network, images, 3, "cpu", tmp_path)
    assert found.shape == (7, 128) and found.dtype == np.float32
    with torch.no_grad():
        pixels = torch.from_numpy(images.pixels).permute(0, 3, 1, 2)
        one_by_one = [network(normalise(one[None]))[0].numpy() for one in pixels]
    assert found == pytest.approx(np.stack(one_by_one), abs=1e-5)


def test_a_diverged_network_is_named(images: PackedImages, tmp_path: Path) -> None:
    class Diverged(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean(dim=(2, 3)) / 0

    with pytest.raises(PipelineError, match=r"features not finite in .*last\.safetensors: 7 of 7"):
        extract(Diverged(), images, 4, "cpu", tmp_path / "last.safetensors")


def test_extraction_starts_without_large_libraries() -> None:
    """Studies evaluate hundreds of small networks, for which importing transformers would take most of the time."""
    module = "workflow_scripts.evaluation.feature_extraction"
    code = f"import sys, {module}; print({{*sys.modules}} & {{'transformers', 'timm'}})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
