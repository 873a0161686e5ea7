import numpy as np
import pytest
import torch
from scipy import stats
from torchvision.transforms.v2 import functional as tv

from workflow_scripts.pretraining.augmentations import AUGMENTATIONS
from workflow_scripts.pretraining.data.crops import DRAWS, FLIP, crop_box, cropped, draws


def pictures(number: int, side: int = 40) -> list[np.ndarray]:
    generator = np.random.default_rng(2)
    return [generator.integers(0, 256, (side + i % 4, side, 3), dtype=np.uint8) for i in range(number)]


def cut(images: list[np.ndarray], uniform: np.ndarray, names: list[str], size: int) -> list[torch.Tensor]:
    """Views (3, size, size) of the images."""
    given = zip(images, names, uniform, strict=True)
    return [cropped(image, AUGMENTATIONS[name], numbers, size) for image, name, numbers in given]


def test_crops_lie_inside_and_their_areas_are_uniform() -> None:
    uniform = np.random.default_rng(0).random((4000, DRAWS))
    top, left, high, wide = np.array([crop_box(numbers, 200, 240, (0.2, 0.6)) for numbers in uniform]).T
    assert (top >= 0).all() and (left >= 0).all() and (high > 0).all() and (wide > 0).all()
    assert (top + high <= 200).all() and (left + wide <= 240).all()
    assert top.max() > 80 and (top + high).max() == 200 and (left + wide).max() == 240
    share = high * wide / (200 * 240)
    assert stats.kstest(share, stats.uniform(0.2, 0.4).cdf).pvalue > 1e-3
    assert stats.kstest(np.log(wide / high), stats.uniform(np.log(3 / 4), 2 * np.log(4 / 3)).cdf).pvalue > 1e-4


def test_crop_of_an_image_too_narrow_is_the_centre() -> None:
    uniform = np.random.default_rng(0).random((2, DRAWS))
    assert crop_box(uniform[0], 100, 10, (0.9, 1.0)) == (43, 0, 13, 10)
    assert crop_box(uniform[1], 10, 100, (0.9, 1.0)) == (0, 43, 10, 13)


def test_crops_equal_the_torchvision_resized_crop_byte_for_byte() -> None:
    images, uniform = pictures(24), draws(0, 1, 0, 0, 24)
    names = ["crop", "simclr", "none"] * 8
    made = cut(images, uniform, names, 24)
    turned = 0
    for i, name in enumerate(names):
        image, area = torch.from_numpy(images[i]).permute(2, 0, 1), AUGMENTATIONS[name].area
        if area is None:
            expected = tv.center_crop(tv.resize(image, [24], antialias=True), [24, 24])
        else:
            box = crop_box(uniform[i], image.shape[1], image.shape[2], area)
            expected = tv.resized_crop(image, *box, [24, 24], antialias=True)
        if name == "simclr" and uniform[i, FLIP] < 0.5:
            turned += 1
            expected = tv.horizontal_flip(expected)
        assert torch.equal(made[i], expected)
    assert 0 < turned < 8


@pytest.mark.parametrize("side", [24, 23, 25])
def test_an_image_of_any_size_fills_its_view(side: int) -> None:
    images = [
        np.full((side, side, 3), 7, np.uint8),
        np.full((1, 300, 3), 9, np.uint8),
        np.full((90, 2, 3), 3, np.uint8),
    ]
    made = cut(images, draws(0, 1, 0, 0, 3), ["crop", "simclr", "crop"], 24)
    assert [view.unique().tolist() for view in made] == [[7], [9], [3]]


def test_any_part_of_a_step_is_drawn_by_itself() -> None:
    made = draws(0, 7, 1, 0, 40)
    assert made.shape == (40, DRAWS)
    np.testing.assert_array_equal(draws(0, 7, 1, 13, 20), made[13:33])
    others = (draws(1, 7, 1, 0, 40), draws(0, 8, 1, 0, 40), draws(0, 7, 0, 0, 40), draws(0, 7, 1, 40, 40))
    assert len(np.unique(np.stack([made, *others]))) == 5 * 40 * DRAWS


def test_draws_are_uniform() -> None:
    assert stats.kstest(np.stack([draws(0, step, 0, 0, 9) for step in range(50)]).ravel(), "uniform").pvalue > 1e-3
