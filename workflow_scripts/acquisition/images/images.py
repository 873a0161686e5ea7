"""From a response's bytes to the stored bytes: checked, stripped of metadata, scaled down if needed."""

import io
import math
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from PIL import Image

from workflow_scripts.acquisition.images.metadata import without_metadata
from workflow_scripts.acquisition.settings import Download
from workflow_scripts.acquisition.states import State
from workflow_scripts.core.files.jsonio import digest

MAGIC = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM")
MAGIC_BYTES = 12
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")  # Pillow opens MPO through JPEG
MAX_SCANS = 200  # encoders write about ten; each costs a pass over all pixels, so thousands would take hours
EXTENSION = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}
ORIENTATION = 0x0112
STRIP = 256  # rows
HAMMING_FROM = 1.5  # scaling ratio; below it, some pixels would hardly contribute
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Raise it, and the download stage's format, when the same fetched bytes would give other stored bytes.
PREPARATION = 3
BY_SETTINGS = frozenset({State.TOO_LARGE, State.NOAI, State.BLOCKED_ADDRESS})
"""Failures that other settings may turn into images: they are requested again when the settings below differ."""


@dataclass(frozen=True)
class Stored:
    """A processed response: its state, and for ``ok`` the bytes to store with their size in pixels and extension."""

    state: State
    data: bytes = b""
    width: int = 0
    height: int = 0
    format: str = ""


def looks_like_image(head: bytes | bytearray) -> bool:
    """Whether the first :data:`MAGIC_BYTES` bytes can begin an image of an accepted format."""
    return head.startswith(MAGIC) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")


def process(data: bytes, limits: Download, digest: str | None = None) -> Stored:
    """Check and convert a response's bytes; never raises, whatever the bytes.

    An upright, opaque RGB or grey JPEG, PNG or WebP of one frame within ``max_side`` is stored with its encoded
    pixels unchanged and without its metadata. All others are stored as an RGB JPEG: first frame, EXIF orientation
    applied, on white where transparent, the longer side at most ``max_side``. Colour profiles are removed; pixel values
    stay. ``limits`` are the settings of the download stage. ``digest`` is the sha256 of ``data`` in hex, if known.
    """
    if not looks_like_image(data[:MAGIC_BYTES]):
        return Stored(State.NOT_AN_IMAGE)
    if limits.placeholder_sha256 and (digest or sha256(data).hexdigest()) in limits.placeholder_sha256:
        return Stored(State.PLACEHOLDER)
    try:
        return _process(data, limits)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Stored(State.DECOMPRESSION_BOMB)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - decoders raise nearly anything on broken bytes, which the state records
        early = "truncated" in str(error).lower() or _cut_riff(data)
        return Stored(State.TRUNCATED if early else State.CORRUPT)


def _cut_riff(data: bytes) -> bool:
    """Whether a WebP file is shorter than its header says; the decoder only calls it undecodable."""
    return data[:4] == b"RIFF" and len(data) < int.from_bytes(data[4:8], "little") + 8


def _process(data: bytes, limits: Download) -> Stored:
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        refused = _refused(image, limits)
        if image.format in ("JPEG", "MPO") and _scans(data) > MAX_SCANS:
            refused = State.DECOMPRESSION_BOMB
        if refused is not None:
            return Stored(refused)
        if image.format not in ("JPEG", "MPO"):
            image.load()  # finds a truncated file; a JPEG's orientation needs no loading, and its size may shrink
        orientation = _orientation(image)
        plain = image.mode in ("RGB", "L") and not image.has_transparency_data  # PNG can say that a colour is none
        if plain and orientation == 1 and not _animated(image) and max(image.size) <= limits.max_side:
            kept = _kept(data, "JPEG" if image.format == "MPO" else str(image.format), image.size)
            if kept is not None:
                return kept
        return _encode(_smaller(image, limits.max_side, orientation), limits.jpeg_quality)


def _scans(data: bytes) -> int:
    """Upper bound of a JPEG file's scans: its start-of-scan markers, ten times as fast as ``bytes.count``."""
    octets = np.frombuffer(data, np.uint8)
    return int(np.count_nonzero((octets[:-1] == 0xFF) & (octets[1:] == 0xDA)))


