"""JSON: COCO's lists ``images`` and ``annotations``, with several captions for an image, or rows.

Rows are a list, RedCaps' ``annotations``, or Karpathy's ``images`` with sentences. An image of COCO gets the first
caption in the file that is not blank, or the one that ``choose`` says; the others are counted as ``further_caption``.
The file is streamed; memory holds the ids and file names of COCO's images.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ijson

from workflow_scripts.acquisition.annotations.formats.columns import Columns, check_fields, fields_of
from workflow_scripts.acquisition.annotations.formats.files import SourceFiles
from workflow_scripts.acquisition.annotations.formats.layout import Choose
from workflow_scripts.acquisition.annotations.formats.sample import Sample, of_rows, sample_of
from workflow_scripts.acquisition.annotations.rows import Apart
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.json_stream import PIECE, BoundedStream

Id = int | str
Record = dict[str, Any]
LAYOUT = (
    "expected COCO's {images: [{id, file_name, ...}], annotations: [{id, image_id, caption}]}, or a list of rows with "
    "image and caption"
)
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


def rows_at(path: Path, columns: Columns) -> str | None:
    """Where the rows are in a JSON file, for ijson; None if it is COCO's, or none is found."""
    with open(path, "rb") as stream:
        if stream.read(PIECE).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"["):
            return "item"
    first = next(items(path, "images.item"), None)
    if first is not None:
        return "images.item" if isinstance(first, dict) and "caption" in fields_of(first, columns) else None
    row = next(items(path, "annotations.item"), None)
    fields = fields_of(row, columns) if isinstance(row, dict) else {}
    return "annotations.item" if "image" in fields or "url" in fields else None


def row_samples(path: Path, prefix: str, columns: Columns, files: SourceFiles) -> Iterator[Sample]:
    """A sample for each row.

    Raises:
        PipelineError: the file is not JSON, or its first row lacks what a table needs.
    """
    checked = False
    for row in items(path, prefix):
        if not isinstance(row, dict):
            yield Sample(None)
            continue
        if not checked:
            check_fields(list(row), columns, path)
            checked = True
        if isinstance(row.get("filepath"), str) and isinstance(row.get("filename"), str):  # Karpathy's folder and name
            row["filename"] = f"{row.pop('filepath')}/{row['filename']}"
        yield sample_of(row, fields_of(row, columns), files)


def items(path: Path, prefix: str) -> Iterator[Any]:
    """The members of a list in a JSON file, one at a time.

    Raises:
        PipelineError: the file is not JSON, or nested too deeply.
    """
    try:
        with open(path, "rb") as stream:
            yield from ijson.items(BoundedStream(stream), prefix, use_float=True, buf_size=PIECE)
    except (ijson.JSONError, ValueError, OverflowError) as error:
        raise PipelineError("unreadable JSON file", path, error, LAYOUT) from None
