"""Public downstream sets with fixed contents: one row each.

A row says how a set is read, how its accuracy is usually averaged, and how much it holds. Config checks, error
messages, disk and cost estimates and the table in ``docs/stages.md`` read these rows. A set of torchvision needs a row
here and nothing else; images in class folders need no row at all (kind ``folders``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from workflow_scripts.core.registry import by_name

Metric = Literal["accuracy", "mean_per_class"]
Paths = Literal["loader", "lazy", "pets", "arrays"]


@dataclass(frozen=True, kw_only=True)
class Contents:
    """How much a set holds, for estimates. The code digest skips it, as no stage reads it.

    Attributes:
        images: number of images that the workflow uses, all splits together.
        classes: number of classes.
        masks: number of images with an object mask.
    """

    images: int
    classes: int
    masks: int = 0


@dataclass(frozen=True)
class Torchvision:
    """How ``torchvision.datasets`` opens a set.

    Attributes:
        reader: class name in ``torchvision.datasets``.
        splits: our split -> arguments of the reader.
        counts: for a set without official splits: images per split as in the original evaluation (its tfds splits);
            -1 = all others. Which images these are is our choice, by hash: tfds's can't be reproduced without tfds.
        per_class: whether ``counts`` are per class.
        paths: ``loader`` (the reader takes a loader, which here returns the path), ``lazy`` (it opens files lazily),
            ``pets`` (paths are in an attribute), ``arrays`` (pixels only; stored as PNG).
    """

    reader: str
    splits: Mapping[str, Mapping[str, Any]]
    counts: Mapping[str, int] = field(default_factory=dict)
    per_class: bool = True
    paths: Paths = "loader"


@dataclass(frozen=True, kw_only=True)
class DownstreamSet:
    """A public set.

    Attributes:
        name: what configs call it: its ``torchvision_name``, for other kinds the ``name`` of the dataset.
        summary: what it shows, and where it was published.
        metric: how accuracy on it is usually averaged; the default of the setting ``metric``.
        contents: how much it holds.
        layout: torchvision's reader of it, or the name of another kind
            (:data:`workflow_scripts.evaluation.datasets.kinds.KINDS`).
    """

    name: str
    summary: str
    metric: Metric
    contents: Contents
    layout: Torchvision | str

    @property
    def kind(self) -> str:
        """How it is stored."""
        return self.layout if isinstance(self.layout, str) else "torchvision"


def _by_name(*names: str) -> dict[str, dict[str, str]]:
    return {name: {"split": name} for name in names}


_BY_FLAG = {"train": {"train": True}, "test": {"train": False}}
_WHOLE: dict[str, dict[str, str]] = {"train": {}}
# The metrics are those of Kornblith et al. (2019, CVPR), which CLIP and the original evaluation follow.
SETS = by_name(
    [
        DownstreamSet(
            name="food101",
            summary="dishes (Bossard et al. 2014, ECCV)",
            metric="accuracy",
            contents=Contents(images=101_000, classes=101),
            layout=Torchvision("Food101", _by_name("train", "test")),
        ),
        DownstreamSet(
            name="cifar10",
            summary="small images of animals and vehicles (Krizhevsky 2009)",
            metric="accuracy",
            contents=Contents(images=60_000, classes=10),
            layout=Torchvision("CIFAR10", _BY_FLAG, paths="arrays"),
        ),
        DownstreamSet(
            name="cifar100",
            summary="small images of everyday things (Krizhevsky 2009)",
            metric="accuracy",
            contents=Contents(images=60_000, classes=100),
            layout=Torchvision("CIFAR100", _BY_FLAG, paths="arrays"),
        ),
        DownstreamSet(
            name="sun397",
            summary="scenes (Xiao et al. 2010, CVPR)",
            metric="accuracy",
            contents=Contents(images=39_700, classes=397),  # of 108,754
            layout=Torchvision("SUN397", _WHOLE, {"train": 50, "test": 50}),
        ),
        DownstreamSet(
            name="cars196",
            summary="car models (Krause et al. 2013, 3dRR)",
            metric="accuracy",
            contents=Contents(images=16_185, classes=196),
            layout=Torchvision("StanfordCars", _by_name("train", "test")),
        ),
        DownstreamSet(
            name="aircraft",
            summary="aircraft variants (Maji et al. 2013, arXiv:1306.5151)",
            metric="mean_per_class",
            contents=Contents(images=10_000, classes=100),
            layout=Torchvision("FGVCAircraft", _by_name("train", "val", "test")),
        ),
        DownstreamSet(
            name="dtd",
            summary="textures (Cimpoi et al. 2014, CVPR)",
            metric="accuracy",
            contents=Contents(images=5_640, classes=47),
            layout=Torchvision("DTD", _by_name("train", "val", "test")),
        ),
        DownstreamSet(
            name="pets",
            summary="breeds of cats and dogs (Parkhi et al. 2012, CVPR)",
            metric="mean_per_class",
            contents=Contents(images=7_349, classes=37),
            layout=Torchvision(
                "OxfordIIITPet", {"train": {"split": "trainval"}, "test": {"split": "test"}}, paths="pets"
            ),
        ),
        DownstreamSet(
            name="caltech101",
            summary="objects (Fei-Fei et al. 2004, CVPR workshop)",
            metric="mean_per_class",
            contents=Contents(images=8_677, classes=101),  # torchvision leaves the background class out
            layout=Torchvision("Caltech101", _WHOLE, {"train": 30, "test": -1}, paths="lazy"),
        ),
        DownstreamSet(
            name="flowers",
            summary="flower species (Nilsback and Zisserman 2008, ICVGIP)",
            metric="mean_per_class",
            contents=Contents(images=8_189, classes=102),
            layout=Torchvision("Flowers102", _by_name("train", "val", "test")),
        ),
        DownstreamSet(
            name="stl10",
            summary="animals and vehicles, from ImageNet (Coates et al. 2011, AISTATS)",
            metric="accuracy",
            contents=Contents(images=13_000, classes=10),
            layout=Torchvision("STL10", _by_name("train", "test"), paths="arrays"),
        ),
        DownstreamSet(
            name="eurosat",
            summary="land use seen by satellite (Helber et al. 2019, JSTARS)",
            metric="accuracy",
            contents=Contents(images=15_000, classes=10),  # of 27,000
            layout=Torchvision("EuroSAT", _WHOLE, {"train": 5000, "val": 5000, "test": 5000}, per_class=False),
        ),
        DownstreamSet(
            name="resisc45",
            summary="scenes seen from the air (Cheng et al. 2017, Proc. IEEE)",
            metric="accuracy",
            contents=Contents(images=31_500, classes=45),
            layout="folders",
        ),
        DownstreamSet(
            name="pcam",
            summary="lymph node tissue with and without tumour (Veeling et al. 2018, MICCAI)",
            metric="accuracy",
            contents=Contents(images=327_680, classes=2),
            layout=Torchvision("PCAM", _by_name("train", "val", "test"), paths="arrays"),
        ),
        DownstreamSet(
            name="imagenet_s50",
            summary="ImageNet with object masks (Gao et al. 2022, TPAMI)",
            metric="accuracy",
            contents=Contents(images=65_183, classes=50, masks=752),  # train and validation; the test set has no masks
            layout="imagenet_s",
        ),
    ]
)
TORCHVISION = {name: row.layout for name, row in SETS.items() if isinstance(row.layout, Torchvision)}


def known_set(kind: str, name: str, torchvision_name: str) -> DownstreamSet | None:
    """The row of a dataset of the config, or None for a set that is not public or has no fixed contents."""
    row = SETS.get(torchvision_name or name)
    return row if row is not None and row.kind == kind else None
