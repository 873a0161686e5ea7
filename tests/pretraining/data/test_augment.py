from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms.v2 import functional as tv

from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.data import augment
from workflow_scripts.pretraining.data.augment import DRAWS, crop_boxes, cut, draws, recolour


def pictures(number: int, side: int = 40) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [
        torch.randint(0, 256, (3, side + i % 4, side), dtype=torch.uint8, generator=generator) for i in range(number)
    ]


def test_draws_depend_on_seed_step_row_and_view_alone() -> None:
    rows = np.array([5, 900, 3])
    made = draws(0, 7, rows, 1)
    assert made.shape == (3, DRAWS)
    np.testing.assert_array_equal(draws(0, 7, rows[::-1], 1), made[::-1])
    for other in (draws(1, 7, rows, 1), draws(0, 8, rows, 1), draws(0, 7, rows + 1, 1), draws(0, 7, rows, 0)):
        assert not np.isin(other, made).any()


def test_crops_lie_inside_and_their_areas_are_uniform() -> None:
    uniform = np.random.default_rng(0).random((4000, DRAWS))
    side = np.full(4000, 200)
    box = crop_boxes(uniform, side, side + 40, (0.2, 0.6))
    top, left, high, wide = box.T
    assert (top >= 0).all() and (left >= 0).all() and (high > 0).all() and (wide > 0).all()
    assert (top + high <= 200).all() and (left + wide <= 240).all()
    assert top.max() > 80 and (top + high).max() == 200 and (left + wide).max() == 240
    share = high * wide / (200 * 240)
    assert stats.kstest(share, stats.uniform(0.2, 0.4).cdf).pvalue > 1e-3
    assert stats.kstest(np.log(wide / high), stats.uniform(np.log(3 / 4), 2 * np.log(4 / 3)).cdf).pvalue > 1e-4


def test_crop_of_an_image_too_narrow_is_the_centre() -> None:
    uniform = np.random.default_rng(0).random((2, DRAWS))
    box = crop_boxes(uniform, np.array([100, 10]), np.array([10, 100]), (0.9, 1.0))
    assert box.tolist() == [[43, 0, 13, 10], [0, 43, 10, 13]]


@pytest.mark.parametrize("name", ["simclr", "crop"])
def test_cut_is_torchvisions_resized_crop(name: str) -> None:
    images, uniform = pictures(12), draws(0, 1, np.arange(12), 0)
    made = cut(images, uniform, AUGMENTATIONS[name], 24)
    height, width = (np.array([image.shape[d] for image in images]) for d in (1, 2))
    for i, box in enumerate(crop_boxes(uniform, height, width, AUGMENTATIONS[name].area).tolist()):
        expected = tv.resized_crop(images[i], *box, [24, 24], antialias=True)
        if name == "simclr" and uniform[i, augment.FLIP] < 0.5:
            expected = tv.horizontal_flip(expected)
        torch.testing.assert_close(made[i], expected, rtol=0, atol=1)


def test_none_is_the_same_centre_crop_for_both_views() -> None:
    images = pictures(5)
    views = [cut(images, draws(0, 1, np.arange(5), view), AUGMENTATIONS["none"], 24) for view in (0, 1)]
    assert torch.equal(*views)
    assert torch.equal(views[0][1], tv.center_crop(tv.resize(images[1], [24], antialias=True), [24, 24]))


def test_recolour_is_torchvisions_image_by_image() -> None:
    number = 40
    uniform = draws(3, 1, np.arange(number), 0)
    images = torch.stack([image[:, :40] for image in pictures(number)])
    ours = recolour(images, uniform, AUGMENTATIONS["simclr"]) / 255
    operations = (tv.adjust_brightness, tv.adjust_contrast, tv.adjust_saturation, tv.adjust_hue)
    changed = 0
    for i in range(number):
        u, expected = uniform[i], images[i] / 255
        if u[augment.JITTER] < 0.8:
            for op in np.argsort(u[augment.JITTER + 1 : augment.JITTER + 5]):
                amount = (2 * u[augment.JITTER + 5 + op] - 1) * (0.4, 0.4, 0.4, 0.1)[op]
                expected = operations[op](expected, amount + (op < 3))
        if u[augment.GREY] < 0.2:
            expected = tv.rgb_to_grayscale(expected, 3)
        if u[augment.BLUR] < 0.5:
            expected = tv.gaussian_blur(expected, [5, 5], [0.1 + 1.9 * u[augment.BLUR + 1]] * 2)
        torch.testing.assert_close(ours[i], expected, rtol=1e-3, atol=1e-3)
        changed += not torch.equal(ours[i], images[i] / 255)
    assert changed > 30


def test_recolour_blurs_with_the_kernel_of_the_augmentation() -> None:
    uniform = np.full((1, DRAWS), 0.9)  # neither jitter nor grey
    uniform[0, augment.BLUR], uniform[0, augment.BLUR + 1] = 0.0, 0.5
    image = torch.stack([image[:, :40] for image in pictures(1)])
    wide = replace(AUGMENTATIONS["simclr"], blur_kernel=15)
    expected = tv.gaussian_blur(image.float() / 255, [15, 15], [1.05, 1.05]) * 255
    torch.testing.assert_close(recolour(image, uniform, wide), expected, rtol=1e-4, atol=1e-2)


def test_each_change_happens_as_often_as_it_should() -> None:
    uniform = np.random.default_rng(1).random((3000, DRAWS))
    grey = recolour(torch.randint(0, 256, (3000, 3, 8, 8), dtype=torch.uint8), uniform, AUGMENTATIONS["simclr"])
    share = float((grey.amax(1) - grey.amin(1) < 1e-3).all(2).all(1).float().mean())
    assert share == pytest.approx(0.2, abs=0.03)


def test_crop_leaves_colours_alone() -> None:
    images = torch.stack([image[:, :40] for image in pictures(3)])
    assert torch.equal(recolour(images, draws(0, 1, np.arange(3), 0), AUGMENTATIONS["crop"]), images.float())
