"""The colour changes of SimCLR's augmentation: decided on the processor, made on batches on any device."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

from workflow_scripts.models.preprocessing import normalise, normalise_planes
from workflow_scripts.pretraining.data.augment import BLUR, GREY, JITTER
from workflow_scripts.pretraining.data.colour import CACHED, WHITE, blend, blur, grey, half_width, shift_hue

BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)
STRENGTH = np.array([0.4, 0.4, 0.4, 0.1])
UNTOUCHED = len(STRENGTH)


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
        hues: (5,) where the images begin whose hue changes at each of four places, and those whose never does.
    """

    numbers: Numbers
    kernel: int | None
    hues: np.ndarray


def changes(uniform: np.ndarray, kernel: int | None = None) -> Changes:
    """Changes by (n, DRAWS) uniform numbers: jitter 0.4/0.4/0.4/0.1 p 0.8 in random order, grey p 0.2, blur p 0.5."""
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
    sigma = 0.1 + 1.9 * uniform[rows[blurred], BLUR + 1]
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
    return Changes(numbers, kernel, np.searchsorted(hue, np.arange(UNTOUCHED + 1)))


def _float32(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32))


@dataclass(frozen=True)
class _Group:
    """Images that are changed together, ``first`` to before ``last`` in the order of changes.

    Attributes:
        used: whether any of them needs scale, luma and mean, at each of four places.
        hues, greyed, blurred: their part of those lists.
    """

    first: int
    last: int
    used: list[list[bool]]
    hues: list[tuple[int, int]]
    greyed: slice
    blurred: slice


def _groups(made: Changes, most: int) -> Iterator[_Group]:
    """All images in groups of at most ``most``, without reading anything from the device."""
    numbers, count = made.numbers, len(made.numbers.rows)
    starts = np.arange(0, count, most)
    edges = np.append(starts, count)
    needs = np.stack([numbers.scale.numpy() != 1, numbers.luma.numpy() != 0, numbers.mean.numpy() != 0])
    used = np.logical_or.reduceat(needs[..., 0], starts, axis=2)
    greyed, blurred = (np.searchsorted(places.numpy(), edges) for places in (numbers.greyed, numbers.blurred))
    hues = made.hues.clip(edges[:-1, None], edges[1:, None])
    for at, (first, last) in enumerate(pairwise(edges.tolist())):
        yield _Group(
            first,
            last,
            used[..., at].T.tolist(),
            list(pairwise(hues[at].tolist())),
            slice(greyed[at], greyed[at + 1]),
            slice(blurred[at], blurred[at + 1]),
        )


def recoloured(images: torch.Tensor, made: Changes, numbers: Numbers) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Images (n, s, s, 3) uint8 with the colour changes ``made``, in groups: (p,) int64 numbers of images, and their
    planes (3, p, s, s), float32 in 0..255.

    On a processor a group is so small that it stays in the cache, also while the caller changes it.

    Args:
        numbers: those of ``made`` on the images' device.
    """
    most = max(1, CACHED // images[0].numel()) if images.device.type == "cpu" else len(images)
    for group in _groups(made, most):
        rows = numbers.rows[group.first : group.last]
        planes = torch.empty((3, len(rows), *images.shape[1:3]), device=images.device)
        planes.copy_(images.index_select(0, rows).permute(3, 0, 1, 2))
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
        # Contiguous, or each number would be copied by itself.
        out.index_copy_(0, rows, planes.permute(1, 2, 3, 0).contiguous())
    return out.permute(0, 3, 1, 2)


def _jitter(images: torch.Tensor, group: _Group, numbers: Numbers) -> None:
    """Change images (3, p, pixels) in place."""
    some = slice(group.first, group.last)
    for place, (used, (first, last)) in enumerate(zip(group.used, group.hues, strict=True)):
        if any(used):
            luma, mean = (
                kind[place, some] if needed else None
                for kind, needed in zip((numbers.luma, numbers.mean), used[1:], strict=True)
            )
            blend(images, numbers.scale[place, some], luma, mean)
        if first < last:
            shift_hue(images[:, first - group.first : last - group.first], numbers.turns[first:last])


def _greyed(images: torch.Tensor, group: _Group, numbers: Numbers) -> torch.Tensor:
    """The images (3, p, s, s), changed in place."""
    places = numbers.greyed[group.greyed] - group.first
    if len(places) == 0:
        return images
    return images.index_copy_(1, places, grey(images.index_select(1, places)).expand(3, -1, -1, -1))


def _blurred(images: torch.Tensor, group: _Group, made: Changes, numbers: Numbers) -> torch.Tensor:
    """The images (3, p, s, s), some of them blurred."""
    sigma = numbers.sigma[group.blurred]
    if len(sigma) == 0:
        return images
    half = half_width(images.shape[-1], float(made.numbers.sigma[group.blurred].max()), made.kernel)
    if len(sigma) == images.shape[1]:
        return blur(images, sigma, half)
    places = numbers.blurred[group.blurred] - group.first
    return images.index_copy_(1, places, blur(images.index_select(1, places), sigma, half))
