"""What a public downstream set with fixed contents says about itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Metric = Literal["accuracy", "mean_per_class"]
Paths = Literal["loader", "lazy", "pets", "arrays"]


@dataclass(frozen=True)
class Torchvision:
    """How a set is opened by a reader with the interface of ``torchvision.datasets``.

    Attributes:
        reader: class name in ``torchvision.datasets`` or, for sets that it lacks, in
            :mod:`workflow_scripts.evaluation.datasets.official_readers`.
        splits: our split -> arguments of the reader.
        counts: for a set without official splits: images per split as in the original evaluation (its tfds splits);
            -1 = all others. Which images these are is our choice, by hash: tfds's can't be reproduced without tfds.
        per_class: whether ``counts`` are per class.
        paths: ``loader`` (the reader takes a loader, which here returns the path), ``lazy`` (it opens files lazily),
            ``pets`` (paths are in an attribute), ``arrays`` (pixels only; stored as PNG).
        most_pixels: images are stored again as JPEG, scaled down to about this number of pixels; 0: as they are.
    """

    reader: str
    splits: Mapping[str, Mapping[str, Any]]
    counts: Mapping[str, int] = field(default_factory=dict)
    per_class: bool = True
    paths: Paths = "loader"
    most_pixels: int = 0


@dataclass(frozen=True, kw_only=True)
class DownstreamSet:
    """A public set.

    Attributes:
        name: what configs call it: its ``torchvision_name``, for other kinds the ``name`` of the dataset.
        summary: what it shows, and where it was published.
        metric: how accuracy on it is usually averaged; the default of the setting ``metric``.
        sizes: published number of images of each split that is used; a source with other sizes is an error.
        classes: number of classes, each of which is in every split.
        side: of sets whose images are all of one size and small, that size in pixels.
        unused: number of further images, which are in no split.
        masks: number of images with an object mask.
        licence: as its authors state it.
        homepage: where it is described and found.
        archives: its published archives -> md5 or sha256. An archive that lies in the source is checked.
        place: which files to put where; empty for a set that the workflow can download.
        layout: its reader, or the name of another kind (:data:`workflow_scripts.evaluation.datasets.kinds.KINDS`).
    """

    name: str
    summary: str
    metric: Metric = "accuracy"
    sizes: Mapping[str, int]
    classes: int
    side: int = 0
    unused: int = 0
    masks: int = 0
    licence: str
    homepage: str
    archives: Mapping[str, str] = field(default_factory=dict)
    place: str = ""
    layout: Torchvision | str

    @property
    def kind(self) -> str:
        """How it is stored."""
        return self.layout if isinstance(self.layout, str) else "torchvision"

    @property
    def images(self) -> int:
        """Number of images that the workflow uses, all splits together."""
        return sum(self.sizes.values())


def by_split(*names: str) -> dict[str, dict[str, str]]:
    """Splits whose official names are ours, for a reader with the argument ``split``."""
    return {name: {"split": name} for name in names}
