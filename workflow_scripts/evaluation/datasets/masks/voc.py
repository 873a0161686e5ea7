"""The layout of PASCAL VOC (Everingham et al. 2010, IJCV): photos with numbered objects and numbered classes."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.masks.objects import (
    IGNORE,
    MOST_OBJECTS,
    label_of,
    object_picture,
    read_bytes,
    read_numbers,
)
from workflow_scripts.evaluation.datasets.picture_sets import Listing, Picture, safe_parts
from workflow_scripts.evaluation.datasets.splits import Entry

LARGEST = 1 << 20  # bytes; an annotation of a photo has a few thousand
PHOTOS, OBJECTS, CLASSES, ANNOTATIONS, LISTS = (
    "JPEGImages", "SegmentationObject", "SegmentationClass", "Annotations", "ImageSets/Segmentation",
)  # fmt: skip
SPLITS = ("train", "val", "test")
OFFICIAL = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable", "dog",
    "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
)  # fmt: skip
"""The classes 1 to 20 of ``SegmentationClass``."""
Objects = tuple[np.ndarray, list[str]]


class _NoEntities(ElementTree.TreeBuilder):
    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse a document type before the parser reads it: it could declare entities that fill the memory."""
        raise ValueError("it has a document type")


def names_of_objects(path: Path) -> list[str]:
    """The names of the objects in an annotation, in its order; an empty text for one without a name.

    Raises:
        PipelineError: the file is not such an annotation.
    """
    data = read_bytes(path)
    try:
        if len(data) > LARGEST:
            raise ValueError(f"{len(data)} bytes, more than {LARGEST}")
        root = ElementTree.fromstring(data, parser=ElementTree.XMLParser(target=_NoEntities()))
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise PipelineError("unreadable annotation", path, error, "fetch it again, or remove it") from None
    return [(one.findtext("name") or "").strip() for one in root.findall("object")]


def names_in_list(path: Path) -> list[str]:
    """The first word of each line that has one."""
    lines = read_bytes(path).decode("utf-8", "replace").splitlines()
    return [line.split()[0] for line in lines if line.strip()]


