"""Colour operations on a batch, each image with its own strength.

Images are (n, 3, m) float32 in 0..255 with m pixels each, unless a function says otherwise, and are changed in place.
The results equal those of ``torchvision.transforms.v2.functional`` image by image.
"""

import math
from functools import cache

import torch
from torch.nn.functional import pad

CACHED = 2**17
"""Numbers that one pass reads, so that the next pass finds them in the processor's cache (512 kB)."""
WHITE = 255
SIGMAS = 4
"""Where the kernel of a blur is cut, in standard deviations: the rest weighs 6e-5, less than 0.01 grey levels."""
SMALL = 64
"""Side in pixels of the largest images that a processor blurs by whole matrices."""
BAND = 8
"""Fewest rows of such a matrix that a processor multiplies together for larger images."""


def grey(images: torch.Tensor) -> torch.Tensor:
    """(n, 3, ...) -> (n, ...): luma of ITU-R BT.601; the images stay as they are."""
    red, green, blue = images.unbind(1)
    return (red * 0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114)


def blend(
    images: torch.Tensor, scale: torch.Tensor, luma: torch.Tensor | None, mean: torch.Tensor | None, clip: bool = True
) -> torch.Tensor:
    """scale * image + luma * its luma + mean * the mean of its luma, clipped to 0..255.

    With a factor f, brightness is (f, 0, 0), contrast (f, 0, 1 - f) and saturation (f, 1 - f, 0): a batch of all three
    takes one pass.

    Args:
        images: changed in place, and returned.
        scale, luma, mean: (n, 1) float32; None: 0 for all images.
        clip: whether any scale is above 1: otherwise nothing leaves the range.
    """
    if luma is not None:
        other = grey(images)
        level = None if mean is None else other.mean(1, keepdim=True).mul_(mean)
        other.mul_(luma)
        if level is not None:
            other.add_(level)
        torch.addcmul(other[:, None], images, scale[:, None], out=images)
    else:
        # The mean of the luma is the luma of the means.
        level = None if mean is None else grey(images.mean(2, keepdim=True)).mul_(mean)
        images.mul_(scale[:, None])
        if level is not None:
            images.add_(level[:, None])
    return images.clamp_(0, WHITE) if clip else images


