import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from safetensors.torch import save_file
from torchvision.transforms import v2

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.backbones import (
    MEAN,
    STD,
    build_backbone,
    load_backbone,
    normalise,
    prepare,
    preprocessing,
)


@pytest.mark.parametrize(("name", "dimension"), [("resnet18", 512), ("resnet34", 512), ("resnet50", 2048)])
def test_backbones_are_torchvisions_without_classifier(name: str, dimension: int) -> None:
    network, found = build_backbone(name)
    assert found == dimension
    reference = getattr(torchvision.models, name)(weights=None).state_dict()
    assert set(network.state_dict()) == {key for key in reference if not key.startswith("fc.")}


@pytest.mark.parametrize("side", [32, 48, 64])
def test_the_small_one_keeps_a_map_and_is_small(side: int) -> None:
    network, dimension = build_backbone("resnet_small")
    maps = []
    network.layer4.register_forward_hook(lambda _, __, out: maps.append(out))
    assert network(torch.zeros(2, 3, side, side)).shape == (2, dimension)
    assert maps[0].shape[2:] == (side // 16, side // 16)
    assert sum(weights.numel() for weights in network.parameters()) < 400_000


def test_features_do_not_depend_on_the_batch() -> None:
    network = build_backbone("resnet_small")[0].eval()
    images = torch.randn(5, 3, 32, 32)
    torch.testing.assert_close(network(images)[2:3], network(images[2:3]), rtol=1e-4, atol=1e-5)


def test_preparation_is_torchvisions_transform() -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (61, 90, 3), dtype=np.uint8))
    steps = [v2.PILToTensor(), v2.Resize(32, antialias=True), v2.CenterCrop(32), v2.ToDtype(torch.float32, scale=True)]
    expected = v2.Compose([*steps, v2.Normalize(MEAN, STD)])(image)
    torch.testing.assert_close(normalise(prepare(image, 32)[None])[0], expected, rtol=1e-5, atol=1e-6)


def saved(folder: Path, backbone: str = "resnet_small", named: str = "resnet_small") -> tuple[Path, Path]:
    torch.manual_seed(1)
    weights, run = folder / "last.safetensors", folder / "run.json"
    save_file(build_backbone(backbone)[0].state_dict(), weights)
    run.write_text(json.dumps({"backbone": named, "preprocessing": preprocessing(48)}))
    return weights, run


def test_loaded_weights_are_the_saved_ones(tmp_path: Path) -> None:
    network, facts = load_backbone(*saved(tmp_path))
    torch.manual_seed(1)
    expected = build_backbone("resnet_small")[0].state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in network.state_dict().items())
    assert facts["preprocessing"]["size"] == 48
    assert not network.training


def test_damaged_files_are_named(tmp_path: Path) -> None:
    weights, run = saved(tmp_path)
    whole = weights.read_bytes()
    weights.write_bytes(whole[:1000])
    with pytest.raises(PipelineError, match=r"weights do not fit in .*last\.safetensors"):
        load_backbone(weights, run)
    weights.write_bytes(whole)
    run.write_text("{")
    with pytest.raises(PipelineError, match=r"unreadable run facts in .*run\.json"):
        load_backbone(weights, run)
    with pytest.raises(PipelineError, match="weights do not fit"):
        load_backbone(*saved(tmp_path, named="resnet18"))
    with pytest.raises(PipelineError, match="unknown backbone in settings of pretrain: vgg"):
        load_backbone(*saved(tmp_path, named="vgg"))
