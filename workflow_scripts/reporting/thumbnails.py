"""Images as data: URLs of bounded size."""

import base64
import io

import numpy as np
from PIL import Image

# Dark to light, evenly rising in lightness (close to "inferno"): readable in grey and to the colour-blind.
_HEAT = np.array([[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]], dtype=np.float64)
IGNORE = 255  # mask value of pixels that no score counts


def data_address(kind: str, payload: bytes) -> str:
    """An image's bytes as a ``data:`` address."""
    return f"data:image/{kind};base64,{base64.b64encode(payload).decode('ascii')}"


def _address(image: Image.Image) -> str:
    """As WebP: at these sizes, much of a JPEG would be its header."""
    out = io.BytesIO()
    image.save(out, "WEBP", quality=75, method=6)
    return data_address("webp", out.getvalue())


def _small(image: Image.Image, side: int) -> Image.Image:
    return image.convert("RGB").resize(_fit(image.size, side), Image.Resampling.LANCZOS)


def _fit(size: tuple[int, int], side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def reduced(image: Image.Image, side: int) -> bytes:
    """JPEG of an RGB image, longer side at most `side` pixels, never enlarged."""
    out = io.BytesIO()
    _small(image, side).save(out, "JPEG", quality=82, optimize=True)
    return out.getvalue()


def thumbnail(image: Image.Image, side: int) -> str:
    """The address of an image, longer side at most `side` pixels, never enlarged."""
    return _address(_small(image, side))


def heat(values: np.ndarray) -> np.ndarray:
    """(h, w) in 0..1 -> (h, w, 3) float colours 0..255."""
    at = np.linspace(0.0, 1.0, len(_HEAT))
    return np.stack([np.interp(values, at, _HEAT[:, channel]) for channel in range(3)], axis=-1)


def _enlarge(array: np.ndarray, side: int, how: Image.Resampling) -> np.ndarray:
    height, width = array.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(array).resize(size, how))


def overlay(image: np.ndarray, saliency: np.ndarray, side: int) -> str:
    """Saliency (h, w) uint8 over a greyed image (H, W, 3) uint8, longer side `side` pixels.

    Each map is stretched to its own range: the picture shows where, the table how well. A constant map stays dark.
    """
    base = _enlarge(image, side, Image.Resampling.BICUBIC).astype(np.float64)
    grey = base.mean(axis=-1, keepdims=True)
    area = Image.fromarray(saliency).resize(base.shape[1::-1], Image.Resampling.BICUBIC)
    values = np.asarray(area, dtype=np.float64)
    span = values.max() - values.min()
    values = (values - values.min()) / span if span > 0 else np.zeros_like(values)
    mixed = 0.45 * grey + 0.55 * heat(values)
    return _address(Image.fromarray(np.clip(np.rint(mixed), 0, 255).astype(np.uint8)))


def masked(image: np.ndarray, mask: np.ndarray, side: int) -> str:
    """The image (H, W, 3) uint8 with all but the object darkened, ignored pixels grey, longer side `side` pixels."""
    base = _enlarge(image, side, Image.Resampling.BICUBIC).astype(np.float64)
    area = np.asarray(Image.fromarray(mask).resize(base.shape[1::-1], Image.Resampling.NEAREST))
    shown = np.where((area == 1)[..., None], base, 0.25 * base)
    shown = np.where((area == IGNORE)[..., None], 128.0, shown)
    return _address(Image.fromarray(np.clip(np.rint(shown), 0, 255).astype(np.uint8)))
