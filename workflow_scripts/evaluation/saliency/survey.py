"""What masks tell before any network is used: which images are scored, object sizes and places, the mean mask."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from workflow_scripts.evaluation.packed import PackedImages
from workflow_scripts.evaluation.saliency.maps.floors import centre_gaussian
from workflow_scripts.evaluation.saliency.masks import IGNORE, OBJECT


@dataclass
class MaskSum:
    """Sums over masks of one size, by pixel.

    Attributes:
        inside: (s, s) float64, masks in which the pixel lies in the object.
        seen: (s, s) float64, masks in which it is not ignored.
    """

    inside: np.ndarray
    seen: np.ndarray

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
    left_out: Counter[str] = field(default_factory=Counter)

    def mean_mask(self, mask: np.ndarray) -> np.ndarray:
        """Mean mask of the training images or, without any, of all scored images but that of ``mask``: (s, s)."""
        return self.scored.mean(without=mask) if self.trained is None else self.trained.mean()


def survey(
    images: PackedImages, test: np.ndarray, train: np.ndarray, has_probe: Callable[[int], bool], sigma: float
) -> MaskSurvey:
    """Read every mask once.

    Args:
        images: with the masks.
        test: rows of the test split that have a mask.
        train: rows of other splits that have a mask.
        has_probe: whether the probe knows the class of a row; other test images are left out.
        sigma: standard deviation of the centre Gaussian, in sides.
    """
    gaussian = centre_gaussian(images.size, sigma)
    left_out: Counter[str] = Counter()
    scored, kept, areas, centred = _sum(images.size), [], [], []
    known = [int(row) for row in test if has_probe(int(row))]
    left_out["class_without_training_image"] = len(test) - len(known)
    for row in known:
        mask = images.mask(row)
        inside = mask == OBJECT
        if not inside.any():
            left_out["empty_mask"] += 1
            continue
        scored.add(mask)
        kept.append(row)
        areas.append(inside.sum() / (mask != IGNORE).sum())
        centred.append(gaussian[inside].mean())
    trained = _sum(images.size) if len(train) else None
    for row in train.tolist():
        assert trained is not None  # there are training masks
        trained.add(images.mask(row))
    return MaskSurvey(np.array(kept, np.int64), np.array(areas), np.array(centred), scored, trained, +left_out)


def _sum(size: int) -> MaskSum:
    return MaskSum(np.zeros((size, size)), np.zeros((size, size)))
