"""COCO-style JSON: lists ``images`` and ``annotations``, several captions for an image.

An image gets the caption with the lowest annotation id, or the one that ``choose`` says; the others are counted as
``further_caption``. The file is streamed; memory holds the ids and file names of its images.
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
from workflow_scripts.acquisition.annotations.formats.several import Rank, captions_of, rank
from workflow_scripts.acquisition.annotations.formats.tables import without_row
from workflow_scripts.acquisition.annotations.rows import Apart
from workflow_scripts.core.errors import PipelineError

Id = int | str
Record = dict[str, Any]
_SAME = {name: name for name in ("image", "url", "caption", "id", "group")}


def coco_samples(path: Path, columns: Columns, files: SourceFiles, choose: Choose | None = None) -> Iterator[Sample]:
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
    captions: dict[Id, tuple[Rank, Id]] = {}  # image -> its annotation that is used
    for annotation in items(path, "annotations.item"):
        number, of = _id(annotation, "id"), _id(annotation, "image_id")
        if number is not None and of is not None:
            text = next(iter(captions_of(annotation.get(fields_of(annotation, columns).get("caption", "")))), None)
            found = ((text is None, *rank(choose, of, _order(number), text)), number)
            captions[of] = min(found, captions.get(of, found), key=lambda both: both[0])
    if not images or not captions:
        value = f"{len(images)} images, {len(captions)} with annotations"
        raise PipelineError("no captioned images", path, value, LAYOUT)
    wanted = None if choose == "each" else {of: number for of, (_, number) in captions.items()}
    yield from _annotated(path, columns, files, images, wanted)
    for number, image in images.items():
        if number not in captions:
            yield sample_of(image, _SAME, files)
    yield from without_row(files)


def _described(image: Record, number: Id, columns: Columns) -> Record:
    """The fields kept for an image: its path or URL, its group and its id."""
    fields = fields_of(image, columns)
    return {field: image[fields[field]] for field in ("image", "url", "group") if field in fields} | {"id": str(number)}


def _annotated(
    path: Path, columns: Columns, files: SourceFiles, images: dict[Id, Record], wanted: dict[Id, Id] | None
) -> Iterator[Sample]:
    """A sample for each annotation; all of them are used, or those that are ``wanted``, by the id of their image."""
    taken: set[Id] = set()
    for annotation in items(path, "annotations.item"):
        number, of = _id(annotation, "id"), _id(annotation, "image_id")
        if number is None or of is None:
            yield Sample(None)
            continue
        caption = annotation.get(fields_of(annotation, columns).get("caption", ""))
        row = {"image_id": str(of), "caption": caption}
        if of not in images:
            yield Sample(row, unfit=Apart.NO_IMAGE)
        elif wanted is not None and (number != wanted[of] or of in taken):
            given = sample_of(images[of], _SAME, files).given_url
            yield Sample(row, unfit=Apart.FURTHER_CAPTION, given_url=given)
        else:
            taken.add(of)
            yield sample_of(images[of] | {"caption": caption}, _SAME, files)


def _id(record: Any, name: str) -> Id | None:
    """A whole number or a text; None where there is none."""
    value = record.get(name) if isinstance(record, dict) else None
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def _order(number: Id) -> tuple[bool, Id]:
    return isinstance(number, str), number
