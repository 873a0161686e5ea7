import pytest
import torch
from torch.nn.functional import conv2d, pad
from torchvision.transforms.v2 import functional as tv

from tests.pretraining.operations import Operations
from workflow_scripts.pretraining.data import colour

CLOSE = {"rtol": 1e-4, "atol": 2e-3}


def pictures(side: int = 20) -> torch.Tensor:
    """Images (n, 3, side, side) of noise, and of images whose channels tie, are black, white or grey."""
    noise = torch.rand(5, 3, side, side, generator=torch.Generator().manual_seed(1))
    flat = torch.tensor([(0, 0, 0), (1, 1, 1), (0.5, 0.5, 0.5), (0.7, 0.7, 0.1), (0.1, 0.7, 0.7), (0.7, 0.1, 0.7)])
    return 255 * torch.cat([noise, flat.view(-1, 3, 1, 1).expand(-1, 3, side, side)])


def jittered(operation: str, images: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    changed = images.flatten(2).clone()
    if operation == "hue":
        colour.shift_hue(changed, factors)
    else:
        luma, mean = (1 - factors if operation == one else None for one in ("saturation", "contrast"))
        colour.blend(changed, factors, luma, mean)
    return changed.view_as(images)


@pytest.mark.parametrize("operation", ["brightness", "contrast", "saturation", "hue"])
def test_colour_jitter_equals_torchvision_image_by_image(operation: str) -> None:
    images, reference = pictures(), getattr(tv, f"adjust_{operation}")
    ends = (-0.1, 0.1) if operation == "hue" else (0.6, 1.4)
    factors = torch.linspace(*ends, len(images)).view(-1, 1)
    ours = jittered(operation, images, factors)
    for i, factor in enumerate(factors.flatten().tolist()):
        torch.testing.assert_close(ours[i], 255 * reference(images[i] / 255, factor), **CLOSE)


def test_brightness_contrast_and_saturation_are_blended_in_one_pass() -> None:
    images, factors = pictures(), torch.full((11, 1), 1.3)
    kinds = torch.tensor([0, 1, 2] * 3 + [0, 1]).view(-1, 1)
    luma, mean = ((kinds == kind) * (1 - factors) for kind in (2, 1))
    together = colour.blend(images.flatten(2).clone(), factors, luma, mean).view_as(images)
    for i, kind in enumerate(kinds.flatten().tolist()):
        one = jittered(("brightness", "contrast", "saturation")[kind], images[i : i + 1], factors[:1])
        torch.testing.assert_close(together[i : i + 1], one)


def test_hue_is_periodic() -> None:
    images = pictures()
    for turns in (0.0, 1.0, -1.0):
        torch.testing.assert_close(jittered("hue", images, torch.full((11, 1), turns)), images, **CLOSE)
    third = jittered("hue", images, torch.full((11, 1), 1 / 3))
    torch.testing.assert_close(third, images.roll(1, dims=1), **CLOSE)


@pytest.mark.parametrize("side", [12, 48, 70, 97])
def test_blur_equals_torchvision_image_by_image(side: int) -> None:
    images = pictures(side)
    sigma = torch.linspace(0.1, 2.0, len(images))
    half = colour.half_width(side, 2.0)
    kernel = 2 * half + 1
    assert kernel == max(3, side // 10 // 2 * 2 + 1)
    ours = colour.blur(images.clone(), sigma, half)
    for one, image, s in zip(ours, images, sigma.tolist(), strict=True):
        torch.testing.assert_close(one, tv.gaussian_blur(image, [kernel, kernel], [s, s]), **CLOSE)


@pytest.mark.parametrize(("side", "k"), [(30, 9), (30, 59), (37, 3), (48, 31)])
def test_products_with_matrices_are_convolutions(side: int, k: int) -> None:
    images, weights = pictures(side), torch.rand(11, k)
    kernels = weights.repeat_interleave(3, 0)
    padded = pad(images, [k // 2] * 4, mode="reflect").flatten(0, 1)[None]
    rows = conv2d(padded, kernels[:, None, None, :], groups=len(kernels))
    expected = conv2d(rows, kernels[:, None, :, None], groups=len(kernels)).view_as(images)
    for product in (colour.multiplied, colour.banded):
        torch.testing.assert_close(product(images.clone(), weights), expected)


def test_a_gpu_blurs_by_two_products_however_many_images_there_are() -> None:
    with Operations() as called:
        blurred = colour.blur(torch.empty(5, 3, 96, 96, device="meta"), torch.ones(5, device="meta"), 4)
    assert blurred.shape == (5, 3, 96, 96)
    assert called.names.count("bmm") == 2 and "convolution" not in called.names


def test_blurred_in_small_parts_images_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    images, sigma = pictures(30), torch.linspace(0.1, 2.0, 11)
    expected = colour.blur(images.clone(), sigma, 4)
    monkeypatch.setattr(colour, "CACHED", 1)
    torch.testing.assert_close(colour.blur(images, sigma, 4), expected)


def test_blending_that_cannot_overflow_needs_no_clipping() -> None:
    images, factors = pictures().flatten(2), torch.linspace(0.6, 1, 11).view(-1, 1)
    for luma, mean in ((None, None), (1 - factors, None), (None, 1 - factors)):
        clipped, free = (colour.blend(images.clone(), factors, luma, mean, clip) for clip in (True, False))
        torch.testing.assert_close(free, clipped)


def test_blur_uses_the_requested_kernel() -> None:
    assert [colour.half_width(70, 30, side) for side in (None, 15, 3)] == [3, 7, 1]
    assert [colour.half_width(224, sigma) for sigma in (0.1, 1.0, 1.1, 2.0, 3.0)] == [1, 4, 5, 8, 11]
    point = torch.zeros(1, 3, 70, 70)
    point[..., 35, 35] = 1
    spread = colour.blur(point, torch.tensor([30.0]), 7)[0, 0].nonzero()
    assert (spread - 35).abs().max() == 7


def test_greyscale_equals_torchvision() -> None:
    images = pictures()
    expected = tv.rgb_to_grayscale(images)[:, 0]
    torch.testing.assert_close(colour.grey(images), expected, **CLOSE)