def shift_hue(images: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Hue moved by ``turns`` (n, 1), at most 1, the whole circle, either way, at constant value and chroma."""
    parts = -(-images[:, 0].numel() // (CACHED // 2)) if images.device.type == "cpu" else 1
    for pixels in images.chunk(parts, dim=2):
        _shift_hue(pixels, turns)
    return images


def _shift_hue(images: torch.Tensor, turns: torch.Tensor) -> None:
    """Without comparisons, which are slow on processors.

    If a pixel's darkest channel is 0 and its brightest 1, the distance of its hue from red is linear in the channels,
    1 + green + blue - red sixths of the circle, and its side is the sign of green - blue. A channel's value falls with
    the distance from its own hue, linearly between one and two sixths.
    """
    red, green, blue = images.unbind(1)
    low = images.amin(1)
    chroma = images.amax(1).sub_(low)
    base = low.sub_(chroma)
    six = torch.add(images.new_full((), torch.finfo(images.dtype).tiny), chroma, alpha=6)
    hue = torch.add(green, blue, out=chroma).sub_(red).sub_(base)
    side = green - blue
    torch.addcdiv(turns, torch.copysign(hue, side, out=hue), six, out=hue)
    hue.sub_(torch.round(hue, out=side))
    torch.abs(hue, out=side).clamp_(1 / 6, 1 / 3)
    torch.addcmul(base, six, torch.sub(0.5, side, out=side), out=red)
    torch.addcmul(base, six, torch.add(hue, 1 / 6, out=side).abs_().clamp_(1 / 6, 1 / 3), out=green)
    torch.addcmul(base, six, hue.sub_(1 / 6).abs_().clamp_(1 / 6, 1 / 3), out=blue)


def half_width(size: int, sigma: float, side: int | None = None) -> int:
    """Pixels on each side of the centre of a blur's kernel, for images of ``size`` pixels and at most ``sigma``.

    Args:
        side: of the kernel, odd; None: a tenth of the image, at least 3 (Chen et al. 2020, appendix A).
    """
    side = side or max(3, size // 10 // 2 * 2 + 1)
    return min(side // 2, max(1, math.ceil(SIGMAS * sigma)))


def blur(images: torch.Tensor, sigma: torch.Tensor, half: int, rows_only: bool = False) -> torch.Tensor:
    """Gaussian blur of images (n, 3, s, s), ``sigma`` (n,) in pixels, with a kernel of 2 * ``half`` + 1 pixels.

    The result takes the place of the images. With ``rows_only``, pixels are mixed along their rows alone.
    """
    distance = torch.arange(-half, half + 1, device=images.device, dtype=torch.float32)
    weights = torch.exp(-0.5 * (distance / sigma.view(-1, 1)).square())
    weights = weights / weights.sum(1, keepdim=True)
    on_cpu = images.device.type == "cpu"
    if on_cpu and images.shape[-1] > SMALL and not rows_only:
        return banded(images, weights)
    parts = -(-2 * images.numel() // CACHED) if on_cpu else 1
    for some, weight in zip(images.chunk(parts), weights.chunk(parts), strict=True):
        multiplied(some, weight, rows_only)
    return images


def multiplied(images: torch.Tensor, weights: torch.Tensor, rows_only: bool = False) -> torch.Tensor:
    """Rows and columns weighted by (n, k) ``weights``, mirrored at the edges, in place: a plane X becomes M X M'.

    With ``rows_only``, it becomes X M'. A GPU takes this path for images of every size: cuDNN would benchmark its
    convolutions again for each batch size.
    """
    side, half = images.shape[-1], weights.shape[1] // 2
    matrix = _matrices(weights, side, side)[:, 0, :, half:-half]
    rows = torch.bmm(images.view(-1, 3 * side, side), matrix.mT)
    if rows_only:
        return images.copy_(rows.view_as(images))
    torch.bmm(matrix.repeat_interleave(3, 0), rows.view(-1, side, side), out=images.view(-1, side, side))
    return images


def banded(images: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """What :func:`multiplied` computes, for large images: only those parts of M that are not 0.

    Both products, M X' and then M (M X')', transpose the planes. A block of rows of M is not 0 in few columns only;
    at the edges these reach into the end of the row before or the start of the next one, which is multiplied by 0.
    """
    side, half = images.shape[-1], weights.shape[1] // 2
    wide = next(w for w in range(max(half, BAND), side + 1) if side % w == 0)
    lying, turned = both = images.new_empty(2, 3 * side * side + 2 * half)
    both[:, :half] = both[:, -half:] = 0
    for image, matrix in zip(images, _matrices(weights, side, wide), strict=True):
        lying[half:-half].copy_(image.view(-1))
        torch.bmm(matrix, _met(lying, side, matrix), out=turned[half:-half].view(-1, wide, 3 * side))
        torch.bmm(matrix.repeat(3, 1, 1), _met(turned, 3 * side, matrix), out=image.view(-1, wide, side))
    return images


def _met(rows: torch.Tensor, length: int, matrix: torch.Tensor) -> torch.Tensor:
    """(m, columns, r): what m parts of a matrix meet of r rows, each ``length`` numbers, with a margin at both ends."""
    wide, columns = matrix.shape[1:]
    number = (len(rows) - columns + wide) // length
    return rows.as_strided((length // wide, columns, number), (wide, 1, length))


def _matrices(weights: torch.Tensor, side: int, wide: int) -> torch.Tensor:
    """(n, side / wide, wide, wide + k - 1): :func:`_shifts` weighted by (n, k) ``weights``."""
    shifts = _shifts(weights.shape[1], side, wide, weights.device)
    return (weights @ shifts.flatten(1)).view(len(weights), *shifts.shape[1:])


@cache
def _shifts(k: int, side: int, wide: int, device: torch.device) -> torch.Tensor:
    """The matrices that shift ``side`` numbers by each place in a kernel of k, mirrored at the edges.

    (k, side / wide, wide, wide + k - 1): ``wide`` rows each, and the columns that are not 0 in some of the matrices,
    k // 2 more than ``wide`` on both sides, also beyond the edges.
    """
    margin = [k // 2] * 2
    mirrored = pad(torch.eye(side)[None], margin, mode="reflect")[0].T
    whole = pad(mirrored.unfold(0, side, 1).mT, margin)
    parts = [whole[:, i : i + wide, i : i + wide + k - 1] for i in range(0, side, wide)]
    return torch.stack(parts, 1).to(device)
