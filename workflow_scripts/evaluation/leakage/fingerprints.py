"""Fingerprints of images: a hash of the pixels, perceptual hashes of 256 bits, and a small grey picture.

The perceptual hash is pHash (Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash Functions",
section 3.2.1) with 16 x 16 frequencies: which DCT coefficients of the grey picture are above their median. An image has
one for itself and one for each of five crops, so that it is recognised in a picture that shows less of it.
"""

import hashlib
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from PIL import Image

from workflow_scripts.core.shards import TarImages
from workflow_scripts.core.threads import mapped

SIDE = 64  # pixels of the grey picture behind a hash
BASE = 2 * SIDE  # of the one from which views are cut; a large image is first reduced to twice that, which is faster
GAP = 2.0
FREQUENCIES = 16
HASH_BYTES = FREQUENCIES**2 // 8
PICTURE = 32  # pixels of the grey picture that is kept
FLAT = 4.0
"""Standard deviation of the grey levels (0 to 255) below which an image has no structure that could be compared."""
CROP = 0.93
"""Side of the crops: between a whole image (1) and the 0.87 that is left of 75 % of its area."""
CORNERS = ((0.5, 0.5), (0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0))
VIEWS = 1 + len(CORNERS)
_WAVES = np.arange(1, FREQUENCIES + 1)[:, None] * (2 * np.arange(SIDE) + 1)
_DCT = np.sqrt(2 / SIDE) * np.cos(np.pi / (2 * SIDE) * _WAVES)  # the lowest frequencies of the orthonormal DCT-II

FINGERPRINTS = pa.schema(
    [
        ("key", pa.string()),
        ("pixels", pa.binary(16)),
        ("hashes", pa.binary(VIEWS * HASH_BYTES)),
        ("picture", pa.binary(PICTURE**2)),
        ("flat", pa.bool_()),
    ]
)


class Fingerprints(NamedTuple):
    """Fingerprints of n images.

    Attributes:
        pixels: (n, 16) uint8, first half of the sha256 of size and RGB pixels.
        hashes: (n, 6, 32) uint8, of the image and its crops; (n, 12, 32) with those of the mirrored image.
        pictures: (n, 32, 32) uint8, grey levels of the image.
        flat: (n,) bool, whether an image has too little structure for the two above.
    """

    pixels: np.ndarray
    hashes: np.ndarray
    pictures: np.ndarray
    flat: np.ndarray


def fingerprint(images: TarImages, rows: np.ndarray, mirrored: bool, workers: int) -> Fingerprints:
    """Fingerprints of some rows; the result does not depend on the number of workers.

    Args:
        mirrored: also hash the mirrored image.

    Raises:
        PipelineError: an image is damaged.
    """
    return stacked(list(mapped(lambda row: print_of(images.image(row), mirrored), rows.tolist(), workers)), mirrored)


def print_of(image: Image.Image, mirrored: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """An RGB image's row of :class:`Fingerprints`."""
    content = hashlib.sha256(b"%d %d " % image.size + image.tobytes()).digest()[:16]
    grey = views(image)
    shown = np.concatenate([grey, grey[:, :, ::-1]]) if mirrored else grey
    block = SIDE // PICTURE
    picture = np.rint(grey[0].reshape(PICTURE, block, PICTURE, block).mean(axis=(1, 3))).clip(0, 255).astype(np.uint8)
    return np.frombuffer(content, np.uint8), perceptual(shown), picture, bool(grey[0].std() < FLAT)


def stacked(rows: list[tuple[np.ndarray, np.ndarray, np.ndarray, bool]], mirrored: bool) -> Fingerprints:
    """The rows that :func:`print_of` made of images, as columns."""
    if rows:
        return Fingerprints(*(np.stack(part) for part in zip(*rows, strict=True)))
    pixels, hashes = np.zeros((0, 16), np.uint8), np.zeros((0, (1 + mirrored) * VIEWS, HASH_BYTES), np.uint8)
    return Fingerprints(pixels, hashes, np.zeros((0, PICTURE, PICTURE), np.uint8), np.zeros(0, bool))


def views(image: Image.Image) -> np.ndarray:
    """The image and its crops at :data:`CORNERS`, as grey pictures: (6, 64, 64) float64, 0 to 255."""
    base = image.convert("L").resize((BASE, BASE), Image.Resampling.LANCZOS, None, GAP)
    rest, side = (1 - CROP) * BASE, CROP * BASE
    boxes = [(x * rest, y * rest, x * rest + side, y * rest + side) for x, y in CORNERS]
    shown = [base.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box) for box in (None, *boxes)]
    return np.stack([np.asarray(one, np.float64) for one in shown])


def perceptual(grey: np.ndarray) -> np.ndarray:
    """Hashes (v, 32) uint8 of grey pictures (v, 64, 64)."""
    lowest = (_DCT @ grey @ _DCT.T).reshape(len(grey), -1)
    # Rounded, so that a difference in the last bits between machines moves no bit of a symmetric picture.
    lowest = np.round(lowest, 6)
    return np.packbits(lowest > np.median(lowest, axis=1, keepdims=True), axis=1)


def fingerprints_table(keys: list[str], found: Fingerprints) -> pa.Table:
    """Fingerprints without mirroring, one row each."""
    binary = [
        pa.array([row.tobytes() for row in column], FINGERPRINTS.field(name).type)
        for name, column in zip(("pixels", "hashes", "picture"), found, strict=False)
    ]
    return pa.table([pa.array(keys, pa.string()), *binary, pa.array(found.flat)], schema=FINGERPRINTS)


def read_fingerprints(table: pa.Table) -> Fingerprints:
    """What :func:`fingerprints_table` wrote."""

    def bytes_of(name: str, *shape: int) -> np.ndarray:
        return np.frombuffer(b"".join(table[name].to_pylist()), np.uint8).reshape(-1, *shape)

    hashes, pictures = bytes_of("hashes", VIEWS, HASH_BYTES), bytes_of("picture", PICTURE, PICTURE)
    return Fingerprints(bytes_of("pixels", 16), hashes, pictures, table["flat"].to_numpy(zero_copy_only=False))
