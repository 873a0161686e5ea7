"""Batch norms over all processes keep what follows them in timm's networks."""

import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import pytest
import timm
import torch
from timm.layers import BatchNormAct2d, EvoNorm2dB0, SplitBatchNorm2d
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision import models

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.network import Network
from workflow_scripts.pretraining.training.sync_norm import convert

MOST = 12e6  # weights
SMALL = ("test_", "atto", "femto", "pico", "nano", "micro", "xxs", "tiny", "small", "_s", "050", "0_5", "18", "121")
"""Parts of the names of small members of a family, the smallest first."""


def features(network: nn.Module, side: int = 64) -> torch.Tensor:
    with torch.no_grad():
        views = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
        return network.eval()(views.contiguous(memory_format=torch.channels_last))


def small(names: Sequence[str]) -> str:
    """A small member of a family, by its name."""
    return min(names, key=lambda name: (*(part not in name for part in SMALL), len(name), name))


def families() -> Iterator[tuple[nn.Module, int]]:
    """A small network with batch norms of each family of both libraries, and the side of its images."""
    torchvision = sorted(models.list_models(module=models), key=lambda name: models.get_model_builder(name).__module__)
    for _, names in groupby(torchvision, key=lambda name: models.get_model_builder(name).__module__):
        yield from built(lambda name: models.get_model(name, weights=None), small([*names]), 64)
    for family in timm.list_modules():
        source = inspect.getsource(sys.modules[f"timm.models.{family}"]).lower()
        if (names := timm.list_models(module=family)) and "batchnorm" in source:
            name = small(names)
            about = timm.get_pretrained_cfg(name)
            side = about.input_size[-1] if about.fixed_input_size or about.min_input_size else 64
            yield from built(lambda name: timm.create_model(name, num_classes=0), name, side)


def built(create: Callable[[str], nn.Module], name: str, side: int) -> Iterator[tuple[nn.Module, int]]:
    try:
        with torch.device("meta"):
            network = create(name)
    except NotImplementedError:  # some networks read values while they are built
        network = create(name)
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    if norms and sum(weight.numel() for weight in network.parameters()) <= MOST:
        yield create(name), side


def test_a_small_network_of_every_family_gives_the_same_features_after_the_conversion() -> None:
    compared: dict[tuple[str, str], float] = {}
    for network, side in families():
        for norm in network.modules():
            if isinstance(norm, _BatchNorm):
                nn.init.uniform_(norm.running_mean, -0.1, 0.1)
                nn.init.uniform_(norm.running_var, 0.9, 1.1)
        expected = features(network, side)
        ready = Network(network, {}, lambda *_: (), lambda *_: torch.zeros(()))
        ready = convert(ready).to(memory_format=torch.channels_last)
        error = (features(ready.backbone, side) - expected).abs().max() / expected.abs().max()
        compared[type(network).__module__, type(network).__name__] = float(error)
    assert {name: error for name, error in compared.items() if not error < 1e-4} == {}
    assert len(compared) > 30


@pytest.mark.parametrize("cpu", [True, False])
@pytest.mark.parametrize(
    "architecture", ["efficientnet_lite0", "mobilenetv3_small_050", "regnetx_002", "resnet10t", "densenet121"]
)
def test_a_network_gives_the_same_features_after_the_conversion(architecture: str, cpu: bool) -> None:
    network = timm.create_model(architecture, num_classes=0)
    names, expected = list(network.state_dict()), features(network)
    converted = convert(network, cpu)
    torch.testing.assert_close(features(converted), expected)
    assert list(converted.state_dict()) == names
    kinds = {type(module) for module in converted.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)}
    assert not kinds & {nn.BatchNorm2d, BatchNormAct2d}


def test_the_activation_follows_the_joint_norm_in_training() -> None:
    plain = BatchNormAct2d(4, act_layer=nn.Hardswish)
    given = torch.randn(3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    expected = plain(given)
    torch.testing.assert_close(convert(BatchNormAct2d(4, act_layer=nn.Hardswish))(given), expected)


def test_a_batch_norm_of_another_kind_is_an_error_that_names_it() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), SplitBatchNorm2d(4))
    with pytest.raises(PipelineError, match="can't be shared by processes in 1: SplitBatchNorm2d"):
        convert(network)
    with pytest.raises(PipelineError, match="can't be shared by processes in 0: EvoNorm2dB0"):
        convert(nn.Sequential(EvoNorm2dB0(4)))