def _kept(data: bytes, format: str, size: tuple[int, int]) -> Stored | None:
    """The same image without metadata, or None if that requires re-encoding."""
    bare = without_metadata(data, format) if format in EXTENSION else None
    if bare is None:
        return None
    if format == "JPEG":  # stored images must decode; others were loaded before
        with Image.open(io.BytesIO(bare), formats=(format,)) as image:
            image.load()
    return Stored(State.OK, bare, *size, EXTENSION[format])


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 2 to 8, or 1 if there is none; a broken EXIF block is ignored."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - the parser raises nearly anything on broken blocks
        return 1
    return value if value in UPRIGHT else 1


def _animated(image: Image.Image) -> bool:
    """Whether there are further frames, which a GIF must read to know; the further views of an MPO photo are none."""
    return image.format != "MPO" and bool(getattr(image, "is_animated", False))


def _refused(image: Image.Image, limits: Download) -> State | None:
    """The state that follows from the header, before anything is decoded."""
    width, height = image.size
    if width * height > limits.max_pixels:
        return State.DECOMPRESSION_BOMB
    if max(width, height) > limits.max_aspect * min(width, height):
        return State.ASPECT
    if min(width, height) < limits.min_side:
        return State.TOO_SMALL
    return None


def _smaller(image: Image.Image, max_side: int, orientation: int) -> Image.Image:
    """Upright RGB with the longer side at most ``max_side``; JPEGs are decoded at a smaller scale if possible."""
    width, height = image.size
    scale = min(1.0, max_side / max(width, height))
    size = (max(1, math.floor(width * scale + 0.5)), max(1, math.floor(height * scale + 0.5)))
    drafted = image.draft("RGB", size)
    rgb = _rgb(image)
    if rgb.size != size:
        # The size of a draft is rounded up; the box is the part that the photo covers.
        filtered = _filter(drafted=rgb.size != (width, height), ratio=max(rgb.size) / max(size))
        rgb = rgb.resize(size, filtered, box=drafted[1] if drafted else None)
    return rgb.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else rgb


def _filter(drafted: bool, ratio: float) -> Image.Resampling:
    """The filter for scaling an image down by ``ratio``.

    A draft is already averaged, so shorter filters suffice: against Lanczos, bicubic costs 0.2 dB of PSNR and saves a
    seventh of the total work per image; Hamming costs 0.7 dB and saves a third. At a ratio near one, Hamming would
    almost pick the nearest pixel, which costs 2 to 4 dB.
    """
    if not drafted:
        return Image.Resampling.LANCZOS
    return Image.Resampling.HAMMING if ratio >= HAMMING_FROM else Image.Resampling.BICUBIC


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        # 16-bit grey: the upper byte; Pillow's own conversion clips at 255 instead.
        return image.point(lambda value: value / 256).convert("L").convert("RGB")
    if image.has_transparency_data:
        return _on_white(image)
    if image.mode != "RGB":
        return image.convert("RGB")
    image.load()
    return image


def _on_white(image: Image.Image) -> Image.Image:
    """A transparent image on white, strip by strip: as a whole it would take twice as much memory."""
    opaque = Image.new("RGB", image.size)
    for top in range(0, image.height, STRIP):
        strip = image.crop((0, top, image.width, min(top + STRIP, image.height))).convert("RGBA")
        white = Image.new("RGBA", strip.size, (255, 255, 255, 255))
        opaque.paste(Image.alpha_composite(white, strip).convert("RGB"), (0, top))
    return opaque


def _encode(image: Image.Image, quality: int) -> Stored:
    image.info = {}  # Pillow would write some of it, such as comments
    target = io.BytesIO()
    image.save(target, "JPEG", quality=quality)
    return Stored(State.OK, target.getvalue(), *image.size, EXTENSION["JPEG"])


def preparation_of(settings: Download) -> str:
    """Name of the preparation: its number and the settings that :func:`process` follows, hashed."""
    names = ("max_side", "jpeg_quality", "min_side", "max_aspect", "max_pixels")
    placeholders = sorted(set(settings.placeholder_sha256))
    facts = {name: getattr(settings, name) for name in names}
    return digest({"number": PREPARATION, **facts, "placeholders": placeholders})[:16]


def policy_of(settings: Download) -> str:
    """Name of the settings that failures of :data:`BY_SETTINGS` follow from."""
    names = ("max_bytes", "respect_robots_tag", "allow_addresses")
    return digest({name: getattr(settings, name) for name in names})[:16]
