"""Files of the user that say which objects images show and what these are called."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import ijson
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from workflow_scripts.captions.diagnostics.objects import Synonyms
from workflow_scripts.core.files.foreign import batches, check_columns, readable
from workflow_scripts.core.files.json_stream import PIECE, BoundedStream

KEY, LABEL = "key", "label"
COCO = {"images": ("id",), "annotations": ("image_id", "category_id"), "categories": ("id", "name")}
"""List -> the fields that are read of its entries."""
WHITE = b"\xef\xbb\xbf \t\r\n"


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
        with open(path, "rb") as stream:
            head = stream.read(64).lstrip(WHITE)
        found = _coco(path) if head.startswith(b"{") else _table(path, head.startswith(b"PAR1"))
        if not found.names:
            raise ValueError("no object")
    return found


def _name(label: str) -> str:
    """A label as it is written in both files."""
    return " ".join(label.lower().split())


def _table(path: Path, parquet: bool) -> Labelled:
    objects: dict[str, set[str]] = {}
    for number, (key, labels) in enumerate(_parquet(path) if parquet else _csv(path), 1):
        if not key:
            raise ValueError(f"row {number} has no {KEY}")
        objects.setdefault(key, set()).update(_name(label) for label in labels if label and label.strip())
    return Labelled(objects, set().union(*objects.values()))


def _parquet(path: Path) -> Iterator[tuple[str | None, list[str | None]]]:
    schema = pq.read_schema(path)
    several = schema.names.count(LABEL) == 1 and pa.types.is_nested(schema.field(LABEL).type)
    for batch in batches(path, {KEY: pa.string(), LABEL: pa.list_(pa.string()) if several else pa.string()}):
        labels = batch[LABEL].to_pylist()
        yield from zip(batch[KEY].to_pylist(), ([*(one or [])] if several else [one] for one in labels), strict=True)


def _csv(path: Path) -> Iterator[tuple[str | None, list[str | None]]]:
    kinds = {KEY: pa.string(), LABEL: pa.string()}
    with csv.open_csv(path, convert_options=csv.ConvertOptions(column_types=kinds)) as reader:
        check_columns(reader.schema, kinds)
    convert = csv.ConvertOptions(column_types=kinds, include_columns=list(kinds))
    with csv.open_csv(path, convert_options=convert) as reader:
        for batch in reader:
            for key, label in zip(batch[KEY].to_pylist(), batch[LABEL].to_pylist(), strict=True):
                yield key, [label]


def _coco(path: Path) -> Labelled:
    """The file is streamed, since outlines of objects fill most of it."""
    names: dict[str, str] = {}
    found: dict[str, set[str]] = {}  # image -> categories
    for section, row in _entries(path):
        for field in COCO[section]:
            if field not in row:
                raise ValueError(f"an entry of {section} has no {field}")
        if section == "categories":
            names[row["id"]] = _name(row["name"])
        elif section == "images":
            found.setdefault(row["id"], set())
        else:
            found.setdefault(row["image_id"], set()).add(row["category_id"])
    if unknown := set().union(*found.values()) - names.keys():
        raise ValueError(f"category_id {min(unknown)} is not in the list categories")
    return Labelled({image: {names[one] for one in own} for image, own in found.items()}, set(names.values()))


def _entries(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """List and needed fields of each entry of COCO's lists, in the order of the file."""
    fields = {f"{section}.item.{field}": field for section, needed in COCO.items() for field in needed}
    sections = {f"{section}.item": section for section in COCO}
    row: dict[str, str] = {}
    try:
        with open(path, "rb") as stream:
            for prefix, event, value in ijson.parse(BoundedStream(stream), use_float=True, buf_size=PIECE):
                if prefix in fields and event in ("string", "number"):
                    row[fields[prefix]] = str(value)
                elif event == "end_map" and prefix in sections:
                    yield sections[prefix], row
                    row = {}
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
