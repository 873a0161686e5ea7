"""Pixels are Pillow's, whatever the file; and what Pillow refuses is refused."""

import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import file_bytes
from workflow_scripts.core.images import decoding
from workflow_scripts.core.images.decoding import UNDECODABLE, decode, jpeg_size


def pillow(data: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def encoded(mode: str = "RGB", kind: str = "JPEG", size: tuple[int, int] = (61, 43), **how: Any) -> bytes:
    """A picture with structure, noise and odd sides."""
    generator = np.random.default_rng(3)
    y, x = np.mgrid[: size[1], : size[0]]
    pixels = np.stack([3 * x, 4 * y, 2 * (x + y)], axis=2) % 256 + generator.integers(-20, 20, (size[1], size[0], 3))
    return file_bytes.encoded(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).convert(mode), kind, **how)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [20, 75, 100])
def test_jpegs_are_read_by_simplejpeg(
    quality: int, subsampling: str, progressive: bool, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encoded(mode, quality=quality, subsampling=subsampling, progressive=progressive, restart_marker_blocks=3)
    expected = pillow(data)
    monkeypatch.setattr(decoding.Image, "open", lambda *_: pytest.fail("Pillow is used"))
    assert jpeg_size(data) == (43, 61)
    assert np.array_equal(decode(data), expected)


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("CMYK", "JPEG"),
        ("RGB", "PNG"),
        ("RGBA", "PNG"),
        ("P", "PNG"),
        ("I;16", "PNG"),
        ("1", "PNG"),
        ("LA", "PNG"),
        ("RGB", "WEBP"),
        ("RGB", "GIF"),
        ("RGB", "BMP"),
        ("RGB", "TIFF"),
        ("CMYK", "TIFF"),
    ],
)
def test_other_formats_and_modes_are_decoded_by_pillow(mode: str, kind: str) -> None:
    data = encoded("L" if mode == "I;16" else mode, kind)
    if mode == "I;16":
        data = file_bytes.encoded(np.arange(0, 65_000, 13, dtype=np.uint16).reshape(50, 100), kind)
    assert jpeg_size(data) is None
    found = decode(data)
    assert found.shape[2] == 3 and np.array_equal(found, pillow(data))


def test_orientation_is_ignored() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    data = encoded(exif=exif)
    assert decode(data).shape == (43, 61, 3)
    assert np.array_equal(decode(data), decode(encoded()))


def test_the_first_picture_of_an_mpo_is_decoded() -> None:
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(encoded())) as first, Image.open(io.BytesIO(encoded("L"))) as second:
        first.save(buffer, "MPO", save_all=True, append_images=[second.convert("RGB")])
    assert np.array_equal(decode(buffer.getvalue()), pillow(buffer.getvalue()))


def test_an_image_of_too_many_pixels_is_left_to_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded()
    height = data.index(b"\xff\xc0") + 5
    huge = data[:height] + bytes([255, 0, 255, 0]) + data[height + 4 :]
    assert jpeg_size(huge) is None
    with pytest.raises(Image.DecompressionBombError):
        decode(huge)


@pytest.mark.parametrize("length", [0, 2, 3, 20, 600, -2, -1])
def test_truncated_files_are_refused_like_by_pillow(length: int) -> None:
    data = encoded()[:length]
    with pytest.raises(UNDECODABLE):
        pillow(data)
    with pytest.raises(UNDECODABLE):
        decode(data)


def test_damaged_jpegs_decode_or_fail_exactly_like_in_pillow() -> None:
    """Whatever damage libjpeg only warns of: simplejpeg refuses it, and Pillow decides."""
    chance, whole = random.Random(0), [encoded(size=(33, 25), progressive=one) for one in (False, True)]
    refused = 0
    for number in range(600):
        data = bytearray(whole[number % 2])
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(2, len(data))] = chance.randrange(256)
        try:
            expected = pillow(bytes(data))
        except UNDECODABLE:
            refused += 1
            with pytest.raises(UNDECODABLE):
                decode(bytes(data))
        else:
            assert np.array_equal(decode(bytes(data)), expected)
    assert 50 < refused < 550


@pytest.mark.shared
def test_real_photos_decode_like_in_pillow(shared_data: Path) -> None:
    files = sorted((shared_data / "photos_captions/images").glob("*.jpg"))[::8]
    assert len(files) > 100
    for file in files:
        data = file.read_bytes()
        assert jpeg_size(data) is not None and np.array_equal(decode(data), pillow(data)), file
