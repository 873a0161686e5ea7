from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import torch
from torch.nn.functional import conv2d, pad
from torchvision.transforms.v2 import functional as tv

from workflow_scripts.models.preprocessing import normalise
from workflow_scripts.pretraining.data import crops as augment
from workflow_scripts.pretraining.data import recolour
from workflow_scripts.pretraining.data.crops import DRAWS, draws
from workflow_scripts.pretraining.data.recolour import changes, finished, recoloured


def pictures(number: int, side: int = 40) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randint(0, 256, (number, side, side, 3), dtype=torch.uint8, generator=generator)


def coloured(
    images: torch.Tensor, uniform: np.ndarray, kernel: int | None = None, old_kornia: bool = False
) -> torch.Tensor:
    """(n, 3, s, s) in 0..255, in the order of the images."""
    made = changes(uniform, kernel, old_kornia)
    out = torch.full((len(images), 3, *images.shape[1:3]), float("nan"))
    for rows, planes in recoloured(images, made, made.numbers):
        out[rows] = planes
    return out


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


@pytest.mark.parametrize("group", [1, 20_000, 10**9])
def test_recoloured_images_equal_torchvision_for_any_group_size(group: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recolour, "GROUP", group)
    images, uniform = pictures(40), draws(3, 1, 0, 0, 40)
    ours, changed = coloured(images, uniform), 0
    for i, image in enumerate(images):
        expected = 255 * reference(image, uniform[i], 5)
        torch.testing.assert_close(ours[i], expected, rtol=0, atol=0.01)
        changed += not torch.equal(ours[i], image.permute(2, 0, 1).float())
    assert changed > 30


def test_a_wide_kernel_that_is_cut_differs_by_less_than_a_hundredth_of_a_grey_level() -> None:
    images, uniform = pictures(12, 70), draws(3, 2, 0, 0, 12)
    uniform[:, augment.BLUR] = 0
    ours = coloured(images, uniform, 23)
    for one, image, numbers in zip(ours, images, uniform, strict=True):
        torch.testing.assert_close(one, 255 * reference(image, numbers, 23), rtol=0, atol=0.01)


@pytest.mark.parametrize("side", [24, 70])
def test_the_blur_of_old_kornia_has_a_sigma_of_2_along_rows_and_01_along_columns(side: int) -> None:
    images, uniform = pictures(12, side), draws(3, 2, 0, 0, 12)
    uniform[:, [augment.JITTER, augment.GREY]] = 1
    uniform[:, augment.BLUR] = np.where(np.arange(12) < 8, 0, 1)
    distance = torch.arange(-7.0, 8)
    columns, rows = ((-((distance / sigma) ** 2) / 2).exp() for sigma in (0.1, 2.0))
    kernel = columns[:, None] * rows / (columns.sum() * rows.sum())
    planes = images.permute(0, 3, 1, 2).float()
    padded = pad(planes, [7] * 4, mode="reflect").flatten(0, 1)[:, None]
    expected = conv2d(padded, kernel[None, None]).view_as(planes)
    ours = coloured(images, uniform, 15, old_kornia=True)
    torch.testing.assert_close(ours[:8], expected[:8], rtol=0, atol=1e-3)
    assert torch.equal(ours[8:], planes[8:])


def test_greyscale_is_applied_with_its_probability() -> None:
    grey = coloured(pictures(3000, 8), np.random.default_rng(1).random((3000, DRAWS)))
    share = float((grey.amax(1) - grey.amin(1) < 1e-3).all(2).all(1).float().mean())
    assert share == pytest.approx(0.2, abs=0.03)


def test_finished_images_are_normalised_and_without_changes_keep_their_colours() -> None:
    images, uniform = pictures(5), draws(0, 1, 0, 0, 5)
    plain, made = finished(images, None, None), changes(uniform)
    torch.testing.assert_close(plain, normalise(images.permute(0, 3, 1, 2).contiguous()), rtol=1e-6, atol=1e-6)
    changed = finished(images, made, made.numbers)
    torch.testing.assert_close(changed, normalise(coloured(images, uniform)), rtol=1e-5, atol=1e-5)
    assert all(one.is_contiguous(memory_format=torch.channels_last) for one in (plain, changed))


def test_threads_that_change_images_at_once_do_not_share_their_memory() -> None:
    images, drawn = pictures(40), [draws(0, step, 0, 0, 40) for step in range(1, 5)]
    expected = [coloured(images, uniform) for uniform in drawn]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            for ours, alone in zip(pool.map(partial(coloured, images), drawn), expected, strict=True):
                assert torch.equal(ours, alone)


def test_memory_that_is_kept_serves_in_and_out_of_inference_mode() -> None:
    images, uniform = pictures(20), draws(0, 1, 0, 0, 20)
    with ThreadPoolExecutor(1) as pool:  # a thread without memory yet

        def both() -> tuple[torch.Tensor, torch.Tensor]:
            with torch.inference_mode():
                first = coloured(images, uniform)
            return first, coloured(images, uniform)

        first, second = pool.submit(both).result()
    assert torch.equal(first, second)
