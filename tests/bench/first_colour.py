"""Changes of colours operation by operation on whole batches, as they were first made: the baseline of bench_colour."""

import numpy as np
import torch
from torch.nn.functional import pad

from workflow_scripts.pretraining.data.crops import BLUR, GREY, JITTER

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)


def grey(images: torch.Tensor) -> torch.Tensor:
    """(n, 3, h, w) -> (n, 1, h, w): luma of ITU-R BT.601."""
    return 0.2989 * images[:, 0:1] + 0.587 * images[:, 1:2] + 0.114 * images[:, 2:3]


def jitter(images: torch.Tensor, operation: int, factor: torch.Tensor) -> torch.Tensor:
    """One of brightness, contrast, saturation (blends by ``factor``, 1 changes nothing) and hue (turns, 0 changes
    nothing); clipped to 0..1."""
    factor = factor.view(-1, 1, 1, 1)
    if operation == HUE:
        return shift_hue(images, factor)
    if operation == BRIGHTNESS:
        return (images * factor).clamp_(0, 1)
    other = grey(images)
    if operation == CONTRAST:
        other = other.mean((1, 2, 3), keepdim=True)
    return torch.lerp(other.expand_as(images), images, factor).clamp_(0, 1)


def shift_hue(images: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Hue moved by ``turns`` (1 = the whole circle) at constant value and chroma.

    Uses the closed form channel = value - chroma * clip(min(k, 4 - k), 0, 1) with k = (n + hue in sixths) mod 6 and
    n = 5, 3, 1 for red, green, blue.
    """
    red, green, blue = images.unbind(1)
    value, brightest = images.max(1)
    chroma = value - images.amin(1)
    safe = torch.where(chroma == 0, 1.0, chroma)
    difference = torch.where(brightest == 0, green - blue, torch.where(brightest == 1, blue - red, red - green))
    sixths = difference / safe + 2 * brightest + 6 * turns.view(-1, 1, 1)
    channels = []
    for start in (5, 3, 1):
        k = (sixths + start).remainder_(6)
        channels.append(value - chroma * torch.minimum(k, 4 - k).clamp_(0, 1))
    return torch.stack(channels, 1)


def blur(images: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """Gaussian blur, ``sigma`` in pixels.

    By default the kernel is a tenth of the image, at least 3 (Chen et al. 2020, appendix A).
    """
    side = max(3, images.shape[-1] // 10 // 2 * 2 + 1)
    half = side // 2
    distance = torch.arange(-half, half + 1, device=images.device, dtype=torch.float32)
    weights = torch.exp(-0.5 * (distance / sigma.view(-1, 1)).square())
    weights = (weights / weights.sum(1, keepdim=True)).view(len(images), side, 1, 1, 1)
    padded = pad(images, [half, half, half, half], mode="reflect")
    high, wide = images.shape[-2:]
    rows = torch.zeros_like(padded[..., :wide])
    for i in range(side):
        rows += padded[..., i : i + wide] * weights[:, i]
    out = torch.zeros_like(images)
    for i in range(side):
        out += rows[:, :, i : i + high] * weights[:, i]
    return out


def recolour(images: torch.Tensor, uniform: np.ndarray) -> torch.Tensor:
    """(n, 3, s, s) uint8 -> float32 in 0..255."""
    values = images.float()
    values /= 255
    device = images.device

    def rows(mask: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.flatnonzero(mask)).to(device)

    def numbers(column: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(column.astype(np.float32)).to(device)

    strength = np.array([0.4, 0.4, 0.4, 0.1])
    factors = (2 * uniform[:, JITTER + 5 : JITTER + 9] - 1) * strength + [1, 1, 1, 0]
    order = uniform[:, JITTER + 1 : JITTER + 5].argsort(1)
    for place in range(4):
        for operation in range(4):
            mask = (uniform[:, JITTER] < 0.8) & (order[:, place] == operation)
            chosen = rows(mask)
            if len(chosen):
                values[chosen] = jitter(values[chosen], operation, numbers(factors[mask, operation]))
    greyed = rows(uniform[:, GREY] < 0.2)
    values[greyed] = grey(values[greyed]).expand(-1, 3, -1, -1)
    mask = uniform[:, BLUR] < 0.5
    if mask.any():
        blurred = rows(mask)
        sigma = numbers(0.1 + 1.9 * uniform[mask, BLUR + 1])
        values[blurred] = blur(values[blurred], sigma)
    return values * 255
