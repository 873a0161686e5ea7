"""JSON that holds rows: a list of them, RedCaps' ``annotations``, or Karpathy's ``images`` with their sentences."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ijson

from workflow_scripts.acquisition.annotations.formats.columns import Columns, check_fields, fields_of
from workflow_scripts.acquisition.annotations.formats.files import SourceFiles
from workflow_scripts.acquisition.annotations.formats.sample import Sample, sample_of
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files.json_stream import PIECE, BoundedStream

LAYOUT = (
    "expected COCO's {images: [{id, file_name, ...}], annotations: [{id, image_id, caption}]}, or a list of rows with "
    "image and caption"
)


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
