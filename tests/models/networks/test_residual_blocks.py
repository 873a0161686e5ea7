import pytest
import torch
from torch import nn

from workflow_scripts.models.backbones import build_backbone
from workflow_scripts.models.networks.residual_blocks import start_at_zero


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
