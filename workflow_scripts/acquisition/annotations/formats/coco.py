"""COCO-style JSON: lists ``images`` and ``annotations``, several captions for an image.

An image gets the first caption in the file that is not blank; the others are counted as ``further_caption``. The file
is streamed; memory holds the ids and file names of its images.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from workflow_scripts.acquisition.annotations.formats.columns import Columns, fields_of
from workflow_scripts.acquisition.annotations.formats.files import SourceFiles
from workflow_scripts.acquisition.annotations.formats.json_rows import LAYOUT, items
from workflow_scripts.acquisition.annotations.formats.sample import Sample, first_caption, sample_of
from workflow_scripts.acquisition.annotations.formats.tables import without_row
from workflow_scripts.acquisition.annotations.rows import Apart
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.text_norms import is_blank

Id = int | str
Record = dict[str, Any]
_SAME = {name: name for name in ("image", "url", "caption", "id", "group")}


def coco_samples(path: Path, columns: Columns, files: SourceFiles) -> Iterator[Sample]:
    """A sample for each annotation, in order; then one without caption for each other image of the file and the source.

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
    has_caption: dict[Id, bool] = {}  # of the images that are annotated
    for annotation in items(path, "annotations.item"):
        number = _id(annotation, "image_id")
        if number is None:
            yield Sample(None)
            continue
        caption = first_caption(annotation.get(fields_of(annotation, columns).get("caption", "")))
        row = {"image_id": str(number), "caption": caption}
        if number not in images:
            yield Sample(row, unfit=Apart.NO_IMAGE)
            continue
        sample = sample_of(images[number] | {"caption": caption}, _SAME, files)
        if has_caption.get(number):
            yield Sample(row, unfit=Apart.FURTHER_CAPTION, given_url=sample.given_url)
        else:
            has_caption[number] = not is_blank(caption) if isinstance(caption, str) else caption is not None
            yield sample
    if not has_caption:
        raise PipelineError("no captioned images", path, f"{len(images)} images, none with annotations", LAYOUT)
    for number, image in images.items():
        if number not in has_caption:
            yield sample_of(image, _SAME, files)
    yield from without_row(files)


def _described(image: Record, number: Id, columns: Columns) -> Record:
    """The fields kept for an image: its path or URL, its group and its id."""
    fields = fields_of(image, columns)
    return {field: image[fields[field]] for field in ("image", "url", "group") if field in fields} | {"id": str(number)}


def _id(record: Any, name: str) -> Id | None:
    """A whole number or a text; None where there is none."""
    value = record.get(name) if isinstance(record, dict) else None
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None
