"""Objects that a caption names although they are not in the image, where the objects of images are known.

Files of the user say which objects images show, and what these are called. Source: Rohrbach et al. 2018 (EMNLP, "Object
Hallucination in Image Captioning"), CHAIR. The objects of an image are those of its labels alone; the paper adds those
that people name in their captions.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import ijson

from workflow_scripts.captions.caption_file import head_of, table_rows
from workflow_scripts.captions.diagnostics.words import words_of
from workflow_scripts.core.files.foreign import readable
from workflow_scripts.core.files.json_stream import PIECE, BoundedStream

KEY, LABEL = "key", "label"
Synonyms = Mapping[str, Sequence[str]]
"""Object -> other names of it."""


class ObjectNames:
    """Finds names of objects in captions.

    Args:
        names: all objects, of one or more words.
        synonyms: other names. A name of several objects stands for any of them.
    """

    def __init__(self, names: Iterable[str], synonyms: Synonyms | None = None) -> None:
        self._objects: dict[tuple[str, ...], set[str]] = {}
        for name in {*names, *(synonyms or {})}:
            for one in (name, *(synonyms or {}).get(name, ())):
                for form in _forms(words_of(one)):
                    self._objects.setdefault(form, set()).add(name)
        self._longest = max(map(len, self._objects), default=0)

    def mentions(self, words: Sequence[str]) -> Iterator[set[str]]:
        """What each name among a caption's words (:func:`~.words.words_of`) stands for, in their order.

        The longest name counts, so a hot dog is no dog.
        """
        at = 0
        while at < len(words):
            sizes = range(min(self._longest, len(words) - at), 0, -1)
            size = next((size for size in sizes if tuple(words[at : at + size]) in self._objects), 0)
            if size:
                yield self._objects[tuple(words[at : at + size])]
            at += size or 1

    def count(self, words: Sequence[str], present: Collection[str]) -> tuple[int, int]:
        """Number of mentions of objects in a caption, and how many of these are of objects that are not ``present``."""
        absent = [stands_for.isdisjoint(present) for stands_for in self.mentions(words)]
        return len(absent), sum(absent)


def _forms(words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Singular and regular plurals of a name; nothing without words."""
    if words:
        *first, last = words
        for form in (last, f"{last}s", f"{last}es", f"{last[:-1]}ies" if last.endswith("y") else last):
            yield (*first, form)


class Labelled(NamedTuple):
    """Images whose objects are known.

    Attributes:
        objects: key of an image -> the objects in it, possibly none.
        names: all objects that there could be.
    """

    objects: Mapping[str, set[str]]
    names: set[str]


UNLABELLED = Labelled({}, set())


def read_objects(path: Path) -> Labelled:
    """Objects of images from a parquet or CSV file with the columns key and label, or from COCO's instances (JSON).

    A row is an object of an image; in parquet, label can also be a list. An image with a blank label or an empty list
    has none. In COCO's file, keys are the ids of its images.

    Raises:
        PipelineError: the file is missing or damaged, lacks a column or list, or names no object.
    """
    advice = f"give a parquet or CSV file with the columns {KEY} and {LABEL}, or COCO's instances (docs/captions.md)"
    with readable("unreadable labels of objects", path, advice):
        found = _coco(path) if head_of(path).startswith(b"{") else _table(path)
        if not found.names:
            raise ValueError("no object")
    return found


def _name(label: str) -> str:
    """A label as it is written in both files."""
    return " ".join(label.lower().split())


def _table(path: Path) -> Labelled:
    objects: dict[str, set[str]] = {}
    for number, (key, labels) in enumerate(table_rows(path, LABEL), 1):
        if not key:
            raise ValueError(f"row {number} has no {KEY}")
        objects.setdefault(key, set()).update(_name(label) for label in labels if label and label.strip())
    return Labelled(objects, set().union(*objects.values()))


def _coco(path: Path) -> Labelled:
    names = {number: _name(name) for number, name in _entries(path, "categories", "id", "name")}
    found: dict[str, set[str]] = {image: set() for (image,) in _entries(path, "images", "id")}
    for image, category in _entries(path, "annotations", "image_id", "category_id"):
        found.setdefault(image, set()).add(category)
    if unknown := set().union(*found.values()) - names.keys():
        raise ValueError(f"category_id {min(unknown)} is not in the list categories")
    return Labelled({image: {names[one] for one in own} for image, own in found.items()}, set(names.values()))


def _entries(path: Path, section: str, *fields: str) -> Iterator[list[str]]:
    """Fields of the entries of one of COCO's lists. It is streamed, since outlines of objects fill most of the file."""
    try:
        with open(path, "rb") as stream:
            for entry in ijson.items(BoundedStream(stream), f"{section}.item", use_float=True, buf_size=PIECE):
                values = [entry.get(field) if isinstance(entry, dict) else None for field in fields]
                for field, value in zip(fields, values, strict=True):
                    if not isinstance(value, str | int | float):
                        raise ValueError(f"an entry of {section} has no {field}")
                yield [str(value) for value in values]
    except ijson.JSONError as error:
        raise ValueError(str(error).splitlines()[0]) from None


def read_synonyms(path: Path) -> Synonyms:
    """Other names of objects from a text file: on each line an object and its other names, separated by commas.

    This is the form of ``synonyms.txt`` of CHAIR's authors.

    Raises:
        PipelineError: the file is missing, is no text, or has no synonym.
    """
    advice = "write on each line an object and its other names, separated by commas"
    with readable("unreadable synonyms of objects", path, advice):
        found: dict[str, list[str]] = {}
        for line in path.read_text("utf-8-sig").splitlines():
            first, *others = (_name(name) for name in line.split(","))
            found.setdefault(first, []).extend(others)
        found.pop("", None)
        if not any(found.values()):
            raise ValueError("no synonyms")
    return found
