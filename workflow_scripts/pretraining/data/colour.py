"""Colour operations on a batch, each image with its own strength.

Images are planes of colours, (3, n, m) float32 in 0..255 with m pixels each, unless a function says otherwise, and are
changed in place. The results equal those of ``torchvision.transforms.v2.functional`` image by image.
"""

import math

import torch
from torch.nn.functional import conv2d, pad

CACHED = 2**17
"""Numbers that one pass reads, so that the next pass finds them in the processor's cache (512 kB)."""
WHITE = 255
SIGMAS = 4
"""Where the kernel of a blur is cut, in standard deviations: the rest weighs 6e-5, less than 0.01 grey levels."""


def grey(images: torch.Tensor) -> torch.Tensor:
    """(3, ...) -> (...): luma of ITU-R BT.601; the images stay as they are."""
    return (images[0] * 0.2989).add_(images[1], alpha=0.587).add_(images[2], alpha=0.114)


def blend(
    images: torch.Tensor, scale: torch.Tensor, luma: torch.Tensor | None, mean: torch.Tensor | None
) -> torch.Tensor:
    """scale * image + luma * its luma + mean * the mean of its luma, clipped to 0..255.

    With a factor f, brightness is (f, 0, 0), contrast (f, 0, 1 - f) and saturation (f, 1 - f, 0): a batch of all three
    takes one pass.

    Args:
        images: changed in place, and returned.
        scale, luma, mean: (n, 1) float32; None: 0 for all images.
    """
    if luma is None and mean is None:
        return images.mul_(scale).clamp_(0, WHITE)
    other = grey(images)
    if mean is not None:
        level = other.mean(1, keepdim=True).mul_(mean)
        other = level if luma is None else other.mul_(luma).add_(level)
    elif luma is not None:
        other.mul_(luma)
    return images.mul_(scale).add_(other).clamp_(0, WHITE)


def shift_hue(images: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Hue moved by ``turns`` (n, 1), at most 1, the whole circle, either way, at constant value and chroma."""
    parts = -(-images.shape[1:].numel() // (CACHED // 2)) if images.device.type == "cpu" else 1
    for pixels in images.chunk(parts, dim=2):
        _shift_hue(pixels, turns)
    return images


def _shift_hue(images: torch.Tensor, turns: torch.Tensor) -> None:
    """Without comparisons, which are slow on processors.

    If a pixel's darkest channel is 0 and its brightest 1, the distance of its hue from red is linear in the channels,
    1 + green + blue - red sixths of the circle, and its side is the sign of green - blue. A channel's value falls with
    the distance from its own hue, linearly between one and two sixths.
    """
    red, green, blue = images
    low = images.amin(0)
    chroma = images.amax(0).sub_(low)
    six = chroma * 6
    distance = (green + blue).sub_(red).sub_(low)
    distance.div_(six.clamp_min(torch.finfo(images.dtype).tiny)).add_(1 / 6)
    hue = torch.copysign(distance, green - blue, out=distance).add_(turns)
    hue.sub_(hue.round())
    base = low - chroma
    torch.addcmul(low.add_(chroma, alpha=2), six, hue.abs().clamp_(1 / 6, 1 / 3), value=-1, out=red)
    torch.addcmul(base, six, (hue + 1 / 6).abs_().clamp_(1 / 6, 1 / 3), out=green)
    torch.addcmul(base, six, hue.sub_(1 / 6).abs_().clamp_(1 / 6, 1 / 3), out=blue)


def half_width(size: int, sigma: float, side: int | None = None) -> int:
    """Pixels on each side of the centre of a blur's kernel, for images of ``size`` pixels and at most ``sigma``.

    Args:
        side: of the kernel, odd; None: a tenth of the image, at least 3 (Chen et al. 2020, appendix A).
    """
    side = side or max(3, size // 10 // 2 * 2 + 1)
    return min(side // 2, max(1, math.ceil(SIGMAS * sigma)))


def blur(images: torch.Tensor, sigma: torch.Tensor, half: int) -> torch.Tensor:
    """Gaussian blur of planes (3, n, h, w), ``sigma`` (n,) in pixels, with a kernel of 2 * ``half`` + 1 pixels."""
    distance = torch.arange(-half, half + 1, device=images.device, dtype=torch.float32)
    weights = torch.exp(-0.5 * (distance / sigma.view(-1, 1)).square())
    weights = weights / weights.sum(1, keepdim=True)
    padded = pad(images, [half, half, half, half], mode="reflect")
    return summed(padded, weights) if images.device.type == "cpu" else convolved(padded, weights)


def convolved(padded: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Rows and columns weighed by (n, k) ``weights`` in two operations, for GPUs: h and w become k - 1 smaller."""
    kernels = weights.repeat(3, 1)
    every = padded.reshape(1, len(kernels), *padded.shape[2:])
    rows = conv2d(every, kernels[:, None, None, :], groups=len(kernels))
    columns = conv2d(rows, kernels[:, None, :, None], groups=len(kernels))
    return columns.view(*padded.shape[:2], *columns.shape[2:])


def summed(padded: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """What :func:`convolved` computes, for processors.

    An image's rows are one long row here: what runs over into the next one falls into the margin. That makes each pass
    one loop, and not one for each row.
    """
    high, wide = padded.shape[2:]
    last = weights.shape[1] - 1
    planes, weights = padded.view(-1, high * wide), weights.repeat(3, 1)
    out = torch.empty((len(planes), (high - last) * wide))
    parts = -(-planes.numel() // CACHED)
    for some, weight, made in zip(planes.chunk(parts), weights.chunk(parts), out.chunk(parts), strict=True):
        _weighed(_weighed(some, weight, 1), weight, wide, made[:, : out.shape[1] - last])
    return out.view(*padded.shape[:2], high - last, wide)[..., : wide - last]


def _weighed(values: torch.Tensor, weights: torch.Tensor, step: int, out: torch.Tensor | None = None) -> torch.Tensor:
    """(n, m) -> sums of k numbers that are ``step`` apart, weighed by (n, k): (n, m - (k - 1) * step)."""
    last = weights.shape[1] - 1
    length = values.shape[1] - last * step
    total = torch.mul(values[:, :length], weights[:, :1], out=out)
    for i in range(1, last + 1):
        total.addcmul_(values[:, i * step : i * step + length], weights[:, i, None])
    return total
