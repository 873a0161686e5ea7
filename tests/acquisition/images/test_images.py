"""What is stored of an answer's bytes."""

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.acquisition.pictures import encoded, jpeg, photo
from workflow_scripts.acquisition.images.images import Stored, looks_like_image, process
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.states import State

LIMITS = Download(max_side=64, jpeg_quality=90, min_side=8, max_aspect=20, max_pixels=1_000_000)


def pixels(stored: Stored) -> np.ndarray:
    """(height, width, 3) int of stored bytes."""
    assert stored.state is State.OK
    image = Image.open(io.BytesIO(stored.data))
    assert image.size == (stored.width, stored.height) and image.mode in ("RGB", "L")
    return np.asarray(image.convert("RGB")).astype(int)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((one - other) ** 2.0)))


@pytest.mark.parametrize(("format", "extension"), [("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp")])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_images_that_need_no_processing_keep_their_bytes(format: str, extension: str, mode: str) -> None:
    data = encoded(photo(64, 40).convert(mode), format)
    assert process(data, LIMITS) == Stored(State.OK, data, 64, 40, extension)


@pytest.mark.parametrize("size", [(64, 40), (128, 80)])
@pytest.mark.parametrize(("mode", "none"), [("RGB", (7, 8, 9)), ("L", 7)])
def test_a_colour_that_means_transparent_becomes_white(size: tuple[int, int], mode: str, none: Any) -> None:
    data = encoded(Image.new(mode, size, none), "PNG", transparency=none)
    assert (pixels(process(data, LIMITS)) == 255).all()


