"""The colour changes of SimCLR's augmentation: decided on the processor, made on batches on any device."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

from workflow_scripts.models.preprocessing import normalise, normalise_planes
from workflow_scripts.pretraining.data.colour import WHITE, blend, blur, grey, half_width, shift_hue
from workflow_scripts.pretraining.data.crops import BLUR, GREY, JITTER

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
STRENGTH = np.array([0.4, 0.4, 0.4, 0.1])
UNTOUCHED = len(STRENGTH)
GROUP = 2**19
"""Numbers that a processor changes together (2 MB): more don't fit in its cache, fewer mean more calls."""


class Numbers(NamedTuple):
    """The numbers of :class:`Changes`, image by image in the order in which they are changed, on some device.

    Attributes:
        rows: (n,) int64 numbers of the images.
        scale, luma, mean: (4, n, 1) float32, for :func:`blend` at each of four places.
        turns: (n, 1) float32, of the hue.
        greyed, blurred: int64 places of those that become grey or blurred, ascending.
        sigma: (len(blurred),) float32, in pixels.
    """

    rows: torch.Tensor
    scale: torch.Tensor
    luma: torch.Tensor
    mean: torch.Tensor
    turns: torch.Tensor
    greyed: torch.Tensor
    blurred: torch.Tensor
    sigma: torch.Tensor


@dataclass(frozen=True)
class Changes:
    """The colour changes of one view of a batch.

    Attributes:
        numbers: of each image, on the processor.
        kernel: side of the blur's kernel; None: by the size of the images.
        rows_only: whether the blur mixes pixels along their rows alone.
        hues: (5,) where the images begin whose hue changes at each of four places, and those whose never does.
    """

    numbers: Numbers
    kernel: int | None
    rows_only: bool
    hues: np.ndarray


def changes(uniform: np.ndarray, kernel: int | None = None, old_kornia: bool = False) -> Changes:
    """Changes by (n, DRAWS) uniform numbers: jitter 0.4/0.4/0.4/0.1 p 0.8 in random order, grey p 0.2, blur p 0.5.

    With ``old_kornia``, the blur has a sigma of 2.0 along rows and 0.1, which changes nothing, along columns.
    """
    factors = (2 * uniform[:, JITTER + 5 : JITTER + 9] - 1) * STRENGTH + [1, 1, 1, 0]
    order = uniform[:, JITTER + 1 : JITTER + 5].argsort(1)
    hue = np.where(uniform[:, JITTER] < 0.8, order.argsort(1)[:, HUE], UNTOUCHED)
    # Images with the same changes at the same places follow each other, so that most groups of them need few kinds.
    rows = np.lexsort((*order.T, hue))
    factors, order, hue = factors[rows], order[rows], hue[rows]
    each = np.where(hue == UNTOUCHED, HUE, order.T)
    factor = np.take_along_axis(factors.T, each, 0)
    scale = np.where(each == HUE, 1, factor)
    luma, mean = (np.where(each == kind, 1 - factor, 0) for kind in (SATURATION, CONTRAST))
    greyed, blurred = (np.flatnonzero(uniform[rows, at] < share) for at, share in ((GREY, 0.2), (BLUR, 0.5)))
    sigma = 0.1 + 1.9 * (np.ones(len(blurred)) if old_kornia else uniform[rows[blurred], BLUR + 1])
    numbers = Numbers(
        torch.from_numpy(rows),
        _float32(scale[..., None]),
        _float32(luma[..., None]),
        _float32(mean[..., None]),
        _float32(factors[:, HUE, None]),
        torch.from_numpy(greyed),
        torch.from_numpy(blurred),
        _float32(sigma),
    )
    return Changes(numbers, kernel, old_kornia, np.searchsorted(hue, np.arange(UNTOUCHED + 1)))


def _float32(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32))


@dataclass(frozen=True)
class _Group:
    """Images that are changed together, ``first`` to before ``last`` in the order of changes.

    Attributes:
        blends, hues: which of them, in that order, have brightness, contrast or saturation changed at each of four
            places, and their hue; images without such a change may lie between those of ``blends``.
        used: whether any of ``blends`` needs luma, mean and clipping, at each of four places.
        greyed, blurred: their part of those lists.
    """

    first: int
    last: int
    blends: list[list[int]]
    hues: list[list[int]]
    used: list[list[bool]]
    greyed: slice
    blurred: slice


