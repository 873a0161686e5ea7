"""Nothing but the picture is stored: no place, name, comment, profile, thumbnail or second view."""

import io
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from tests.acquisition.pictures import encoded, photo
from workflow_scripts.acquisition.images.images import process
from workflow_scripts.acquisition.images.metadata import without_metadata
from workflow_scripts.acquisition.settings import Download

LIMITS = Download(max_side=64, jpeg_quality=90, min_side=8, max_aspect=20, max_pixels=1_000_000)
SECRET = b"SECRET-51.4779N"


def exif() -> Image.Exif:
    block = Image.Exif()
    block[0x010E] = SECRET.decode()  # ImageDescription
    block[0x0112] = 1
    return block


def told(format: str, size: tuple[int, int], **options: Any) -> bytes:
    """A file of ``format`` that says the secret in each way that the format has."""
    image = photo(*size)
    profile = b"\x00" * 128 + SECRET
    if format == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Author", SECRET.decode())
        text.add_itxt("XML:com.adobe.xmp", SECRET.decode())
        return encoded(image, "PNG", pnginfo=text, exif=exif(), icc_profile=profile, **options)
    extra = {"comment": SECRET} if format == "JPEG" else {}
    return encoded(image, format, exif=exif(), icc_profile=profile, xmp=SECRET, **extra, **options)


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"restart_marker_rows": 1}),
        ("PNG", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_small_images_keep_their_pixels_and_nothing_else(format: str, options: dict[str, Any]) -> None:
    data = told(format, (64, 48), **options) + SECRET
    stored = process(data, LIMITS)
    assert SECRET in data and SECRET not in stored.data
    assert (stored.state, stored.width, stored.height) == ("ok", 64, 48)
    assert (decoded(stored.data) == decoded(data)).all()
    with Image.open(io.BytesIO(stored.data)) as image:
        assert not image.getexif() and not {"comment", "xmp", "icc_profile", "Author", "exif"} & set(image.info)
    assert process(stored.data, LIMITS).data == stored.data


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_downscaled_images_keep_no_metadata_either(format: str) -> None:
    stored = process(told(format, (200, 120)), LIMITS)
    assert stored.state == "ok" and SECRET not in stored.data
    assert [marker for marker in (b"\xff\xfe", b"\xff\xe1", b"\xff\xe2") if marker in stored.data[:200]] == []


def test_additional_views_in_an_mpo_are_removed() -> None:
    views = [photo(64, 48, seed) for seed in (1, 2)]
    data = encoded(views[0], "MPO", save_all=True, append_images=views[1:])
    stored = process(data, LIMITS)
    assert stored.format == "jpg" and len(stored.data) < 0.7 * len(data)
    assert (decoded(stored.data) == decoded(data)).all()


def test_colours_stay_coded_alike() -> None:
    """RGB JPEGs say so in an Adobe segment, or are guessed from what else is there."""
    data = encoded(photo(64, 48), "JPEG", keep_rgb=True, quality=95)
    assert (decoded(process(data, LIMITS).data) == decoded(data)).all()
    odd = data[:2] + b"\xff\xee\x00\x10Adobe\x00\x64\x00\x00\x00\x00\x00\x00\x00" + data[2:]
    assert without_metadata(odd, "JPEG") == data[:2] + b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00" + data[2:]


def test_irregular_files_are_left_to_the_decoder() -> None:
    data = encoded(photo(64, 48), "JPEG")
    assert without_metadata(data[:-2], "JPEG") is None
    assert without_metadata(data[:60], "JPEG") is None
    assert without_metadata(encoded(photo(64, 48), "PNG")[:-4], "PNG") is None
    assert without_metadata(encoded(photo(64, 48), "WEBP")[:-4], "WEBP") is None
    assert without_metadata(b"RIFF\x04\x00\x00\x00WEBP", "WEBP") is None


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}, {"restart_marker_rows": 1}])
def test_damaged_photos_that_are_kept_can_be_decoded(options: dict[str, Any]) -> None:
    good, rng, kept = encoded(photo(60, 40), "JPEG", **options), random.Random(0), 0
    for _ in range(400):
        data = bytearray(good)
        for _ in range(rng.choice((1, 2, 5))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        stored = process(bytes(data), LIMITS)
        if stored.state == "ok":
            kept += 1
            assert decoded(stored.data).shape[:2] == (stored.height, stored.width)
    assert 100 < kept < 400


@settings(deadline=None)
@given(st.binary(max_size=80), st.sampled_from(["JPEG", "PNG", "WEBP"]))
def test_metadata_removal_accepts_any_bytes(data: bytes, format: str) -> None:
    without_metadata({"JPEG": b"\xff\xd8", "PNG": b"", "WEBP": b"RIFF"}[format] + data, format)
