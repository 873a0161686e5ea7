"""Images as data: URLs of bounded size."""

import base64
import io
import math

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


def _drawn(values: np.ndarray) -> str:
    """The address of an image from colours (h, w, 3) float 0..255."""
    return _address(Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8)))


def _scaled(image: Image.Image, side: int, largest: float, how: Image.Resampling) -> Image.Image:
    """An image whose longer side is ``side`` pixels, but enlarged at most to the scale ``largest``."""
    scale = min(largest, side / max(image.size))
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), how)


def _small(image: Image.Image, side: int) -> Image.Image:
    return _scaled(image.convert("RGB"), side, 1.0, Image.Resampling.LANCZOS)


def _enlarged(image: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(_scaled(Image.fromarray(image), side, math.inf, Image.Resampling.BICUBIC), dtype=np.float64)


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


def overlay(image: np.ndarray, saliency: np.ndarray, side: int) -> str:
    """Saliency (h, w) uint8 over a greyed image (H, W, 3) uint8, longer side `side` pixels.

    Each map is stretched to its own range: the picture shows where, the table how well. A constant map stays dark.
    """
    base = _enlarged(image, side)
    grey = base.mean(axis=-1, keepdims=True)
    area = Image.fromarray(saliency).resize(base.shape[1::-1], Image.Resampling.BICUBIC)
    values = np.asarray(area, dtype=np.float64)
    span = values.max() - values.min()
    values = (values - values.min()) / span if span > 0 else np.zeros_like(values)
    return _drawn(0.45 * grey + 0.55 * heat(values))


def masked(image: np.ndarray, mask: np.ndarray, side: int) -> str:
    """The image (H, W, 3) uint8 with all but the object darkened, ignored pixels grey, longer side `side` pixels."""
    base = _enlarged(image, side)
    area = np.asarray(Image.fromarray(mask).resize(base.shape[1::-1], Image.Resampling.NEAREST))
    shown = np.where((area == 1)[..., None], base, 0.25 * base)
    return _drawn(np.where((area == IGNORE)[..., None], 128.0, shown))
