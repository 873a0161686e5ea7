"""Reads the user's file of captions row by row: parquet, CSV, or JSON in the forms that captioning tools write."""

import json
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path, PurePosixPath
from typing import Any

import ijson
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.core.files.foreign import ROWS_AT_ONCE, batches, csv_batches, csv_schema, readable, refuse_lists
from workflow_scripts.core.files.json_stream import PIECE, BoundedStream
from workflow_scripts.core.files.names import IMAGE_COLUMNS, derived_id

KEYS = ("key", "image_id")  # the second is COCO's; a row that has both is named by the first
CAPTION = "caption"
MOST = 10_000  # captions of a row
FIRST = 16  # batches of CSV, of 1 MiB each, in which lists are looked for
WHITE = b"\xef\xbb\xbf \t\r\n"
HOW = {"use_float": True, "buf_size": PIECE}  # JSON is parsed
Row = tuple[str | None, list[str | None]]
"""Key and captions, of which some may be missing."""


def read_captions(path: Path) -> Iterator[Row]:
    """The rows of ``path``, in order; memory holds a few thousand of them.

    The format is detected from the first bytes, since a fetched file has no suffix. Parquet and CSV have the columns
    key and caption; in parquet, caption may be a list of texts. :func:`json_rows` says which JSON is read. In place of
    key, there may be the path of the image in the source (:data:`IMAGE_COLUMNS`), from which ids are derived.

    Raises:
        PipelineError: the file is missing or damaged, lacks a column, or holds another type.
    """
    advice = "give a parquet, CSV or JSON file with key (or image) and caption (docs/your-own-data.md)"
    with readable("unreadable caption file", path, advice):
        head = head_of(path)
        yield from json_rows(path) if head.startswith((b"{", b"[")) else table_rows(path, CAPTION)


def head_of(path: Path) -> bytes:
    """The first bytes of a file, from which its format is detected."""
    with open(path, "rb") as stream:
        return stream.read(64).lstrip(WHITE)


def table_rows(path: Path, column: str) -> Iterator[Row]:
    """Key and the texts of another column of each row of a parquet or CSV file; in parquet, it may hold lists."""
    is_parquet = head_of(path).startswith(b"PAR1")
    schema = pq.read_schema(path) if is_parquet else csv_schema(path)
    named = next((name for name in ("key", *IMAGE_COLUMNS) if name in schema.names), "key")
    key_of = (lambda key: key) if named == "key" else path_key
    kinds = {named: pa.string(), column: pa.string()}
    if is_parquet:
        several = schema.names.count(column) == 1 and pa.types.is_nested(schema.field(column).type)
        for batch in batches(path, kinds | {column: pa.list_(pa.string())} if several else kinds):
            texts = batch[column].to_pylist()
            rows = (text or [None] for text in texts) if several else ([text] for text in texts)
            yield from zip(map(key_of, batch[named].to_pylist()), rows, strict=True)
        return
    found = csv_batches(path, kinds)
    first = list(islice(found, FIRST))
    texts = [text for batch in first for text in batch[column].slice(0, ROWS_AT_ONCE).to_pylist()]
    refuse_lists(path, column, texts[:ROWS_AT_ONCE])
    for batch in chain(first, found):
        for key, text in zip(batch[named].to_pylist(), batch[column].to_pylist(), strict=True):
            yield key_of(key), [text]


class PathKey(str):
    """The key of an image at a path in the source, or at a URL, which the file gives."""

    path: str


def path_key(path: str | None) -> str | None:
    """The key of the image at a path in the source (or at a URL) that has no id of its own."""
    if not path:
        return path
    key = PathKey(derived_id(path if path.lower().startswith(("http://", "https://")) else str(PurePosixPath(path))))
    key.path = path
    return key


def json_rows(path: Path) -> Iterator[Row]:
    """Key and captions of each row of a JSON file, in order.

    A row is an object with ``key`` (or ``image_id``; text or a whole number; or the path of the image) and
    ``caption``, which is a text, a list of texts, or null; other fields are ignored. The file holds a list of rows, one
    row per line (JSON lines), an object whose list ``annotations`` holds the rows (COCO), or an object whose fields are
    keys and whose values are captions.

    Raises:
        ValueError: it is not JSON, nested too deeply, or has another structure; the message names the row.
    """
    number = 0
    try:
        prefix = _prefix(path)
        with open(path, "rb") as stream:
            bounded = BoundedStream(stream)
            if prefix is None:
                records = ({KEYS[0]: key, CAPTION: value} for key, value in ijson.kvitems(bounded, "", **HOW))
            else:
                records = ijson.items(bounded, prefix, multiple_values=not prefix, **HOW)
            for record in records:
                row = _row(record)
                number += 1
                yield row
    except (ijson.JSONError, ValueError, OverflowError) as error:
        raise ValueError(f"row {number + 1}: {str(error).splitlines()[0]}") from None


def _prefix(path: Path) -> str | None:
    """Where ijson finds the rows: empty for JSON lines; None for an object whose fields are the keys."""
    with open(path, "rb") as stream:
        if _is_row(stream.readline(PIECE)):
            return ""
    if head_of(path).startswith(b"["):
        return "item"
    with open(path, "rb") as stream, suppress(ijson.JSONError, ValueError, OverflowError):  # reported with the rows
        parsed = ijson.parse(BoundedStream(stream), **HOW)
        if any(event == "start_map" for prefix, event, _ in parsed if prefix == "annotations.item"):
            return "annotations.item"
    return None


def _is_row(line: bytes) -> bool:
    """Whether a line is a row by itself."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and CAPTION in value and not value.keys().isdisjoint((*KEYS, *IMAGE_COLUMNS))


def _row(record: Any) -> Row:
    if not isinstance(record, dict):
        raise ValueError("it is not an object")
    keys = [_key(record[name]) for name in KEYS if name in record]
    keys += [path_key(_key(record[name])) for name in IMAGE_COLUMNS if name in record and not any(keys)]
    return next((key for key in keys if key is not None), None), _captions(record.get(CAPTION))


def _key(value: Any) -> str | None:
    if value is None or (isinstance(value, int | str) and not isinstance(value, bool)):
        return None if value is None else str(value)
    raise ValueError("the key must be text or a whole number")


def _captions(value: Any) -> list[str | None]:
    texts = value if isinstance(value, list) else [value]
    if len(texts) > MOST or not all(text is None or isinstance(text, str) for text in texts):
        raise ValueError(f"the caption must be text, null or a list of at most {MOST} texts")
    return texts or [None]
