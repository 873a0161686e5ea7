import numpy as np
import pytest
import torch
from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection_with_sign_correction

from workflow_scripts.evaluation.saliency.maps.channels import eigen_cam, lafam, random_cam


@pytest.fixture
def channels() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(5, 20, 3, 4)


@pytest.mark.parametrize("count", [20, 6])  # more channels than positions, and fewer
def test_eigen_cam_is_the_librarys(channels: torch.Tensor, count: int) -> None:
    some = channels[:, :count]
    expected = np.maximum(get_2d_projection_with_sign_correction(some.numpy()), 0)
    assert eigen_cam(some) == pytest.approx(expected, abs=1e-4)


def test_lafam_is_the_mean_of_channels(channels: torch.Tensor) -> None:
    assert lafam(channels) == pytest.approx(np.maximum(channels.numpy().mean(axis=1), 0), abs=1e-6)


def test_random_weights_are_those_of_the_key(channels: torch.Tensor) -> None:
    together = random_cam(channels, list("abcde"), 0)
    assert random_cam(channels[3:4], ["d"], 0)[0] == pytest.approx(together[3], abs=1e-5)
    assert (together >= 0).all() and together.max() > 0
    assert (random_cam(channels[3:4], ["d"], 1)[0] != together[3]).any()
