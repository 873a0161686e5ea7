import copy

import numpy as np
import pytest
import torch
from scipy import stats

from workflow_scripts.evaluation.saliency.checks.cascade import cascade, map_correlation
from workflow_scripts.models.backbones import build_backbone

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


def test_correlation_is_scipys_with_ties() -> None:
    first, second = np.random.default_rng(0).integers(0, 4, (2, 3, 5, 5)).astype(float)
    expected = [stats.spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(first, second, strict=True)]
    assert map_correlation(first, second) == pytest.approx(expected)
    assert np.isnan(map_correlation(np.ones((1, 2, 2)), second[:1, :2, :2])).all()