@pytest.mark.parametrize(
    ("size", "loss"),
    [((65, 40), 0.0), ((333, 201), 0.5), ((160, 640), 0.5), ((129, 128), 0.5), ((201, 134), 1.0), ((480, 301), 1.0)],
)
def test_the_longer_side_is_limited_and_the_content_preserved(size: tuple[int, int], loss: float) -> None:
    """``loss``: decibels below Lanczos after full decoding; more where a shorter filter follows scaled decoding."""
    data = encoded(photo(*size), "JPEG", quality=95)
    stored = process(data, LIMITS)
    scale = 64 / max(size)
    assert max(stored.width, stored.height) == 64
    assert min(stored.width, stored.height) == pytest.approx(min(size) * scale, abs=0.51)
    full = Image.open(io.BytesIO(data)).resize((stored.width, stored.height), Image.Resampling.LANCZOS)
    reference, through_jpeg = np.asarray(full).astype(int), encoded(full, "JPEG", quality=90)
    best = psnr(np.asarray(Image.open(io.BytesIO(through_jpeg))).astype(int), reference)  # JPEG alone costs most here
    assert psnr(pixels(stored), reference) >= best - loss


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(48, 32), (192, 128)])
def test_orientation_is_applied(orientation: int, size: tuple[int, int]) -> None:
    upright = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    upright[: size[1] // 2, : size[0] // 2] = (255, 0, 0)
    upright[size[1] // 2 :, : size[0] // 2] = (0, 0, 255)
    # The inverse of each EXIF orientation, as the EXIF 2.3 standard draws it: where row 0 and column 0 are.
    undo = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: lambda a: np.rot90(a, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    as_stored = Image.fromarray(np.ascontiguousarray(undo[orientation](upright)))
    found = pixels(process(encoded(as_stored, "JPEG", quality=95, subsampling=0, exif=exif), LIMITS))
    expected = np.asarray(Image.fromarray(upright).resize((found.shape[1], found.shape[0]))).astype(int)
    assert found.shape[1] > found.shape[0]
    assert psnr(found, expected) > 25


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_an_image_with_a_broken_exif_block_is_kept() -> None:
    data = jpeg(60, 40, exif=b"Exif\x00\x00MM\x00*\x00\x00\xff\xff garbage")
    assert process(data, LIMITS) == Stored(State.OK, jpeg(60, 40), 60, 40, "jpg")


def test_unusual_modes_are_converted_to_rgb() -> None:
    grey = (np.arange(48 * 64).reshape(48, 64) * 21).astype(np.uint16)
    deep = pixels(process(encoded(Image.fromarray(grey), "PNG"), LIMITS))
    assert np.abs(deep[..., 0] - grey // 256).max() <= 3
    clear = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    assert pixels(process(encoded(clear, "PNG"), LIMITS)).min() > 250
    cmyk = photo(60, 40).convert("CMYK")
    found = pixels(process(encoded(cmyk, "JPEG", quality=95), LIMITS))
    assert psnr(found, np.asarray(cmyk.convert("RGB")).astype(int)) > 28


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_animations_give_their_first_frame(format: str) -> None:
    first, second = Image.new("RGB", (40, 40), "red"), Image.new("RGB", (40, 40), "blue")
    stored = process(encoded(first, format, save_all=True, append_images=[second]), LIMITS)
    assert stored.format == "jpg"
    assert psnr(pixels(stored), np.asarray(first).astype(int)) > 30


@pytest.mark.parametrize(
    ("data", "state"),
    [
        (jpeg(80, 60)[:-300], State.TRUNCATED),
        (jpeg(640, 480)[:-2000], State.TRUNCATED),
        (encoded(photo(60, 60), "PNG")[:-400], State.TRUNCATED),
        (encoded(photo(60, 60), "WEBP")[:-100], State.TRUNCATED),
        (encoded(photo(60, 60), "GIF")[:-400], State.TRUNCATED),
        (encoded(Image.new("1", (2000, 2000)), "PNG"), State.DECOMPRESSION_BOMB),
        (encoded(Image.new("1", (20_000, 20_000)), "PNG"), State.DECOMPRESSION_BOMB),
        (jpeg(80, 60)[:-2] + b"\xff\xda\x00\x02" * 300 + b"\xff\xd9", State.DECOMPRESSION_BOMB),
        (encoded(photo(200, 8), "PNG"), State.ASPECT),
        (encoded(photo(7, 7), "PNG"), State.TOO_SMALL),
        (b"<html>no picture</html>", State.NOT_AN_IMAGE),
        (b"", State.NOT_AN_IMAGE),
        (b"\xff\xd8\xff\xe0" + bytes(100), State.CORRUPT),
    ],
)
def test_unfit_images_are_rejected_with_their_state(data: bytes, state: State) -> None:
    assert process(data, LIMITS) == Stored(state)


@settings(deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b""]))
def test_processing_arbitrary_bytes_never_raises(data: bytes, head: bytes) -> None:
    assert process(head + data, LIMITS).state in set(State)


@settings(deadline=None)
@given(st.data())
def test_a_flipped_byte_at_any_offset_never_raises(data: st.DataObject) -> None:
    good = bytearray(encoded(photo(24, 24), data.draw(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP"]))))
    good[data.draw(st.integers(0, len(good) - 1))] ^= data.draw(st.integers(1, 255))
    stored = process(bytes(good), LIMITS)
    assert stored.state in set(State)
    if stored.state is State.OK:
        assert pixels(stored).size == stored.width * stored.height * 3  # whoever reads the shard can decode it


def test_image_signatures_are_recognised() -> None:
    assert looks_like_image(b"RIFF\x00\x00\x00\x00WEBP") and not looks_like_image(b"RIFF\x00\x00\x00\x00WAVE")


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGB"])
def test_memory_for_a_large_png_is_as_documented(mode: str) -> None:
    """In a process of its own, whose highest use counts."""
    side = 3000
    script = f"""
import re, sys
from pathlib import Path
from workflow_scripts.acquisition.images.images import process
from workflow_scripts.acquisition.settings import Download

def kilobytes(of):
    return int(re.search(of + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

data = sys.stdin.buffer.read()
process(data[:100], Download(max_side=64, min_side=8, max_pixels={side * side}))
Path("/proc/self/clear_refs").write_text("5")  # resets the peak
before = kilobytes("VmRSS")
assert process(data, Download(max_side=64, min_side=8, max_pixels={side * side})).state == "ok"
print(1024 * (kilobytes("VmHWM") - before))
"""
    data = encoded(Image.new(mode, (side, side)), "PNG", compress_level=1)
    ended = subprocess.run([sys.executable, "-c", script], input=data, capture_output=True, check=True)
    assert int(ended.stdout) < 10 * side * side
