"""Encoded images as hosts, folders and tars give them."""

import io
import random
import struct
import zlib
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from tests.fuzz.mutate import NUMBERS, mutate_bytes
from tests.fuzz.target import Files, Target
from workflow_scripts.acquisition.images.images import process
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.states import State
from workflow_scripts.evaluation.datasets.dataset_files import fault_of
from workflow_scripts.evaluation.datasets.picture_sets import Picture

LIMITS = Download(max_side=48, jpeg_quality=90, min_side=8, max_aspect=20, max_pixels=89_478_485)


class Fuzzed(Target):
    """Small pictures of all formats and modes, damaged; and headers that claim huge sizes."""

    kinds = frozenset({"ok", "corrupt", "truncated", "not_an_image", "decompression_bomb"})

    def make(self, rng: random.Random) -> Files:
        """One file."""
        seeds = pictures()
        if rng.random() < 0.1:
            return {"image": huge(rng)}
        data = rng.choice(seeds)
        return {"image": mutate_bytes(data, rng, seeds) if rng.random() < 0.95 else data}

    def run(self, folder: Path) -> str:
        """As an answer of a host, and as a member of a downstream set."""
        data = (folder / "image").read_bytes()
        stored = process(data, LIMITS)
        if stored.state is State.OK:
            with Image.open(io.BytesIO(stored.data)) as image:
                assert image.size == (stored.width, stored.height) and max(image.size) <= LIMITS.max_side
        fault_of(Picture("a", data, data))
        return str(stored.state)


@cache
def pictures() -> tuple[bytes, ...]:
    """Small images in every format that is accepted, some that are not, with EXIF, palettes, frames and passes."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 4), dtype=np.uint8)
    rgba = Image.fromarray(noise)
    rgb, grey, palette = rgba.convert("RGB"), rgba.convert("L"), rgba.convert("RGB").convert("P")
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "a description"
    forms = [
        (rgb, "JPEG", {"exif": exif}),
        (rgb, "JPEG", {"progressive": True}),
        (grey, "JPEG", {}),
        (rgb.convert("CMYK"), "JPEG", {}),
        (rgb.resize((100, 80)), "JPEG", {"comment": b"x"}),
        (rgb, "PNG", {}),
        (rgba, "PNG", {}),
        (palette, "PNG", {"transparency": 3}),
        (grey.convert("1"), "PNG", {}),
        (Image.fromarray(noise[..., 0].astype(np.uint16) * 256), "PNG", {}),
        (rgba, "WEBP", {"lossless": True}),
        (rgb, "WEBP", {"exif": exif}),
        (rgb, "BMP", {}),
        (palette, "BMP", {}),
        (palette, "GIF", {}),
        (palette, "GIF", {"save_all": True, "append_images": [palette.rotate(90)]}),
        (rgb, "TIFF", {}),
        (rgb, "PPM", {}),
        (rgba, "ICO", {}),
        (rgb, "WEBP", {"save_all": True, "append_images": [rgb.rotate(90)]}),
    ]
    return tuple(_encoded(image, form, options) for image, form, options in forms)


def _encoded(image: Image.Image, form: str, options: dict[str, object]) -> bytes:
    target = io.BytesIO()
    image.save(target, form, **options)
    return target.getvalue()


def huge(rng: random.Random) -> bytes:
    """A file whose header claims a size that its few bytes can't be, or that unpacks to it."""
    width, height = (rng.choice((60_000, 1, 16_384, 65_535, *NUMBERS[-8:])) % 2**31 for _ in range(2))
    kind = rng.randrange(5)
    if kind == 0:
        rows = zlib.compress(bytes(rng.choice((10, 1_000_000))))
        head = struct.pack(">IIBBBBB", width, height, rng.choice((1, 8, 16)), rng.choice((0, 2, 3, 6)), 0, 0, 0)
        return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")
    if kind == 1:
        return b"GIF89a" + struct.pack("<HH", width % 65536, height % 65536) + b"\x80\0\0" + bytes(6) + b",\0\0\0\0"
    if kind == 2:
        return b"BM" + struct.pack("<IHHIIiiHH", 70, 0, 0, 54, 40, width, height, 1, 24) + bytes(24) + bytes(16)
    if kind == 3:
        small = pictures()[0]
        at = small.index(b"\xff\xc0") + 5
        return small[:at] + struct.pack(">HH", height % 65536, width % 65536) + small[at + 4 :]
    webp = b"WEBPVP8X" + struct.pack("<II", 10, 0) + (width % 2**24).to_bytes(3, "little") + b"\xff\xff\xff"
    return b"RIFF" + struct.pack("<I", len(webp)) + webp


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
