"""COCO's instances: photos with outlines of all their objects (Lin et al. 2014, ECCV)."""

from collections import Counter
from collections.abc import Container, Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.datasets.masks.coco_files import Photo, read_instances
from workflow_scripts.evaluation.datasets.masks.objects import IGNORE, LabelRule, label_of, object_picture, read_bytes
from workflow_scripts.evaluation.datasets.masks.outlines import outline_area, outline_pixels
from workflow_scripts.evaluation.datasets.masks.splits import with_official_splits
from workflow_scripts.evaluation.datasets.picture_sets import Listing, Picture
from workflow_scripts.evaluation.datasets.splits import Entry
from workflow_scripts.evaluation.datasets.tars import safe_parts

INSTANCES = "annotations/instances_*.json"


class _Part(NamedTuple):
    split: str
    file: Path
    images: Path


class _Found(NamedTuple):
    entries: list[Entry]
    photos: dict[str, Photo]
    left_out: Counter[str]


class CocoMasks:
    """``annotations/instances_<part>.json`` with photos in ``<part>/``, ``images/<part>/`` or ``images/``.

    ``<part>`` begins with train, val or test, such as train2017. Crowds (``iscrowd``) are ignored.

    Args:
        root: the folder.
        rule: which class labels a photo.
    """

    def __init__(self, root: Path, rule: LabelRule) -> None:
        self.root, self.where, self.rule = root, str(root), rule
        self.parts = [_part(root, file) for file in sorted(root.glob(INSTANCES))]
        if not self.parts:
            raise PipelineError("no annotations", root, f"no {INSTANCES}", "give the folder above annotations/")

    def listing(self) -> Listing:
        """Entries are named by the path of the photo below the folder."""
        return Listing(list(self._found.entries), Counter(self._found.left_out))

    def read(self, wanted: frozenset[str]) -> Iterator[Picture]:
        """Photos with the mask of their label and the map of their objects, in the order of the files."""
        for entry in self._found.entries:
            if entry.name in wanted:
                photo = self._found.photos[entry.name]
                ids, classes = object_map(photo), [name for name, _ in photo.objects]
                yield object_picture(entry.name, read_bytes(self.root / entry.name), ids, classes, entry.class_name)

    @cached_property
    def _found(self) -> _Found:
        found = _Found([], {}, Counter())
        for part in self.parts:
            folder = part.images.relative_to(self.root).as_posix()
            for photo in read_instances(part.file):
                name = f"{folder}/{photo.name}"
                label, reason = self._label(name, photo, found.photos)
                if reason:
                    found.left_out[reason] += 1
                else:
                    found.photos[name] = photo
                    found.entries.append(Entry(part.split, label, name))
        if not found.entries:
            value = dict(found.left_out)
            raise PipelineError("no usable photos", self.root, value, f"put those of {self.parts[0].file} there")
        return found._replace(entries=with_official_splits(found.entries))

    def _label(self, name: str, photo: Photo, earlier: Container[str]) -> tuple[str, str]:
        """The label of a photo, or an empty text and the reason why it has none."""
        if safe_parts(name) is None:
            return "", "unsafe_name"
        if photo.fault:
            return "", photo.fault
        if name in earlier:
            return "", "repeated_name"
        if not (self.root / name).is_file():
            return "", "no_image"
        return label_of([one for one, _ in photo.objects], _areas(photo), self.rule)


def object_map(photo: Photo) -> np.ndarray:
    """The map of a photo's objects. Where they overlap, the smaller one is seen; crowds are ignored elsewhere."""
    ids = np.zeros(photo.size, np.uint8)
    for counts in photo.crowds:
        ids[outline_pixels(counts, *photo.size)] = IGNORE
    areas = _areas(photo)
    for number in sorted(range(len(areas)), key=lambda one: (-areas[one], one)):
        ids[outline_pixels(photo.objects[number][1], *photo.size)] = number + 1
    return ids


def _areas(photo: Photo) -> list[int]:
    return [outline_area(counts, *photo.size) for _, counts in photo.objects]


def _part(root: Path, file: Path) -> _Part:
    """The split and the photos of a file of instances.

    Raises:
        PipelineError: its name states no split, or there is no folder of photos.
    """
    name = file.stem.removeprefix("instances_")
    split = next((one for one in ("train", "val", "test") if name.startswith(one)), "")
    if not split:
        advice = "name it instances_train<...>.json, instances_val<...>.json or instances_test<...>.json"
        raise PipelineError("unclear split", file, name, advice)
    folders = [root / name, root / "images" / name, root / "images"]
    images = next((path for path in folders if path.is_dir()), None)
    if images is None:
        raise PipelineError("no photos", root, f"no folder {name}, images/{name} or images", "unpack them there")
    return _Part(split, file, images)
