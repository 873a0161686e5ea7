from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from scipy.fft import dct

from tests.evaluation.leakage.pictures import packed, picture, resized
from workflow_scripts.evaluation.leakage.fingerprints import (
    VIEWS,
    all_views,
    fingerprint,
    fingerprints_table,
    perceptual,
    read_fingerprints,
    whole,
)


def test_bits_are_those_of_a_plain_dct() -> None:
    grey = whole(picture(0))
    hashes, smalls = perceptual(grey)
    plain = dct(dct(grey[0], axis=0), axis=1)[1:17, 1:17].ravel()
    assert (np.unpackbits(hashes[0]) == (plain > np.median(plain))).all()
    assert np.unpackbits(hashes[0]).sum() == 128
    blocks = np.array(
        [[grey[0, i : i + 4, j : j + 4].mean() for j in range(0, 64, 4)] for i in range(0, 64, 4)]
    ).ravel()
    assert np.corrcoef(blocks, smalls[0])[0, 1] > 0.999


def test_views_begin_with_the_whole_image_and_end_with_mirrored_ones() -> None:
    image = picture(1)
    views = all_views(image)
    assert views.shape == (12, 64, 64) == (len(VIEWS), 64, 64)
    assert (views[0] == whole(image)[0]).all() and (views[6:] == views[:6, :, ::-1]).all()
    assert views[6] == pytest.approx(whole(ImageOps.mirror(image))[0], abs=1)
    corner = whole(image.crop((0, 0, round(0.93 * 160), round(0.93 * 120))))[0]
    assert np.corrcoef(views[2].ravel(), corner.ravel())[0, 1] > 0.99


def test_fingerprints_do_not_depend_on_workers_and_survive_their_table(tmp_path: Path) -> None:
    images = packed(tmp_path, [picture(0), picture(1), Image.new("RGB", (20, 20), "red"), picture(0)])
    one, four = (fingerprint(images, np.arange(4), whole, workers) for workers in (1, 4))
    back = read_fingerprints(fingerprints_table(list("abcd"), four))
    for first, second, third in zip(one, four, back, strict=True):
        assert (first == second).all() and (first == third).all() and first.dtype == third.dtype
    assert one.flat.tolist() == [False, False, True, False]
    assert (one.pixels[0] == one.pixels[3]).all() and not (one.pixels[0] == one.pixels[1]).all()


def test_an_empty_shard(tmp_path: Path) -> None:
    images = packed(tmp_path, [picture(0)])
    none = fingerprint(images, np.arange(0), whole, 2)
    assert len(fingerprints_table([], none)) == 0 == len(read_fingerprints(fingerprints_table([], none)).hashes)


def test_the_same_pixels_in_another_shape_differ(tmp_path: Path) -> None:
    wide, high = Image.new("RGB", (4, 2), "blue"), Image.new("RGB", (2, 4), "blue")
    found = fingerprint(packed(tmp_path, [wide, high, resized(picture(0))]), np.arange(3), whole, 1)
    assert len({row.tobytes() for row in found.pixels}) == 3
