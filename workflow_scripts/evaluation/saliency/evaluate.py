"""Maps of a network and of baselines on the masked test images of a set, and all their scores, from one pass."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import NamedTuple

import numpy as np
from torch import nn

from workflow_scripts.core.declaration.result_names import CEILING, CHANCE, LEADING
from workflow_scripts.core.threads import mapped
from workflow_scripts.evaluation.downstream import Downstream
from workflow_scripts.evaluation.linear_probe.heads import FittedHead
from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.evaluation.saliency.maps.floors import centre_gaussian, enlarged, oracle, sobel
from workflow_scripts.evaluation.saliency.maps.grad_cam import KINDS, NetworkMaps, explaining, swapped_classes
from workflow_scripts.evaluation.saliency.maps.kinds import COMMON, LAYERED
from workflow_scripts.evaluation.saliency.scores import IGNORE, OBJECT, SCORES, constant, near_object, score_maps
from workflow_scripts.models.backbones import Explained
from workflow_scripts.stats.seeds import derive

SHOWN = (LEADING, "runner_up")
"""Maps of the first layer that are kept for the report."""
OTHER_IMAGE, MEAN_MASK = "other_image", "mean_mask"
TOLERANCE = 0.067
"""Sides of the image from the object up to which pointing_game_near counts a hit: 15 of 224 pixels."""
THRESHOLDS = np.linspace(0, 1, 101)
"""Of the IoU curve, in shares of the map's maximum."""


class MaskSum:
    """Sums over masks of one size, by pixel.

    Attributes:
        inside: (s, s) float64, masks in which the pixel lies in the object.
        seen: (s, s) float64, masks in which it is not ignored.
    """

    def __init__(self, size: int) -> None:
        self.inside, self.seen = np.zeros((2, size, size))

    def add(self, mask: np.ndarray) -> None:
        """Count one more mask (s, s) uint8."""
        self.inside += mask == OBJECT
        self.seen += mask != IGNORE

    def mean(self, without: np.ndarray | None = None) -> np.ndarray:
        """Share of the masks in which a pixel lies in the object, among those that do not ignore it: (s, s) float64.

        Args:
            without: a mask among those counted, which is left out.
        """
        inside, seen = self.inside, self.seen
        if without is not None:
            inside, seen = inside - (without == OBJECT), seen - (without != IGNORE)
        return np.divide(inside, seen, out=np.zeros_like(inside), where=seen > 0)


@dataclass
class MaskSurvey:
    """The masks of a set.

    Attributes:
        rows: (n,) int64, test images that are scored, ascending.
        areas: (n,) float64, the object's share of the pixels that are not ignored.
        centred: (n,) float64, mean of the centre Gaussian over the object's pixels: 1 is the middle.
        scored: sums over the masks that are scored.
        trained: sums over the masks of training images; None if there are none.
        left_out: images with a mask that are not scored, by reason.
    """

    rows: np.ndarray
    areas: np.ndarray
    centred: np.ndarray
    scored: MaskSum
    trained: MaskSum | None
    left_out: Counter[str]

    def mean_mask(self, mask: np.ndarray) -> np.ndarray:
        """Mean mask of the training images or, without any, of all scored images but that of ``mask``: (s, s)."""
        return self.scored.mean(without=mask) if self.trained is None else self.trained.mean()


def survey(images: PackedImages, test: np.ndarray, has_probe: np.ndarray) -> MaskSurvey:
    """Read every mask once.

    Args:
        images: with the m masks.
        test: (m,) bool, whether each is of the test split; the others are of training images.
        has_probe: (m,) bool, whether the probe knows its class; other test images are left out.
    """
    gaussian = centre_gaussian(images.size)
    left_out = Counter(class_without_training_image=int((test & ~has_probe).sum()))
    scored, trained = MaskSum(images.size), MaskSum(images.size)
    kept, areas, centred = [], [], []
    for row in images.masked[test & has_probe].tolist():
        mask = images.mask(row)
        inside = mask == OBJECT
        if not inside.any():
            left_out["empty_mask"] += 1
            continue
        scored.add(mask)
        kept.append(row)
        areas.append(inside.sum() / (mask != IGNORE).sum())
        centred.append(gaussian[inside].mean())
    for row in images.masked[~test].tolist():
        trained.add(images.mask(row))
    columns = np.array(kept, np.int64), np.array(areas), np.array(centred)
    return MaskSurvey(*columns, scored, None if test.all() else trained, +left_out)


class SaliencyPlan(NamedTuple):
    """How maps are computed and scored: see the settings of ``saliency`` for each field."""

    layers: tuple[str, ...]
    upsampling: str
    batch_size: int
    seed: int
    device: str
    workers: int

    @property
    def maps(self) -> list[tuple[str, str]]:
        """(layer, kind) of all maps of an image, in the order of their scores; kinds common to all layers have ""."""
        return [*((layer, kind) for layer in self.layers for kind in LAYERED), *(("", kind) for kind in COMMON)]


