import numpy as np
import pytest
import torch
from torch import nn

from workflow_scripts.evaluation.saliency.checks.road import _ranks, drops


class Corner(nn.Module):
    """One feature: the mean of the top left quarter."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        half = images.shape[-1] // 2
        return images[:, :, :half, :half].mean(dim=(1, 2, 3))[:, None]


def test_pixels_that_matter_cost_more_than_others() -> None:
    images = torch.zeros(3, 3, 16, 16)
    images[:, :, :8, :8] = 1.0
    maps = np.zeros((3, 16, 16), np.float32)
    maps[:, :8, :8] = 1.0
    found = drops(Corner(), images, maps, lambda part: lambda features: features[:, 0], 25, 0)
    assert (found["most"] > 0.5).all() and found["least"] == pytest.approx(0, abs=0.02)
    again = drops(Corner(), images, maps, lambda part: lambda features: features[:, 0], 25, 0)
    assert all((again[name] == found[name]).all() for name in found)


def test_ties_are_ranked_at_random_and_order_is_kept() -> None:
    maps = np.array([[[0.0, 0.0, 0.0, 1.0], [2.0, 0.0, 0.0, 0.0]]], np.float32)
    first, second = _ranks(maps, 0), _ranks(maps, 1)
    assert sorted(first.ravel().tolist()) == [at / 8 for at in range(8)]
    assert first[0, 1, 0] == 7 / 8 and first[0, 0, 3] == 6 / 8 and (first != second).any()
