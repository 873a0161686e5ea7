import numpy as np
import pytest
import torch
from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection_with_sign_correction
from scipy import ndimage

from workflow_scripts.evaluation.saliency.maps.floors import (
    centre_gaussian,
    eigen_cam,
    enlarged,
    lafam,
    oracle,
    random_cam,
    sobel,
)
from workflow_scripts.evaluation.saliency.maps.kinds import COMMON, KINDS, LAYERED


def test_the_centre_gaussian_equals_its_formula() -> None:
    found = centre_gaussian(9)
    y, x = np.mgrid[:9, :9]
    assert found == pytest.approx(np.exp(-((y - 4) ** 2 + (x - 4) ** 2) / (2 * (0.25 * 9) ** 2)))
    assert centre_gaussian(8) == pytest.approx(centre_gaussian(8)[::-1, ::-1])


def test_sobel_edges_equal_scipy() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (7, 9, 3)).astype(np.uint8)
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    expected = np.hypot(ndimage.sobel(grey, 0, mode="nearest"), ndimage.sobel(grey, 1, mode="nearest"))
    assert sobel(pixels) == pytest.approx(expected)


def test_the_oracle_is_the_share_of_each_cell_without_ignored_pixels() -> None:
    mask = np.array([[1, 1, 0, 255], [1, 0, 255, 255], [0, 0, 255, 255], [0, 0, 255, 255]], np.uint8)
    assert oracle(mask, (2, 2)) == pytest.approx(np.array([[0.75, 0], [0, 0]]))


def test_maps_are_enlarged_between_cell_centres() -> None:
    small = np.array([[[0.0, 1.0], [0.0, 1.0]]])
    assert enlarged(small, 4, "bilinear")[0, 0] == pytest.approx([0, 0.25, 0.75, 1])
    assert len(np.unique(enlarged(np.full((1, 2, 3), np.float32(0.3)), 48, "bilinear"))) == 1
    assert enlarged(small, 4, "nearest")[0, 0] == pytest.approx([0, 0, 1, 1])


def test_every_kind_is_scored_once_or_by_layer() -> None:
    assert set(LAYERED) | set(COMMON) == set(KINDS) and not set(LAYERED) & set(COMMON)


@pytest.fixture
def channels() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(5, 20, 3, 4)


@pytest.mark.parametrize("count", [20, 6])  # more channels than positions, and fewer
def test_eigen_cam_equals_the_library(channels: torch.Tensor, count: int) -> None:
    some = channels[:, :count]
    expected = np.maximum(get_2d_projection_with_sign_correction(some.numpy()), 0)
    assert eigen_cam(some) == pytest.approx(expected, abs=1e-4)


def test_lafam_is_the_positive_part_of_the_channel_mean(channels: torch.Tensor) -> None:
    assert lafam(channels) == pytest.approx(np.maximum(channels.numpy().mean(axis=1), 0), abs=1e-6)


def test_random_weights_are_those_of_the_key(channels: torch.Tensor) -> None:
    together = random_cam(channels, list("abcde"), 0)
    assert random_cam(channels[3:4], ["d"], 0)[0] == pytest.approx(together[3], abs=1e-5)
    assert (together >= 0).all() and together.max() > 0
    assert (random_cam(channels[3:4], ["d"], 1)[0] != together[3]).any()
