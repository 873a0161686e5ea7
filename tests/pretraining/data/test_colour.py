import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from workflow_scripts.pretraining.data import colour


def pictures(side: int = 20) -> torch.Tensor:
    """Noise, and images whose channels tie, are black, white or grey."""
    noise = torch.rand(5, 3, side, side, generator=torch.Generator().manual_seed(1))
    flat = torch.tensor([(0, 0, 0), (1, 1, 1), (0.5, 0.5, 0.5), (0.7, 0.7, 0.1), (0.1, 0.7, 0.7), (0.7, 0.1, 0.7)])
    return torch.cat([noise, flat.view(-1, 3, 1, 1).expand(-1, 3, side, side)])


@pytest.mark.parametrize(
    ("operation", "reference", "low", "high"),
    [
        (colour.BRIGHTNESS, tv.adjust_brightness, 0.6, 1.4),
        (colour.CONTRAST, tv.adjust_contrast, 0.6, 1.4),
        (colour.SATURATION, tv.adjust_saturation, 0.6, 1.4),
        (colour.HUE, tv.adjust_hue, -0.1, 0.1),
    ],
)
def test_jitter_is_torchvisions_image_by_image(operation: int, reference, low: float, high: float) -> None:
    images = pictures()
    factors = torch.linspace(low, high, len(images))
    ours = colour.jitter(images.clone(), operation, factors)
    for one, image, factor in zip(ours, images, factors.tolist(), strict=True):
        torch.testing.assert_close(one, reference(image, factor), rtol=1e-4, atol=1e-5)


def test_hue_goes_round() -> None:
    images = pictures()
    for turns in (0.0, 1.0, -1.0):
        torch.testing.assert_close(
            colour.shift_hue(images, torch.full((11, 1, 1, 1), turns)), images, atol=1e-5, rtol=0
        )
    third = colour.shift_hue(images, torch.full((11, 1, 1, 1), 1 / 3))
    torch.testing.assert_close(third, images.roll(1, dims=1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("side", [12, 48, 70])
def test_blur_is_torchvisions_image_by_image(side: int) -> None:
    images = pictures(side)
    sigma = torch.linspace(0.1, 2.0, len(images))
    kernel = max(3, side // 10 // 2 * 2 + 1)
    ours = colour.blur(images, sigma)
    for one, image, s in zip(ours, images, sigma.tolist(), strict=True):
        torch.testing.assert_close(one, tv.gaussian_blur(image, [kernel, kernel], [s, s]), rtol=1e-4, atol=1e-5)


def test_blur_has_the_kernel_that_is_asked_for() -> None:
    point = torch.zeros(1, 3, 70, 70)
    point[..., 35, 35] = 1
    for side, reach in ((None, 3), (15, 7), (3, 1)):
        spread = colour.blur(point, torch.tensor([30.0]), side)[0, 0].nonzero()
        assert (spread - 35).abs().max() == reach
        torch.testing.assert_close(
            colour.blur(point, torch.tensor([1.5]), side)[0],
            tv.gaussian_blur(point[0], [2 * reach + 1] * 2, [1.5, 1.5]),
            rtol=1e-4,
            atol=1e-5,
        )


def test_grey_is_torchvisions() -> None:
    images = pictures()
    torch.testing.assert_close(colour.grey(images), tv.rgb_to_grayscale(images), rtol=1e-5, atol=1e-6)
