"""The kinds of downstream datasets, one row each: their layout, and the reader.

A new kind needs a reader (a :class:`~workflow_scripts.evaluation.datasets.picture_sets.PictureSet`) and a row here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workflow_scripts.core.registry import by_name

if TYPE_CHECKING:
    from workflow_scripts.evaluation.datasets.picture_sets import PictureSet

Locate = Callable[[str], Path]
"""Name of a file of the source -> its path; an empty name gives the source itself."""


@dataclass(frozen=True, kw_only=True)
class DatasetKind:
    """A way in which datasets are stored.

    Attributes:
        name: the value of the setting ``kind``.
        summary: what the source contains, in one phrase.
        read: ``(locate, seed, **settings)`` -> the set; the reader's module is imported only then.
        settings: names of the settings that not all kinds have; ``read`` takes them as keywords.
        contains: what the source's folder must have.
        has_masks: whether images come with object masks.
        from_world: whether the demo's world provides the dataset, so that it needs no source.
    """

    name: str
    summary: str
    read: "Callable[..., PictureSet]"
    settings: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    has_masks: bool = False
    from_world: bool = False


def _folders(locate: Locate, seed: int) -> "PictureSet":
    from workflow_scripts.evaluation.datasets.folder_sets import FolderSet

    return FolderSet(locate(""))


def _world(locate: Locate, seed: int, task: str, masks: bool) -> "PictureSet":
    from workflow_scripts.evaluation.datasets.folder_sets import FolderSet, MasksTar

    probe = FolderSet(locate(f".probe_{task}.tar"), one_tar=True) if task else None
    if probe is not None and not masks:
        return probe
    return MasksTar(locate(".masks.tar"), probe)


def _torchvision(locate: Locate, seed: int, torchvision_name: str) -> "PictureSet":
    from workflow_scripts.evaluation.datasets.torchvision_sets import TorchvisionSet

    return TorchvisionSet(torchvision_name, locate(""), seed)


def _webdataset(locate: Locate, seed: int) -> "PictureSet":
    from workflow_scripts.evaluation.datasets.webdataset_sets import WebDatasetSet

    return WebDatasetSet(locate(""))


def _table(locate: Locate, seed: int, image_column: str, label_column: str) -> "PictureSet":
    from workflow_scripts.evaluation.datasets.table_sets import TableSet

    return TableSet(locate(""), image_column, label_column)


def _masks(locate: Locate, seed: int, min_dominance: float) -> "PictureSet":
    from workflow_scripts.evaluation.datasets.mask_sets import MaskFolder

    return MaskFolder(locate(""), min_dominance)


def _imagenet_s(locate: Locate, seed: int) -> "PictureSet":
    from workflow_scripts.evaluation.datasets.mask_sets import ImageNetS

    return ImageNetS(locate(""))


KINDS = by_name(
    [
        DatasetKind(
            name="folders",
            summary="<split>.tar.gz or <split>/ with <class>/<image>, or class folders alone",
            read=_folders,
        ),
        DatasetKind(
            name="webdataset",
            summary="WebDataset tars of images with .cls or .json, whose paths name their split",
            read=_webdataset,
        ),
        DatasetKind(
            name="table",
            summary="parquet files of images and labels, or a saved folder of Hugging Face datasets; paths name splits",
            read=_table,
            settings=("image_column", "label_column"),
        ),
        DatasetKind(
            name="world", summary="a task of the demo's data", read=_world, settings=("task", "masks"), from_world=True
        ),
        DatasetKind(
            name="torchvision",
            summary="a public set in its official layout, which is that of torchvision.datasets where it reads the set",
            read=_torchvision,
            settings=("torchvision_name",),
        ),
        DatasetKind(
            name="masks",
            summary="photos with object masks and labels.parquet",
            read=_masks,
            settings=("min_dominance",),
            contains=("labels.parquet", "images", "masks"),
            has_masks=True,
        ),
        DatasetKind(
            name="imagenet_s",
            summary="ImageNet-S",
            read=_imagenet_s,
            contains=("validation", "validation-segmentation"),
            has_masks=True,
        ),
    ]
)
