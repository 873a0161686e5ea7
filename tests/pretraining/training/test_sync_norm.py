"""Batch norms over all processes keep what follows them in timm's networks."""

import pytest
import timm
import torch
from timm.layers import BatchNormAct2d, EvoNorm2dB0, SplitBatchNorm2d
from torch import nn

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.training.sync_norm import convert


def features(network: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return network.eval()(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)))


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