def _groups(made: Changes, most: int) -> Iterator[_Group]:
    """All images in groups of at most ``most``, without reading anything from the device."""
    numbers, count = made.numbers, len(made.numbers.rows)
    edges = np.linspace(0, count, -(-count // most) + 1).astype(int)
    starts = edges[:-1]
    scale, luma, mean = (factor.numpy()[..., 0] for factor in (numbers.scale, numbers.luma, numbers.mean))
    used = np.logical_or.reduceat(np.stack([luma != 0, mean != 0, scale > 1]), starts, axis=2)
    at = np.arange(count)
    blends = np.stack(
        [
            np.minimum.reduceat(np.where(scale == 1, count, at), starts, axis=1),
            np.maximum.reduceat(np.where(scale == 1, 0, at + 1), starts, axis=1),
        ]
    )
    hues = np.stack([made.hues[:-1], made.hues[1:]])[..., None].clip(starts, edges[1:])
    greyed, blurred = (np.searchsorted(places.numpy(), edges) for places in (numbers.greyed, numbers.blurred))
    for i, (first, last) in enumerate(pairwise(edges.tolist())):
        yield _Group(
            first,
            last,
            blends[..., i].T.tolist(),
            hues[..., i].T.tolist(),
            used[..., i].T.tolist(),
            slice(greyed[i], greyed[i + 1]),
            slice(blurred[i], blurred[i + 1]),
        )


class _Kept(threading.local):
    """Memory for a group, which each thread keeps: each new page of memory would cost a page fault."""

    numbers = torch.empty(0)


_KEPT = _Kept()


def _planes(images: torch.Tensor) -> torch.Tensor:
    """Images (p, s, s, 3) uint8 -> (p, 3, s, s) float32; on a processor, in the memory that this thread keeps."""
    channels = images.permute(0, 3, 1, 2)
    if images.device.type != "cpu":
        return channels.to(torch.float32, memory_format=torch.contiguous_format)
    if len(_KEPT.numbers) < images.numel():
        with torch.inference_mode(False):  # what is made in this mode can't be changed outside of it
            _KEPT.numbers = torch.empty(images.numel())
    return _KEPT.numbers[: images.numel()].view(channels.shape).copy_(channels)


def recoloured(images: torch.Tensor, made: Changes, numbers: Numbers) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Images (n, s, s, 3) uint8 with the colour changes ``made``, in groups: (p,) int64 numbers of images, and their
    planes (p, 3, s, s), float32 in 0..255.

    On a processor a group stays in the cache, also while the caller changes it, and the next one takes its place.

    Args:
        numbers: those of ``made`` on the images' device.
    """
    most = max(1, GROUP // images[0].numel()) if images.device.type == "cpu" else len(images)
    for group in _groups(made, most):
        rows = numbers.rows[group.first : group.last]
        planes = _planes(images.index_select(0, rows))
        _jitter(planes.flatten(2), group, numbers)
        yield rows, _blurred(_greyed(planes, group, numbers), group, made, numbers)


def finished(images: torch.Tensor, made: Changes | None, numbers: Numbers | None) -> torch.Tensor:
    """Images (n, s, s, 3) uint8 as the network takes them: (n, 3, s, s) float32, channels last in memory.

    Their colours are changed, unless there are no changes, and normalised.
    """
    if made is None or numbers is None:
        return normalise(images.permute(0, 3, 1, 2))
    out = torch.empty(images.shape, device=images.device)
    for rows, planes in recoloured(images, made, numbers):
        normalise_planes(planes, WHITE)
        pixels = planes.permute(0, 2, 3, 1)
        if out.device.type == "cpu":
            # Faster than to gather them first.
            for row, image in zip(rows.tolist(), pixels, strict=True):
                out[row].copy_(image)
        else:
            out.index_copy_(0, rows, pixels.contiguous())
    return out.permute(0, 3, 1, 2)


def _jitter(images: torch.Tensor, group: _Group, numbers: Numbers) -> None:
    """Change images (p, 3, pixels) in place."""
    for place, (blends, (first, last)) in enumerate(zip(group.blends, group.hues, strict=True)):
        some = slice(*blends)
        if some.start < some.stop:
            luma, mean, clip = group.used[place]
            blend(
                images[some.start - group.first : some.stop - group.first],
                numbers.scale[place, some],
                numbers.luma[place, some] if luma else None,
                numbers.mean[place, some] if mean else None,
                clip,
            )
        if first < last:
            shift_hue(images[first - group.first : last - group.first], numbers.turns[first:last])


def _greyed(images: torch.Tensor, group: _Group, numbers: Numbers) -> torch.Tensor:
    """The images (p, 3, s, s), changed in place."""
    places = numbers.greyed[group.greyed] - group.first
    if len(places) == 0:
        return images
    if len(places) == len(images):
        return images.copy_(grey(images)[:, None])
    images[places] = grey(images.index_select(0, places))[:, None]
    return images


def _blurred(images: torch.Tensor, group: _Group, made: Changes, numbers: Numbers) -> torch.Tensor:
    """The images (p, 3, s, s), some of them blurred."""
    sigma = numbers.sigma[group.blurred]
    if len(sigma) == 0:
        return images
    half = half_width(images.shape[-1], float(made.numbers.sigma[group.blurred].max()), made.kernel)
    if len(sigma) == len(images):
        return blur(images, sigma, half, made.rows_only)
    places = numbers.blurred[group.blurred] - group.first
    images[places] = blur(images.index_select(0, places), sigma, half, made.rows_only)
    return images
