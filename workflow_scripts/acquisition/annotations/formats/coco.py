"""COCO-style JSON: lists ``images`` and ``annotations``, several captions for an image.

An image gets the first caption in the file that is not blank, or the one that ``choose`` says; the others are counted
as ``further_caption``. The file is streamed; memory holds the ids and file names of its images.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from workflow_scripts.acquisition.annotations.formats.columns import Columns, fields_of
from workflow_scripts.acquisition.annotations.formats.files import SourceFiles
from workflow_scripts.acquisition.annotations.formats.json_rows import LAYOUT, items
from workflow_scripts.acquisition.annotations.formats.layout import Choose
from workflow_scripts.acquisition.annotations.formats.sample import Sample, sample_of
from workflow_scripts.acquisition.annotations.formats.several import of_rows
from workflow_scripts.acquisition.annotations.rows import Apart
from workflow_scripts.core.errors import PipelineError

Id = int | str
Record = dict[str, Any]
_SAME = {name: name for name in ("image", "url", "caption", "id", "group")}


def coco_samples(path: Path, columns: Columns, files: SourceFiles, choose: Choose | None = None) -> Iterator[Sample]:
    """A sample for each annotation, in order; then one without caption for each other image of the file.

    Raises:
        PipelineError: the file is not JSON, or lacks one of the two lists.
    """
    images: dict[Id, Record] = {}
    for image in items(path, "images.item"):
        number = _id(image, "id")
        if number is None:
            yield Sample(None)
        elif number in images:
            repeated = sample_of(_described(image, number, columns), _SAME, files)
            yield replace(repeated, image=None, unfit=Apart.REPEATED_ID)
        else:
            images[number] = _described(image, number, columns)
    annotated: set[Id] = set()
    yield from of_rows(lambda: _annotations(path, columns, files, images, annotated), choose or "first")
    if not annotated:
        raise PipelineError("no captioned images", path, f"{len(images)} images, none with annotations", LAYOUT)
    for number, image in images.items():
        if number not in annotated:
            yield sample_of(image, _SAME, files)


def _annotations(
    path: Path, columns: Columns, files: SourceFiles, images: dict[Id, Record], annotated: set[Id]
) -> Iterator[Sample]:
    """A sample for each annotation; adds the ids of their images to ``annotated``."""
    for annotation in items(path, "annotations.item"):
        number = _id(annotation, "image_id")
        if number is None:
            yield Sample(None)
            continue
        caption = annotation.get(fields_of(annotation, columns).get("caption", ""))
        if number in images:
            annotated.add(number)
            yield sample_of(images[number] | {"caption": caption}, _SAME, files)
        else:
            yield Sample({"image_id": str(number), "caption": caption}, unfit=Apart.NO_IMAGE)


def _described(image: Record, number: Id, columns: Columns) -> Record:
    """The fields kept for an image: its path or URL, its group and its id."""
    fields = fields_of(image, columns)
    return {field: image[fields[field]] for field in ("image", "url", "group") if field in fields} | {"id": str(number)}


def _id(record: Any, name: str) -> Id | None:
    """A whole number or a text; None where there is none."""
    value = record.get(name) if isinstance(record, dict) else None
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None
