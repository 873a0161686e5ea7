"""COCO's files of instances, read as streams; outlines are checked and kept in a compact form."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import ijson

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.json_stream import PIECE, BoundedStream
from workflow_scripts.core.files.undecodable import MOST_PIXELS
from workflow_scripts.evaluation.datasets.masks.outlines import encoded_outline

ADVICE = "give COCO's file of instances, with the lists images, annotations and categories"
Id = int | str
Made = TypeVar("Made")


@dataclass(slots=True)
class Photo:
    """An image of the file.

    Attributes:
        name: its ``file_name``.
        size: height and width in pixels.
        fault: why it can't be used, or an empty text.
        objects: class and encoded outline of each object.
        crowds: encoded outlines of groups of objects that were not outlined one by one.
    """

    name: str
    size: tuple[int, int]
    fault: str = ""
    objects: list[tuple[str, bytes]] = field(default_factory=list)
    crowds: list[bytes] = field(default_factory=list)


def read_instances(path: Path) -> Iterator[Photo]:
    """The images of the file in its order, with their objects in the order of its annotations.

    The three lists can be in any order, so the file is read three times. An image with an outline that does not fit it
    gets a fault.

    Raises:
        PipelineError: the file is damaged; an entry has no id, name or category, or one that is not in the other lists.
    """
    classes = _by_id(path, "categories", _class_of)
    photos = _by_id(path, "images", _photo_of)
    for number, entry in _entries(path, "annotations"):
        photo = photos.get(_id(path, entry, "image_id", "annotations", number))
        if photo is None:
            raise _unfit(path, "annotations", number, "its image_id is not in the list images")
        name = classes.get(_id(path, entry, "category_id", "annotations", number))
        if name is None:
            raise _unfit(path, "annotations", number, "its category_id is not in the list categories")
        if photo.fault:
            continue
        try:
            outline = encoded_outline(entry.get("segmentation"), *photo.size)
        except ValueError:
            photo.fault = "unfit_outline"
            continue
        if entry.get("iscrowd"):
            photo.crowds.append(outline)
        else:
            photo.objects.append((name, outline))
    yield from photos.values()


def _by_id(path: Path, section: str, make: Callable[[dict[str, Any]], Made]) -> dict[Id, Made]:
    """The entries of a list by their id."""
    found: dict[Id, Made] = {}
    for number, entry in _entries(path, section):
        key = _id(path, entry, "id", section, number)
        if key in found:
            raise _unfit(path, section, number, f"its id {key!r} is that of an earlier entry")
        try:
            found[key] = make(entry)
        except ValueError as error:
            raise _unfit(path, section, number, str(error)) from None
    if not found:
        raise PipelineError("unreadable COCO file", path, f"no entries in the list {section}", ADVICE)
    return found


def _class_of(entry: dict[str, Any]) -> str:
    name = entry.get("name")
    if not isinstance(name, str) or not name.strip():
        raise ValueError("it has no name")
    return name.strip()


def _photo_of(entry: dict[str, Any]) -> Photo:
    name, size = entry.get("file_name"), (entry.get("height"), entry.get("width"))
    if not isinstance(name, str) or not name:
        raise ValueError("it has no file_name")
    height, width = (one if type(one) is int and one > 0 else 0 for one in size)
    return Photo(name, (height, width), "" if 0 < height * width <= MOST_PIXELS else "no_usable_size")


def _id(path: Path, entry: dict[str, Any], name: str, section: str, number: int) -> Id:
    value = entry.get(name)
    if not isinstance(value, int | str) or isinstance(value, bool):
        raise _unfit(path, section, number, f"it has no {name}")
    return value


def _entries(path: Path, section: str) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with open(path, "rb") as stream:
            entries = ijson.items(BoundedStream(stream), f"{section}.item", use_float=True, buf_size=PIECE)
            for number, entry in enumerate(entries):
                if not isinstance(entry, dict):
                    raise ValueError(f"entry {number} of {section} is no object")
                yield number, entry
    except (ijson.JSONError, ValueError, OverflowError, OSError) as error:
        raise PipelineError("unreadable COCO file", path, str(error).splitlines()[0], ADVICE) from None


def _unfit(path: Path, section: str, number: int, value: str) -> PipelineError:
    return PipelineError("unfit entry", path, f"entry {number} of {section}: {value}", ADVICE)
