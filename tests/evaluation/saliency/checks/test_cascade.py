import copy
from typing import Any

import numpy as np
import pytest
import timm
import torch
from scipy import stats
from torch import nn

from workflow_scripts.evaluation.saliency.checks.cascade import cascade, map_correlation
from workflow_scripts.models.backbones import build_backbone
from workflow_scripts.models.networks.foreign import Foreign
from workflow_scripts.models.preprocessing import MEAN, STD

CONVOLUTIONS = ["conv1.weight", *(f"layer{number}.0.conv1.weight" for number in (1, 2, 3, 4))]


def test_parts_are_randomised_from_the_last_to_the_first() -> None:
    torch.manual_seed(0)
    network, twin = build_backbone("resnet_small")[0].eval(), build_backbone("resnet_small")[0].eval()
    before = copy.deepcopy(network.state_dict())
    seen = []
    for name, changed in cascade(network, twin):
        own, other = changed.state_dict(), twin.state_dict()
        seen.append((name, {key.partition(".")[0] for key in CONVOLUTIONS if torch.equal(own[key], other[key])}))
        images = torch.ones(1, 3, 32, 32)
        if name == "conv1":
            assert torch.equal(changed(images), twin(images))
    names = [name for name, _ in seen]
    assert names == ["trained", "layer4", "layer3", "layer2", "layer1", "bn1", "conv1"]
    for at, (_, replaced) in enumerate(seen):
        assert replaced == set(names[1 : at + 1]) - {"bn1"}
    assert all(torch.equal(before[key], value) for key, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("architecture", "options", "names"),
    [
        (
            "efficientnet_lite0",
            {},
            ["bn2", "conv_head", *(f"blocks.{at}" for at in range(6, -1, -1)), "bn1", "conv_stem"],
        ),
        (
            "vit_tiny_patch16_224",
            {"img_size": 32, "depth": 3, "embed_dim": 24},
            ["norm", "blocks.2", "blocks.1", "blocks.0", "patch_embed", "all"],
        ),
        (
            "convnext_atto",
            {"depths": (1, 1, 1, 1), "dims": (4, 4, 4, 8)},
            ["head", *(f"stages.{at}" for at in (3, 2, 1, 0)), "stem"],
        ),
    ],
)
def test_stages_of_a_network_from_elsewhere_are_parts(
    architecture: str, options: dict[str, Any], names: list[str]
) -> None:
    torch.manual_seed(0)
    network, twin = (
        Foreign(timm.create_model(architecture, num_classes=0, **options), MEAN, STD, "", nn.Identity()).eval()
        for _ in range(2)
    )
    steps = list(cascade(network, twin))
    assert [name.removeprefix("network.") for name, _ in steps] == ["trained", *names]
    last, expected = steps[-1][1].state_dict(), twin.state_dict()
    assert last.keys() == expected.keys() and all(torch.equal(last[key], expected[key]) for key in expected)


def test_stages_further_inside_are_parts() -> None:
    """As in CLIP's tower: the list of blocks is in a module beside the embeddings, which have parts of their own."""
    embeddings = nn.ModuleDict({"patch": nn.Linear(2, 2), "position": nn.Embedding(2, 2)})
    blocks = nn.ModuleList(nn.ModuleDict({"norm": nn.LayerNorm(2)}) for _ in range(2))
    tower = nn.ModuleDict({"embeddings": embeddings, "encoder": nn.ModuleDict({"layers": blocks})})
    network = nn.ModuleDict({"vision": tower})
    names = [name for name, _ in cascade(network, copy.deepcopy(network))]
    assert names == ["trained", "vision.encoder.layers.1", "vision.encoder.layers.0", "vision.embeddings"]


def test_correlation_is_scipys_with_ties() -> None:
    first, second = np.random.default_rng(0).integers(0, 4, (2, 3, 5, 5)).astype(float)
    expected = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)]
    assert map_correlation(first, second) == pytest.approx(expected)
    assert np.isnan(map_correlation(np.ones((1, 2, 2)), second[:1, :2, :2])).all()