@dataclass
class SaliencyResult:
    """Scores of the n scored images of a set, in the order of ``survey.rows``.

    Attributes:
        name: the set's name.
        plan: how they were computed.
        survey: what their masks say.
        keys: (n,) text.
        labels: (n,) classes.
        swapped: (n, 2) the classes of the maps ``runner_up`` and ``random_class``.
        scores: (n, maps, scores) float64, in the order of ``plan.maps`` and ``SCORES``; nan for a single image's maps
            that would be those of other images.
        shown: (n, maps, h, w) float32, the maps :data:`SHOWN` of the first layer.
        constant: maps without any contrast, by (layer, kind); they are scored as uniform.
    """

    name: str
    plan: SaliencyPlan
    survey: MaskSurvey
    keys: list[str]
    labels: np.ndarray
    swapped: np.ndarray
    scores: np.ndarray
    shown: np.ndarray
    constant: Counter[tuple[str, str]] = field(default_factory=Counter)


class _Seen(NamedTuple):
    """One image with all that its scores need.

    Attributes:
        place: among the scored images.
        pixels: (s, s, 3) uint8.
        mask: (s, s) uint8.
        maps: for each layer (kinds, h, w) float32.
    """

    place: int
    pixels: np.ndarray
    mask: np.ndarray
    maps: list[np.ndarray]


def evaluate_saliency(
    network: nn.Module,
    parts: Sequence[Explained],
    data: Downstream,
    head: FittedHead,
    images: PackedImages,
    plan: SaliencyPlan,
) -> SaliencyResult:
    """Score the masked test images of a set; besides the maps to be shown, two batches are in memory, or those of
    twice as many images as workers.

    Images whose mask is empty after the centre crop, or whose class has no training image, are left out and
    counted. Map and mask are compared at the size of the network's input.
    """
    has_probe = np.isfinite(head.bias)[data.labels[images.masked]]
    found = survey(images, np.isin(images.masked, data.rows("test")), has_probe)
    keys, n = [str(key) for key in data.keys[found.rows]], len(found.rows)
    swapped = swapped_classes(head, data, found.rows, plan.seed)
    scores, shown = np.empty((n, len(plan.maps), len(SCORES))), np.empty((n, len(SHOWN), 0, 0))
    result = SaliencyResult(data.name, plan, found, keys, data.labels[found.rows], swapped, scores, shown)
    if n:
        with explaining(network.to(plan.device), parts) as cam:
            seen = _seen(NetworkMaps(cam, parts, data, head, plan.device), images, result)
            first = next(seen)
            _score(pairwise(chain([first], seen, [first])), result, images.size)
    if n == 1:
        others = {OTHER_IMAGE} if found.trained else {OTHER_IMAGE, MEAN_MASK}
        result.scores[:, [kind in others for _, kind in plan.maps]] = np.nan
    return result


def _seen(network_maps: NetworkMaps, images: PackedImages, result: SaliencyResult) -> Iterator[_Seen]:
    """The images in the order of a hash of their keys, with the network's maps, batch by batch."""
    plan, rows = result.plan, result.survey.rows
    order = sorted(range(len(rows)), key=lambda at: derive(plan.seed, "order", result.keys[at]))
    for start in range(0, len(order), plan.batch_size):
        part = np.array(order[start : start + plan.batch_size])
        pixels, keys = images.batch(rows[part]), [result.keys[place] for place in part]
        maps = network_maps.of(pixels, result.labels[part], result.swapped[part], keys, plan.seed)
        for at, place in enumerate(part.tolist()):
            picture, mask = pixels[at].permute(1, 2, 0).numpy(), images.mask(int(rows[place]))
            yield _Seen(place, picture, mask, [layer[:, at] for layer in maps])


def _score(images: Iterator[tuple[_Seen, _Seen]], result: SaliencyResult, size: int) -> None:
    """Fill in scores, maps to be shown, and counts of constant maps; by ``workers``.

    Args:
        images: each with the one after it, the last one with the first, so a single one with itself.
    """
    plan, gaussian = result.plan, centre_gaussian(size)

    def scored(pair: tuple[_Seen, _Seen]) -> tuple[_Seen, np.ndarray, np.ndarray]:
        image, other = pair
        mean_mask = result.survey.mean_mask(image.mask)
        common = {CHANCE: np.ones_like(gaussian), "centre_gaussian": gaussian, MEAN_MASK: mean_mask}
        common["sobel"] = sobel(image.pixels)
        maps = _all_maps(image, other, common, plan)
        near = near_object(image.mask, TOLERANCE * size)
        return image, score_maps(maps, image.mask, near, THRESHOLDS), constant(maps, image.mask)

    for image, scores, without in mapped(scored, images, plan.workers):
        result.scores[image.place] = scores
        result.constant.update(name for name, constant in zip(plan.maps, without, strict=True) if constant)
        kept = image.maps[0][[KINDS.index(kind) for kind in SHOWN]]
        if not result.shown.size:
            result.shown = np.empty((len(result.keys), *kept.shape), np.float32)
        result.shown[image.place] = kept


def _all_maps(image: _Seen, other: _Seen, common: dict[str, np.ndarray], plan: SaliencyPlan) -> np.ndarray:
    """The maps of an image in the order of ``plan.maps``: (maps, s, s) float32."""
    found = []
    for own, theirs in zip(image.maps, other.maps, strict=True):
        layered = dict(zip(KINDS, own, strict=True))
        layered[OTHER_IMAGE] = theirs[KINDS.index(LEADING)]
        layered[CEILING] = oracle(image.mask, (own.shape[1], own.shape[2]))
        found.append(enlarged(np.stack([layered[kind] for kind in LAYERED]), len(image.mask), plan.upsampling))
    return np.concatenate([*found, np.stack([common[kind] for kind in COMMON]).astype(np.float32)])
