import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d, pad
from torch.utils._pytree import tree_map
from torchvision.transforms.v2 import functional as tv

from tests.pretraining.operations import Operations
from workflow_scripts.models.preprocessing import normalise
from workflow_scripts.pretraining.data import colour
from workflow_scripts.pretraining.data import crops as augment
from workflow_scripts.pretraining.data.crops import DRAWS, draws

CLOSE = {"rtol": 1e-4, "atol": 2e-3}


def pictures(side: int = 20) -> torch.Tensor:
    """Images (n, 3, side, side) of noise, and of images whose channels tie, are black, white or grey."""
    noise = torch.rand(5, 3, side, side, generator=torch.Generator().manual_seed(1))
    flat = torch.tensor([(0, 0, 0), (1, 1, 1), (0.5, 0.5, 0.5), (0.7, 0.7, 0.1), (0.1, 0.7, 0.7), (0.7, 0.1, 0.7)])
    return 255 * torch.cat([noise, flat.view(-1, 3, 1, 1).expand(-1, 3, side, side)])


def encoded(number: int, side: int = 40) -> torch.Tensor:
    """Images (n, side, side, 3) uint8 of noise."""
    generator = torch.Generator().manual_seed(2)
    return torch.randint(0, 256, (number, side, side, 3), dtype=torch.uint8, generator=generator)


def made(uniform: np.ndarray, old_kornia: bool = False) -> colour.Changes:
    return tree_map(torch.from_numpy, colour.changes(uniform, old_kornia))


def recoloured(
    images: torch.Tensor, uniform: np.ndarray, kernel: int | None = None, old_kornia: bool = False
) -> torch.Tensor:
    return colour.recoloured(images.permute(0, 3, 1, 2), made(uniform, old_kornia), kernel)


def reference(image: torch.Tensor, uniform: np.ndarray, kernel: int) -> torch.Tensor:
    """One (s, s, 3) image as torchvision changes it, in 0..1."""
    operations = (tv.adjust_brightness, tv.adjust_contrast, tv.adjust_saturation, tv.adjust_hue)
    expected = image.permute(2, 0, 1) / 255
    if uniform[augment.JITTER] < 0.8:
        for op in np.argsort(uniform[augment.JITTER + 1 : augment.JITTER + 5]):
            amount = (2 * uniform[augment.JITTER + 5 + op] - 1) * (0.4, 0.4, 0.4, 0.1)[op]
            expected = operations[op](expected, amount + (op < 3))
    if uniform[augment.GREY] < 0.2:
        expected = tv.rgb_to_grayscale(expected, 3)
    if uniform[augment.BLUR] < 0.5:
        expected = tv.gaussian_blur(expected, [kernel, kernel], [0.1 + 1.9 * uniform[augment.BLUR + 1]] * 2)
    return expected


@pytest.mark.parametrize(("side", "kernel", "given"), [(40, 5, None), (70, 23, 23), (24, 3, None)])
def test_recoloured_images_equal_torchvision(side: int, kernel: int, given: int | None) -> None:
    images, uniform = encoded(40, side), draws(3, 1, 0, 0, 40)
    ours, changed = recoloured(images, uniform, given), 0
    for i, image in enumerate(images):
        torch.testing.assert_close(ours[i], 255 * reference(image, uniform[i], kernel), rtol=0, atol=0.01)
        changed += not torch.equal(ours[i], image.permute(2, 0, 1).float())
    assert changed > 30


@pytest.mark.parametrize("side", [24, 70])
def test_the_blur_of_old_kornia_has_a_sigma_of_2_along_rows_and_01_along_columns(side: int) -> None:
    images, uniform = encoded(12, side), draws(3, 2, 0, 0, 12)
    uniform[:, [augment.JITTER, augment.GREY]] = 1
    uniform[:, augment.BLUR] = np.where(np.arange(12) < 8, 0, 1)
    distance = torch.arange(-7.0, 8)
    columns, rows = ((-((distance / sigma) ** 2) / 2).exp() for sigma in (0.1, 2.0))
    kernel = columns[:, None] * rows / (columns.sum() * rows.sum())
    planes = images.permute(0, 3, 1, 2).float()
    padded = pad(planes, [7] * 4, mode="reflect").flatten(0, 1)[:, None]
    expected = conv2d(padded, kernel[None, None]).view_as(planes)
    ours = recoloured(images, uniform, 15, old_kornia=True)
    torch.testing.assert_close(ours[:8], expected[:8], rtol=0, atol=1e-3)
    assert torch.equal(ours[8:], planes[8:])


def test_greyscale_is_applied_with_its_probability() -> None:
    grey = recoloured(encoded(3000, 8), np.random.default_rng(1).random((3000, DRAWS)))
    share = float((grey.amax(1) - grey.amin(1) < 1e-3).all(2).all(1).float().mean())
    assert share == pytest.approx(0.2, abs=0.03)


def test_finished_images_are_normalised_and_without_changes_keep_their_colours() -> None:
    images, uniform = encoded(5), draws(0, 1, 0, 0, 5)
    plain, changed = colour.finished(images, None), colour.finished(images, made(uniform))
    torch.testing.assert_close(plain, normalise(images.permute(0, 3, 1, 2).contiguous()), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(changed, normalise(recoloured(images, uniform)), rtol=1e-5, atol=1e-5)
    assert all(one.is_contiguous(memory_format=torch.channels_last) for one in (plain, changed))


def jittered(operation: str, images: torch.Tensor, factors: torch.Tensor) -> torch.Tensor:
    if operation == "hue":
        return colour.shift_hue(images, factors)
    changed, none = images.clone(), torch.zeros(len(images))
    colour.blend(changed, factors, *(1 - factors if operation == one else none for one in ("saturation", "contrast")))
    return changed


@pytest.mark.parametrize("operation", ["brightness", "contrast", "saturation", "hue"])
def test_colour_jitter_equals_torchvision_image_by_image(operation: str) -> None:
    images, reference = pictures(), getattr(tv, f"adjust_{operation}")
    ends = (-0.1, 0.1) if operation == "hue" else (0.6, 1.4)
    factors = torch.linspace(*ends, len(images))
    ours = jittered(operation, images, factors)
    for i, factor in enumerate(factors.tolist()):
        torch.testing.assert_close(ours[i], 255 * reference(images[i] / 255, factor), **CLOSE)


def test_hue_is_periodic() -> None:
    images = pictures()
    for turns in (0.0, 1.0, -1.0):
        torch.testing.assert_close(jittered("hue", images, torch.full((11,), turns)), images, **CLOSE)
    third = jittered("hue", images, torch.full((11,), 1 / 3))
    torch.testing.assert_close(third, images.roll(1, dims=1), **CLOSE)


@pytest.mark.parametrize(("side", "kernel"), [(12, 3), (48, 5), (70, 7), (97, 9), (30, 59)])
def test_blur_equals_torchvision_image_by_image(side: int, kernel: int) -> None:
    images = pictures(side)
    sigma = torch.linspace(0.1, 2.0, len(images))
    ours = colour.blur(images, sigma.expand(2, -1), kernel)
    for one, image, s in zip(ours, images, sigma.tolist(), strict=True):
        torch.testing.assert_close(one, tv.gaussian_blur(image, [kernel, kernel], [s, s]), **CLOSE)


def test_images_are_blurred_by_two_products_however_many_there_are() -> None:
    with Operations() as called:
        blurred = colour.blur(torch.empty(5, 3, 96, 96), torch.ones(2, 5), 9)
    assert blurred.shape == (5, 3, 96, 96)
    assert called.names.count("bmm") == 2 and "convolution" not in called.names
