import json
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.backbones import BACKBONES, build_backbone, load_backbone, start_at_zero
from workflow_scripts.models.preprocessing import preprocessing


@pytest.mark.parametrize("name", BACKBONES)
def test_a_backbone_entry_matches_its_network(name: str) -> None:
    entry = BACKBONES[name]
    network = entry.build().eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        assert network(torch.zeros(1, 3, 224, 224)).shape == (1, entry.features)
    assert counter.get_total_flops() == pytest.approx(entry.forward_gflop * 1e9, rel=0.02)
    size = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    assert size == pytest.approx(entry.weights_bytes, rel=0.02)
    for stage in entry.stages:
        blocks = network.get_submodule(stage)
        assert isinstance(blocks, nn.Sequential) and len(blocks)
    assert entry.summary


def test_weights_come_from_torchs_global_generator() -> None:
    for name in BACKBONES:
        torch.manual_seed(5)
        first = BACKBONES[name].build().state_dict()
        torch.manual_seed(5)
        again = BACKBONES[name].build().state_dict()
        assert all(torch.equal(again[key], value) for key, value in first.items())


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_resnets_have_the_torchvision_weights_without_the_classifier(name: str) -> None:
    reference = getattr(torchvision.models, name)(weights=None).state_dict()
    assert set(BACKBONES[name].build().state_dict()) == {key for key in reference if not key.startswith("fc.")}


@pytest.mark.parametrize("side", [32, 48, 64])
def test_resnet_small_keeps_a_feature_map_and_has_few_parameters(side: int) -> None:
    network, dimension = build_backbone("resnet_small")
    maps = []
    network.layer4.register_forward_hook(lambda _, __, out: maps.append(out))
    assert network(torch.zeros(2, 3, side, side)).shape == (2, dimension)
    assert maps[0].shape[2:] == (side // 16, side // 16)
    assert sum(weights.numel() for weights in network.parameters()) < 400_000


def saved(folder: Path, backbone: str = "resnet_small", named: str = "resnet_small") -> tuple[Path, Path]:
    torch.manual_seed(1)
    weights, run = folder / "last.safetensors", folder / "run.json"
    save_file(build_backbone(backbone)[0].state_dict(), weights)
    run.write_text(json.dumps({"backbone": named, "preprocessing": preprocessing(48)}))
    return weights, run


def test_loaded_weights_equal_the_saved_weights(tmp_path: Path) -> None:
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
    with pytest.raises(PipelineError, match=r"unreadable run metadata in .*run\.json"):
        load_backbone(weights, run)
    with pytest.raises(PipelineError, match="weights do not fit"):
        load_backbone(*saved(tmp_path, named="resnet18"))
    with pytest.raises(PipelineError, match="unknown backbone in settings of pretrain: vgg"):
        load_backbone(*saved(tmp_path, named="vgg"))


@pytest.mark.parametrize(
    ("name", "blocks", "last"),
    [
        ("resnet_small", 4, "layer4.0.bn2"),
        ("resnet18", 8, "layer4.1.bn2"),
        ("resnet50", 16, "layer4.2.bn3"),
        ("torchvision:resnet18", 8, "layer1.0.bn2"),
        ("timm:test_resnet", 4, "layer1.0.bn2"),
    ],
)
def test_each_block_begins_as_its_shortcut(name: str, blocks: int, last: str) -> None:
    network = build_backbone(name, 64)[0]
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    for key in weights:  # timm's own already start at zero
        if weights[key].ndim == 1 and key.endswith("weight"):
            weights[key].fill_(1)
    network.load_state_dict(weights)
    assert start_at_zero(network) == blocks
    changed = {key for key, value in network.state_dict().items() if not torch.equal(value, weights[key])}
    assert len(changed) == blocks and f"{last}.weight" in changed
    assert not any(network.state_dict()[key].any() for key in changed)
    block = network.get_submodule(last.rpartition(".")[0])
    maps = torch.rand(2, block.conv1.in_channels, 4, 4)
    shortcut = maps if block.downsample is None else block.downsample(maps)
    torch.testing.assert_close(block(maps), shortcut.relu())


def test_networks_without_such_blocks_are_left_as_they_are() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    assert start_at_zero(network) == 0 and network[1].weight.all()
    assert start_at_zero(build_backbone("timm:test_vit", 32)[0]) == 0
