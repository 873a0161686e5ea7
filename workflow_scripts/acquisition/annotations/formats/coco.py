"""COCO-style JSON: lists ``images`` and ``annotations``, several captions for an image.

An image gets the caption with the lowest annotation id; the others are counted as ``further_caption``. The file is
streamed; memory holds the ids and file names of its images.
"""

import codecs
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import ijson
import numpy as np

from workflow_scripts.acquisition.annotations.formats.columns import Columns, fields_of
from workflow_scripts.acquisition.annotations.formats.files import SourceFiles
from workflow_scripts.acquisition.annotations.formats.sample import Sample, sample_of
from workflow_scripts.acquisition.annotations.formats.tables import without_row
from workflow_scripts.acquisition.annotations.rows import Apart
from workflow_scripts.core.errors import PipelineError

PIECE = 1 << 20  # bytes that are parsed at a time
DEEPEST = 100  # levels of nesting; the parser keeps the whole path to each
_QUOTE = ord('"')
_OTHERS = bytes(set(range(256)) - set(b'"[]{}'))
_STEPS = np.zeros(256, np.int8)
_STEPS[list(b"[{")], _STEPS[list(b"]}")] = 1, -1
Id = int | str
Record = dict[str, Any]
_SAME = {name: name for name in ("image", "url", "caption", "id", "group")}
LAYOUT = "expected COCO's {images: [{id, file_name, ...}], annotations: [{id, image_id, caption}]}"


def coco_samples(path: Path, columns: Columns, files: SourceFiles) -> Iterator[Sample]:
    """A sample for each annotation, in order; then one without caption for each other image of the file and the source.

    Raises:
        PipelineError: the file is not JSON, or lacks one of the two lists.
    """
    images: dict[Id, Record] = {}
    for image in _items(path, "images"):
        number = _id(image, "id")
        if number is None:
            yield Sample(None)
        elif number in images:
            repeated = sample_of(_described(image, number, columns), _SAME, files)
            yield replace(repeated, image=None, unfit=Apart.REPEATED_ID)
        else:
            images[number] = _described(image, number, columns)
    captions: dict[Id, Id] = {}  # image -> its annotation with the lowest id
    for annotation in _items(path, "annotations"):
        number, of = _id(annotation, "id"), _id(annotation, "image_id")
        if number is not None and of is not None and (of not in captions or _order(number) < _order(captions[of])):
            captions[of] = number
    if not images or not captions:
        value = f"{len(images)} images, {len(captions)} with annotations"
        raise PipelineError("no captioned images", path, value, LAYOUT)
    yield from _annotated(path, columns, files, images, captions)
    for number, image in images.items():
        if number not in captions:
            yield sample_of(image, _SAME, files)
    yield from without_row(files)


def _described(image: Record, number: Id, columns: Columns) -> Record:
    """The fields kept for an image: its path or URL, its group and its id."""
    fields = fields_of(image, columns)
    return {field: image[fields[field]] for field in ("image", "url", "group") if field in fields} | {"id": str(number)}


def _annotated(
    path: Path, columns: Columns, files: SourceFiles, images: dict[Id, Record], captions: dict[Id, Id]
) -> Iterator[Sample]:
    taken: set[Id] = set()
    for annotation in _items(path, "annotations"):
        number, of = _id(annotation, "id"), _id(annotation, "image_id")
        if number is None or of is None:
            yield Sample(None)
            continue
        caption = annotation.get(fields_of(annotation, columns).get("caption", ""))
        row = {"image_id": str(of), "caption": caption}
        if of not in images:
            yield Sample(row, unfit=Apart.NO_IMAGE)
        elif number != captions[of] or of in taken:
            given = sample_of(images[of], _SAME, files).given_url
            yield Sample(row, unfit=Apart.FURTHER_CAPTION, given_url=given)
        else:
            taken.add(of)
            yield sample_of(images[of] | {"caption": caption}, _SAME, files)


class BoundedStream:
    """A stream that refuses what needs quadratic time or memory.

    The parser restarts on each piece of a huge string, and keeps the path of each level of nesting.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._depth, self._quoted, self._rest = 0, 0, b""  # after the latest piece; rest: the start of an escape

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes. Raises ValueError if a whole piece lies within one value, or nesting is too deep."""
        piece = self._stream.read(size)
        if len(piece) == PIECE and b'"' not in piece.replace(b'\\"', b""):
            raise ValueError(f"more than {PIECE} bytes without a quotation mark")
        self._check_depth(piece)
        return piece

    def _check_depth(self, piece: bytes) -> None:
        text = (self._rest + piece).replace(b"\\\\", b"").replace(b'\\"', b"")
        self._rest = b"\\" if text.endswith(b"\\") else b""
        signs = np.frombuffer(text.translate(None, _OTHERS).replace(b'""', b""), np.uint8)
        quoted = (self._quoted + np.cumsum(signs == _QUOTE)) % 2
        depths = self._depth + np.cumsum(np.where(quoted, 0, _STEPS[signs]))
        if depths.max(initial=0) > DEEPEST:
            raise ValueError(f"nested more than {DEEPEST} levels deep")
        if len(signs):
            self._quoted, self._depth = int(quoted[-1]), int(depths[-1])


def _items(path: Path, name: str) -> Iterator[Any]:
    try:
        with open(path, "rb") as stream:
            if stream.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
                stream.seek(0)
            yield from ijson.items(BoundedStream(stream), f"{name}.item", use_float=True, buf_size=PIECE)
    except (ijson.JSONError, ValueError, OverflowError) as error:
        raise PipelineError("unreadable COCO file", path, error, LAYOUT) from None


def _id(record: Any, name: str) -> Id | None:
    """A whole number or a text; None where there is none."""
    value = record.get(name) if isinstance(record, dict) else None
    return value if isinstance(value, int | str) and not isinstance(value, bool) else None


def _order(number: Id) -> tuple[bool, Id]:
    return isinstance(number, str), number
