"""Fingerprints of images: a hash of the pixels, a perceptual hash of 256 bits, and a small grey picture.

The perceptual hash is pHash (Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash Functions",
section 3.2.1) with 16 x 16 frequencies: which DCT coefficients of the grey picture are above their median.
"""

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from PIL import Image
from scipy.fft import dctn

from workflow_scripts.core.shards import TarImages

SIDE = 64  # pixels of the grey picture behind a hash
GAP = 2.0  # a large image is first reduced to at least this many times the size, which is faster
FREQUENCIES = 16
HASH_BYTES = FREQUENCIES**2 // 8
SMALL = 16  # pixels of the grey picture that is kept
SCALE = 32  # its standard deviation, as int8
FLAT = 4.0
"""Standard deviation of the grey levels (0 to 255) below which an image has no structure that could be compared."""
CROP = 0.93
"""Side of the crops that are compared: between a whole image (1) and the 0.87 that is left of 75 % of its area."""
CORNERS = ((0.5, 0.5), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
VIEWS = tuple(f"{crop}{mirror}" for mirror in ("", ", mirrored") for crop in ("whole", *["crop"] * len(CORNERS)))

FINGERPRINTS = pa.schema(
    [
        ("key", pa.string()),
        ("pixels", pa.binary(16)),
        ("hash", pa.binary(HASH_BYTES)),
        ("small", pa.binary(SMALL**2)),
        ("flat", pa.bool_()),
    ]
)


class Fingerprints(NamedTuple):
    """Fingerprints of n images in v views each.

    Attributes:
        pixels: (n, 16) uint8, first half of the sha256 of size and RGB pixels.
        hashes: (n, v, 32) uint8.
        smalls: (n, v, 256) int8, grey levels without their mean, scaled to one standard deviation.
        flat: (n,) bool, whether an image has too little structure for the two above.
    """

    pixels: np.ndarray
    hashes: np.ndarray
    smalls: np.ndarray
    flat: np.ndarray


def fingerprint(
    images: TarImages, rows: np.ndarray, views: Callable[[Image.Image], np.ndarray], workers: int
) -> Fingerprints:
    """Fingerprints of some rows; the result does not depend on the number of workers.

    Args:
        views: the grey pictures of an image that are hashed: :func:`whole` or :func:`all_views`.

    Raises:
        PipelineError: an image is damaged.
    """

    def one(row: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
        image = images.image(row)
        content = hashlib.sha256(b"%d %d " % image.size + image.tobytes()).digest()[:16]
        grey = views(image)
        hashes, smalls = perceptual(grey)
        return np.frombuffer(content, np.uint8), hashes, smalls, bool(grey[0].std() < FLAT)

    with ThreadPoolExecutor(max(1, workers)) as pool:
        found = list(pool.map(one, rows.tolist()))
    if not found:
        none = np.zeros((0, 1, 0), np.uint8)
        return Fingerprints(none[:, 0], none, none.astype(np.int8), np.zeros(0, bool))
    return Fingerprints(*(np.stack(part) for part in zip(*found, strict=True)))


def whole(image: Image.Image) -> np.ndarray:
    """The image as a grey picture: (1, 64, 64) float64, 0 to 255."""
    return np.asarray(image.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS, None, GAP), np.float64)[None]


def all_views(image: Image.Image) -> np.ndarray:
    """The grey pictures of :data:`VIEWS`: the image and its crops, then the same mirrored: (12, 64, 64) float64."""
    grey, (width, height) = image.convert("L"), image.size
    rest = (1 - CROP) * width, (1 - CROP) * height
    boxes = [(x * rest[0], y * rest[1], x * rest[0] + CROP * width, y * rest[1] + CROP * height) for x, y in CORNERS]
    shown = [grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box, GAP) for box in (None, *boxes)]
    straight = np.stack([np.asarray(one, np.float64) for one in shown])
    return np.concatenate([straight, straight[:, :, ::-1]])


def perceptual(grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Hashes (v, 32) uint8 and small pictures (v, 256) int8 of grey pictures (v, 64, 64)."""
    lowest = dctn(grey, axes=(1, 2), norm="ortho")[:, 1 : FREQUENCIES + 1, 1 : FREQUENCIES + 1].reshape(len(grey), -1)
    # Rounded, so that a difference in the last bits between machines moves no bit of a symmetric picture.
    lowest = np.round(lowest, 6)
    bits = lowest > np.median(lowest, axis=1, keepdims=True)
    block = SIDE // SMALL
    small = grey.reshape(len(grey), SMALL, block, SMALL, block).mean(axis=(2, 4)).reshape(len(grey), -1)
    small = small - small.mean(axis=1, keepdims=True)
    small *= SCALE / np.maximum(small.std(axis=1, keepdims=True), 1e-6)
    return np.packbits(bits, axis=1), np.clip(np.rint(small), -127, 127).astype(np.int8)


def fingerprints_table(keys: list[str], found: Fingerprints) -> pa.Table:
    """Fingerprints of the whole images, one row each."""
    columns = [found.pixels, found.hashes[:, 0], found.smalls[:, 0].view(np.uint8)]
    binary = [
        pa.array([row.tobytes() for row in column], FINGERPRINTS.field(name).type)
        for name, column in zip(("pixels", "hash", "small"), columns, strict=True)
    ]
    return pa.table([pa.array(keys, pa.string()), *binary, pa.array(found.flat)], schema=FINGERPRINTS)


def read_fingerprints(table: pa.Table) -> Fingerprints:
    """What :func:`fingerprints_table` wrote."""

    def bytes_of(name: str) -> np.ndarray:
        width = FINGERPRINTS.field(name).type.byte_width
        return np.frombuffer(b"".join(table[name].to_pylist()), np.uint8).reshape(-1, width)

    hashes, smalls = bytes_of("hash")[:, None], bytes_of("small").view(np.int8)[:, None]
    return Fingerprints(bytes_of("pixels"), hashes, smalls, table["flat"].to_numpy(zero_copy_only=False))