class VocMasks:
    """``JPEGImages/<name>.jpg`` with segmentations ``<name>.png`` and annotations ``<name>.xml``.

    ``SegmentationObject`` numbers the objects, 255 is ignored. An object's class is the most frequent one of its pixels
    in ``SegmentationClass``, which must be named in the annotation if there is one. Without ``SegmentationClass`` it is
    the name of the object in the annotation, in the order of the numbers. Without ``SegmentationObject`` each class is
    one object. The names in ``ImageSets/Segmentation/train.txt``, ``val.txt`` and ``test.txt`` are the splits; without
    them, all segmented photos are used.

    Args:
        root: the folder, ``VOC2012`` of the unpacked archive.
        min_dominance: share of the area of all objects that those of the label must cover.
    """

    def __init__(self, root: Path, min_dominance: float = 0.0) -> None:
        self.root, self.where, self.min_dominance = root, str(root), min_dominance
        self.segmented = [root / one for one in (OBJECTS, CLASSES) if (root / one).is_dir()]
        if not self.segmented:
            raise PipelineError("no segmentations", root, f"no {OBJECTS} or {CLASSES}", "give the folder that has them")

    def listing(self) -> Listing:
        """Entries are named ``JPEGImages/<name>.jpg``."""
        entries, left_out = self._labelled
        return Listing(entries, left_out)

    def read(self, wanted: frozenset[str]) -> Iterator[Picture]:
        """Photos with the mask of their label and the map of their objects, in the order of the lists."""
        for entry in self._labelled[0]:
            if entry.name in wanted:
                ids, classes = self._objects(Path(entry.name).stem)
                yield object_picture(entry.name, read_bytes(self.root / entry.name), ids, classes, entry.class_name)

    @cached_property
    def _labelled(self) -> tuple[list[Entry], Counter[str]]:
        left_out: Counter[str] = Counter()
        entries, seen = [], set()
        for split, name in self._names():
            label, reason = ("", "repeated_name") if name in seen else self._label(name)
            seen.add(name)
            if reason:
                left_out[reason] += 1
            else:
                entries.append(Entry(split, label, f"{PHOTOS}/{name}.jpg"))
        if not entries:
            advice = f"{PHOTOS}, {OBJECTS} and {LISTS} must be of the same set (docs/your-own-data.md)"
            raise PipelineError("no usable photos", self.root, dict(left_out), advice)
        return _with_official_splits(entries), left_out

    def _names(self) -> Iterator[tuple[str, str]]:
        lists = {split: self.root / LISTS / f"{split}.txt" for split in SPLITS}
        if any(path.is_file() for path in lists.values()):
            for split, path in lists.items():
                if path.is_file():
                    yield from ((split, name) for name in names_in_list(path))
        else:
            yield from (("train", path.stem) for path in sorted(self.segmented[0].glob("*.png")))

    def _label(self, name: str) -> tuple[str, str]:
        """The label of a photo, or an empty text and the reason why it has none."""
        if safe_parts(name) is None or "/" in name:
            return "", "unsafe_name"
        if not (self.root / PHOTOS / f"{name}.jpg").is_file():
            return "", "no_image"
        if not all((folder / f"{name}.png").is_file() for folder in self.segmented):
            return "", "no_segmentation"
        ids, classes = self._objects(name)
        areas = np.bincount(ids.ravel(), minlength=IGNORE + 1)[1:IGNORE]
        if areas[len(classes) :].any():
            return "", "object_without_name"
        areas = areas[: len(classes)]
        if any(area and not one for area, one in zip(areas, classes, strict=True)):
            return "", "object_without_class"
        return label_of(classes, areas.tolist(), self.min_dominance)

    def _objects(self, name: str) -> Objects:
        """The map of objects of a photo, and their classes; an empty text for one that can't be told.

        Raises:
            PipelineError: a file is damaged, or the two segmentations differ in size.
        """
        maps = [read_numbers(folder / f"{name}.png") for folder in self.segmented]
        annotation = self.root / ANNOTATIONS / f"{name}.xml"
        named = names_of_objects(annotation)[:MOST_OBJECTS] if annotation.is_file() else []
        if len(maps) == 2:
            if maps[0].shape != maps[1].shape:
                value = f"{maps[1].shape} pixels, but {maps[0].shape} in {OBJECTS}"
                raise PipelineError("corrupt segmentation", self.segmented[1] / f"{name}.png", value, "fetch it again")
            return maps[0], _classes_of(maps[0], maps[1], named)
        return (maps[0], named) if self.segmented[0].name == OBJECTS else _one_per_class(maps[0], named)


def _classes_of(ids: np.ndarray, numbers: np.ndarray, named: list[str]) -> list[str]:
    """The class of each object: the most frequent one among its pixels, if there is any and it is in ``named``."""
    pairs = np.bincount(ids.ravel().astype(np.int64) * 256 + numbers.ravel(), minlength=256 * 256).reshape(256, 256)
    pairs[:, [0, IGNORE]] = 0
    largest = int(ids[ids != IGNORE].max(initial=0))
    return [_official(int(row.argmax()), named) if row.any() else "" for row in pairs[1 : largest + 1]]


def _one_per_class(numbers: np.ndarray, named: list[str]) -> Objects:
    """Map of classes -> map with one object per class, and their classes."""
    found = [int(one) for one in np.unique(numbers) if one not in (0, IGNORE)]
    values = np.zeros(256, np.uint8)
    values[IGNORE], values[found] = IGNORE, np.arange(1, len(found) + 1)
    return values[numbers], [_official(one, named) for one in found]


def _official(number: int, named: list[str]) -> str:
    """The class of a number, or an empty text if VOC has no such class or the annotation does not name it."""
    name = OFFICIAL[number - 1] if 1 <= number <= len(OFFICIAL) else ""
    return name if not named or name in named else ""


def _with_official_splits(entries: Sequence[Entry]) -> list[Entry]:
    """Entries of which validation images are the test split if there is no other one.

    Without a training part, or with it alone, all are ``train``, to be split later.
    """
    splits = {one.split for one in entries}
    if {"train", "test"} <= splits:
        return list(entries)
    if splits == {"train", "val"}:
        return [one._replace(split="test") if one.split == "val" else one for one in entries]
    return [one._replace(split="train") for one in entries]
