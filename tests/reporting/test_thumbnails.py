"""Pictures: bounded, true to their arrays."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from workflow_scripts.reporting.thumbnails import heat, masked, overlay, thumbnail


def decoded(address: str) -> Image.Image:
    head, _, payload = address.partition(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(payload)))


@pytest.mark.parametrize(("size", "shown"), [((400, 200), (160, 80)), ((48, 64), (48, 64)), ((1000, 1), (160, 1))])
def test_thumbnails_are_bounded_and_never_enlarged(size: tuple[int, int], shown: tuple[int, int]) -> None:
    assert decoded(thumbnail(Image.new("RGB", size, "red"), 160)).size == shown


def test_the_heat_colour_map_increases_in_lightness() -> None:
    light = heat(np.linspace(0, 1, 33)[None]) @ [0.2126, 0.7152, 0.0722]
    assert np.all(np.diff(light[0]) > 0)


def test_the_overlay_is_brightest_where_the_map_is_highest() -> None:
    saliency = np.zeros((8, 8), np.uint8)
    saliency[6, 1] = 200
    shown = np.asarray(decoded(overlay(np.full((16, 16, 3), 100, np.uint8), saliency, 64)).convert("L"), dtype=float)
    y, x = np.unravel_index(shown.argmax(), shown.shape)
    assert shown.shape == (64, 64) and abs(y - 52) <= 6 and abs(x - 12) <= 6


def test_a_constant_map_shows_no_spot() -> None:
    shown = decoded(overlay(np.full((16, 16, 3), 100, np.uint8), np.full((4, 4), 255, np.uint8), 32))
    light = np.asarray(shown.convert("L"), dtype=int)  # WebP stores colours more coarsely than lightness
    assert np.ptp(light) <= 4 and light.mean() < 80


def test_the_mask_darkens_all_but_the_object_and_greys_what_is_ignored() -> None:
    mask = np.zeros((32, 32), np.uint8)
    mask[:, 8:16], mask[:, 24:] = 1, 255
    shown = np.asarray(decoded(masked(np.full((32, 32, 3), 200, np.uint8), mask, 32)).convert("L"), dtype=float)
    assert np.allclose([shown[16, 4], shown[16, 12], shown[16, 28]], [50, 200, 128], atol=12)
