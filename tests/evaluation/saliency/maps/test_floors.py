import numpy as np
import pytest
from scipy import ndimage

from workflow_scripts.evaluation.saliency.maps.floors import centre_gaussian, enlarged, oracle, sobel
from workflow_scripts.evaluation.saliency.maps.kinds import COMMON, KINDS, LAYERED


def test_a_gaussian_at_the_centre() -> None:
    found = centre_gaussian(9, 0.25)
    y, x = np.mgrid[:9, :9]
    assert found == pytest.approx(np.exp(-((y - 4) ** 2 + (x - 4) ** 2) / (2 * (0.25 * 9) ** 2)))
    assert centre_gaussian(8, 0.25) == pytest.approx(centre_gaussian(8, 0.25)[::-1, ::-1])


def test_edges_are_scipys() -> None:
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
