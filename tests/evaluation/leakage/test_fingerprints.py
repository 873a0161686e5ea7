from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps
from scipy.fft import dct

from tests.evaluation.leakage.pictures import packed, picture, resized
from workflow_scripts.evaluation.leakage.fingerprints import (
    PICTURE,
    VIEWS,
    fingerprint,
    fingerprints_table,
    perceptual,
    print_of,
    read_fingerprints,
    views,
)


def test_hash_bits_equal_a_plain_dct_and_the_picture_block_means() -> None:
    grey = views(picture(0))[0]
    plain = dct(dct(grey, axis=0), axis=1)[1:17, 1:17].ravel()
    assert (np.unpackbits(perceptual(grey[None])[0]) == (plain > np.median(plain))).all()
    assert np.unpackbits(perceptual(grey[None])[0]).sum() == 128
    _, hashes, small, _ = print_of(picture(0), mirrored=False)
    assert (hashes[0] == perceptual(grey[None])[0]).all()
    blocks = [[grey[i : i + 2, j : j + 2].mean() for j in range(0, 64, 2)] for i in range(0, 64, 2)]
    assert small == pytest.approx(np.array(blocks), abs=0.51) and small.shape == (PICTURE, PICTURE)


def test_views_start_with_the_whole_image_and_end_with_mirrored_views() -> None:
    image = picture(1)
    grey = views(image)
    assert grey.shape == (6, 64, 64) == (VIEWS, 64, 64)
    corner = views(image.crop((0, 0, round(0.93 * 160), round(0.93 * 120))))[0]
    assert np.corrcoef(grey[2].ravel(), corner.ravel())[0, 1] > 0.99
    _, hashes, _, _ = print_of(image, mirrored=True)
    assert (hashes[:VIEWS] == perceptual(grey)).all() and (hashes[VIEWS:] == perceptual(grey[:, :, ::-1])).all()
    assert np.unpackbits(hashes[VIEWS] ^ perceptual(views(ImageOps.mirror(image)))[0]).sum() <= 2


def test_fingerprints_do_not_depend_on_workers_and_survive_their_table(tmp_path: Path) -> None:
    images = packed(tmp_path, [picture(0), picture(1), Image.new("RGB", (20, 20), "red"), picture(0)])
    one, four = (fingerprint(images, np.arange(4), False, workers) for workers in (1, 4))
    back = read_fingerprints(fingerprints_table(list("abcd"), four))
    for first, second, third in zip(one, four, back, strict=True):
        assert (first == second).all() and (first == third).all() and first.dtype == third.dtype
    assert one.flat.tolist() == [False, False, True, False]
    assert (one.pixels[0] == one.pixels[3]).all() and not (one.pixels[0] == one.pixels[1]).all()


def test_an_empty_shard(tmp_path: Path) -> None:
    none = fingerprint(packed(tmp_path, [picture(0)]), np.arange(0), False, 2)
    assert len(fingerprints_table([], none)) == 0 == len(read_fingerprints(fingerprints_table([], none)).hashes)


def test_the_same_pixels_in_another_shape_differ(tmp_path: Path) -> None:
    wide, high = Image.new("RGB", (4, 2), "blue"), Image.new("RGB", (2, 4), "blue")
    found = fingerprint(packed(tmp_path, [wide, high, resized(picture(0))]), np.arange(3), False, 1)
    assert len({row.tobytes() for row in found.pixels}) == 3
