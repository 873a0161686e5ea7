from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms.v2 import functional as tv

from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.data import augment
from workflow_scripts.pretraining.data.augment import DRAWS, draws, recolour


def pictures(number: int, side: int = 40) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [
        torch.randint(0, 256, (3, side + i % 4, side), dtype=torch.uint8, generator=generator) for i in range(number)
    ]


def test_any_part_of_a_step_is_drawn_by_itself() -> None:
    made = draws(0, 7, 1, 0, 40)
    assert made.shape == (40, DRAWS)
    np.testing.assert_array_equal(draws(0, 7, 1, 13, 20), made[13:33])
    others = (draws(1, 7, 1, 0, 40), draws(0, 8, 1, 0, 40), draws(0, 7, 0, 0, 40), draws(0, 7, 1, 40, 40))
    assert len(np.unique(np.stack([made, *others]))) == 5 * 40 * DRAWS


def test_draws_are_uniform() -> None:
    assert stats.kstest(np.stack([draws(0, step, 0, 0, 9) for step in range(50)]).ravel(), "uniform").pvalue > 1e-3


def test_recolour_is_torchvisions_image_by_image() -> None:
    number = 40
    uniform = draws(3, 1, 0, 0, number)
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
    assert torch.equal(recolour(images, draws(0, 1, 0, 0, 3), AUGMENTATIONS["crop"]), images.float())
