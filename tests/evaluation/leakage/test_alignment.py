import numpy as np
import pytest

from tests.evaluation.leakage.pictures import picture
from workflow_scripts.evaluation.leakage.alignment import AT_ONCE, fit, inverse, places_of, turned
from workflow_scripts.evaluation.leakage.fingerprints import print_of

WHOLE = np.array([[1.0, 1.0, 0.0, 0.0]])


def small(seed: int, box: tuple[float, float, float, float] = (0, 0, 1, 1)) -> np.ndarray:
    """(1, 32, 32), what is within a box of an image, in shares of its sides."""
    image = picture(seed, (320, 240))
    part = image.crop(tuple(round(at * side) for at, side in zip(box, image.size * 2, strict=True)))
    return print_of(part, mirrored=False)[2][None]


@pytest.mark.parametrize("box", [(0, 0, 0.95, 0.95), (0.1, 0.08, 1, 1), (0.04, 0, 0.94, 0.97)])
def test_a_crop_matches_its_picture_after_alignment_in_both_directions(box: tuple[float, ...]) -> None:
    every, part = small(3), small(3, box)
    before = np.corrcoef(every.ravel(), part.ravel())[0, 1]
    for pair in ((every, part), (part, every)):
        (after,), (area,) = fit(*pair, WHOLE)
        assert before < 0.97 and after > 0.98
        share = (box[2] - box[0]) * (box[3] - box[1])
        assert area == pytest.approx(share if pair[0] is every else 1 / share, rel=0.02)


def test_a_change_of_contrast_leaves_correlation_1() -> None:
    one = small(4).astype(float)
    assert fit(one, one * 0.5 + 30, WHOLE).correlation == pytest.approx([1.0], abs=1e-6)


def test_the_correlation_of_different_pictures_equals_numpy() -> None:
    one, other = small(5), small(6)
    halves = [pic.reshape(16, 2, 16, 2).mean(axis=(1, 3)).ravel() for pic in (one, other)]
    assert fit(one, other, WHOLE).correlation == pytest.approx([np.corrcoef(*halves)[0, 1]], abs=1e-6)


def test_a_uniform_picture_has_correlation_0() -> None:
    plain = np.full((1, 32, 32), 90)
    assert fit(plain, small(1), WHOLE).correlation == pytest.approx([0.0])
    assert fit(plain, plain, WHOLE).correlation == pytest.approx([0.0])


def test_the_fit_of_a_pair_does_not_depend_on_its_batch() -> None:
    every = np.concatenate([small(at) for at in range(6)])
    rng = np.random.default_rng(0)
    one, two = every[rng.integers(6, size=AT_ONCE + 40)], every[rng.integers(6, size=AT_ONCE + 40)]
    places = np.repeat(WHOLE, len(one), axis=0)
    together = fit(one, two, places)
    alone = [fit(one[at][None], two[at][None], WHOLE) for at in range(len(one))]
    for column, parts in zip(together, zip(*alone, strict=True), strict=True):
        assert (column == np.concatenate(parts)).all()
    assert fit(one[:0], two[:0], places[:0]).correlation.shape == (0,)


def test_crop_positions_and_their_inverses() -> None:
    inside = places_of(0.8)
    assert inside[0].tolist() == [1, 1, 0, 0] and inside[2] == pytest.approx([0.8, 0.8, -0.2, -0.2])  # left, top
    x, y = 0.3, -0.7
    for (sx, sy, tx, ty), (ux, uy, vx, vy) in zip(inside, inverse(inside), strict=True):
        assert (ux * (sx * x + tx) + vx, uy * (sy * y + ty) + vy) == pytest.approx((x, y))
    pictures = np.arange(8).reshape(2, 2, 2)
    assert turned(pictures, np.array([False, True])).tolist() == [[[0, 1], [2, 3]], [[5, 4], [7, 6]]]
