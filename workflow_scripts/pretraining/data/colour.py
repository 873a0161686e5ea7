"""The colour changes of SimCLR's augmentation: drawn on the processor, made on whole batches on any device.

Images are (n, 3, s, s) float32 in 0..255. Each image has its own strengths and its own order of changes, for which
torchvision's functions, one image at a time, would take thousands of calls per step on a GPU; results are the same.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import pad

from workflow_scripts.models.preprocessing import normalise
from workflow_scripts.pretraining.data.crops import BLUR, GREY, JITTER

CONTRAST, SATURATION, HUE = 1, 2, 3  # brightness is 0
STRENGTH = np.array([0.4, 0.4, 0.4, 0.1])
LUMA = (0.2989, 0.587, 0.114)  # ITU-R BT.601
WHITE = 255


class Changes(NamedTuple):
    """The colour changes of one view of a batch of n images: arrays, or tensors on some device.

    Attributes:
        factors: (5, 3, n) float32, what :func:`blend` takes at each of five places; the last one makes images grey.
        hued: at each of the first four places, int64 numbers of the images whose hue changes there.
        turns: of the same images, float32.
        blurred: (m,) int64 numbers of the images that are blurred.
        sigma: (2, m) float32, in pixels, along columns and rows.
    """

    factors: Any
    hued: list[Any]
    turns: list[Any]
    blurred: Any
    sigma: Any


def changes(uniform: np.ndarray, old_kornia: bool = False) -> Changes:
    """Changes by (n, DRAWS) uniform numbers: jitter 0.4/0.4/0.4/0.1 p 0.8 in random order, grey p 0.2, blur p 0.5.

    With ``old_kornia``, the blur has a sigma of 2.0 along rows and 0.1, which changes nothing, along columns.
    """
    strength = (2 * uniform[:, JITTER + 5 : JITTER + 9] - 1) * STRENGTH + [1, 1, 1, 0]
    order = uniform[:, JITTER + 1 : JITTER + 5].argsort(1)
    order[uniform[:, JITTER] >= 0.8] = -1
    strength = np.take_along_axis(strength, order, 1)
    grey = uniform[:, GREY] < 0.2
    scale = np.where((order == HUE) | (order < 0), 1, strength)
    luma, mean = (np.where(order == kind, 1 - strength, 0) for kind in (SATURATION, CONTRAST))
    last = np.stack([1 - grey, grey, np.zeros(len(grey))])
    factors = np.concatenate([np.stack([scale.T, luma.T, mean.T], 1), last[None]])
    hued = [np.flatnonzero(place == HUE) for place in order.T]
    turns = [strength[images, place] for place, images in enumerate(hued)]
    blurred = np.flatnonzero(uniform[:, BLUR] < 0.5)
    sigma = 0.1 + 1.9 * np.stack([uniform[blurred, BLUR + 1]] * 2)
    if old_kornia:
        sigma[:] = [[0.1], [2.0]]
    return Changes(_float32(factors), hued, [_float32(some) for some in turns], blurred, _float32(sigma))


def _float32(values: np.ndarray) -> np.ndarray:
    return values.astype(np.float32)


def finished(images: torch.Tensor, made: Changes | None, kernel: int | None = None) -> torch.Tensor:
    """Images (n, s, s, 3) uint8 as the network takes them: (n, 3, s, s) float32, channels last in memory, normalised.

    Args:
        made: changes of their colours, as tensors on their device; None: they stay as they are.
        kernel: side of the blur's kernel, odd; None: a tenth of the image's, at least 3 (Chen et al. 2020, appendix A).
    """
    planes = images.permute(0, 3, 1, 2)
    if made is not None:
        planes = recoloured(planes, made, kernel).contiguous(memory_format=torch.channels_last)
    return normalise(planes)


def recoloured(images: torch.Tensor, made: Changes, kernel: int | None = None) -> torch.Tensor:
    """Images (n, 3, s, s) uint8 -> float32 with the changes ``made``; see :func:`finished`."""
    planes = images.to(torch.float32, memory_format=torch.contiguous_format)
    for place, factors in enumerate(made.factors):
        blend(planes, *factors)
        if place < len(made.hued) and len(hued := made.hued[place]):
            planes[hued] = shift_hue(planes[hued], made.turns[place])
    if len(made.blurred):
        side = kernel or max(3, planes.shape[-1] // 10 // 2 * 2 + 1)
        planes[made.blurred] = blur(planes[made.blurred], made.sigma, side)
    return planes


def blend(images: torch.Tensor, scale: torch.Tensor, luma: torch.Tensor, mean: torch.Tensor) -> None:
    """scale * image + luma * its luma + mean * the mean of its luma, clipped to 0..255, in place; factors (n,) float32.

    With a factor f, brightness is (f, 0, 0), contrast (f, 0, 1 - f), saturation (f, 1 - f, 0), and grey (0, 1, 0).
    """
    scale, luma, mean = (factor[:, None, None] for factor in (scale, luma, mean))
    red, green, blue = images.unbind(1)
    grey = (red * LUMA[0]).add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])
    level = mean * grey.mean((1, 2), keepdim=True)
    images.mul_(scale[:, None]).add_(grey.mul_(luma).add_(level)[:, None]).clamp_(0, WHITE)


def shift_hue(images: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Hue moved by ``turns`` (n,), at most 1, the whole circle, either way, at constant value and chroma.

    If a pixel's darkest channel is 0 and its brightest 1, the distance of its hue from red is linear in the channels,
    1 + green + blue - red sixths of the circle, and its side is the sign of green - blue. A channel's value falls with
    the distance from its own hue, linearly between one and two sixths.
    """
    red, green, blue = images.unbind(1)
    low, high = images.amin(1), images.amax(1)
    base, six = 2 * low - high, 6 * (high - low)
    distance = (green + blue - red - base) / six.clamp(min=torch.finfo(six.dtype).tiny)
    hue = turns[:, None, None] + torch.copysign(distance, green - blue)
    hue -= hue.round()
    near = (0.5 - hue.abs(), (hue + 1 / 6).abs(), (hue - 1 / 6).abs())
    return torch.stack([channel.clamp_(1 / 6, 1 / 3).mul_(six).add_(base) for channel in near], 1)


def blur(images: torch.Tensor, sigma: torch.Tensor, kernel: int) -> torch.Tensor:
    """Gaussian blur, ``sigma`` (2, n) in pixels along columns and rows, mirrored at the edges: a plane X becomes C X R.

    Products with matrices, since cuDNN would benchmark its convolutions again for each number of images.
    """
    side, distance = images.shape[-1], torch.arange(kernel, device=images.device) - kernel // 2
    weights = torch.exp(-0.5 * (distance / sigma[..., None]).square())
    weights = weights / weights.sum(-1, keepdim=True)
    columns, rows = (weights @ _shifts(kernel, side, images.device)).view(2, -1, side, side)
    mixed = torch.bmm(images.flatten(1, 2), rows.mT).view_as(images)
    return torch.bmm(columns.repeat_interleave(3, 0), mixed.flatten(0, 1)).view_as(images)


@cache
def _shifts(kernel: int, side: int, device: torch.device) -> torch.Tensor:
    """(kernel, side * side): the matrices that shift ``side`` numbers by each place in a kernel."""
    mirrored = pad(torch.eye(side)[None], [kernel // 2] * 2, mode="reflect")[0]
    return mirrored.unfold(1, side, 1).permute(1, 2, 0).flatten(1).to(device)
