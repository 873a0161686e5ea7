"""Reads the user's file of captions row by row: parquet, CSV or JSON."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from workflow_scripts.captions.caption_json import WHITE, Row, json_rows
from workflow_scripts.core.files.foreign import batches, check_columns, readable

BLOCK = 16 << 20  # bytes of CSV that are parsed at once; no row may be longer


def read_captions(path: Path) -> Iterator[Row]:
    """The rows of ``path``, in order; memory holds a few thousand of them.

    The format is detected from the first bytes, since a fetched file has no suffix. Parquet and CSV have the columns
    key and caption; in parquet, caption may be a list of texts. :func:`json_rows` says which JSON is read.

    Raises:
        PipelineError: the file is missing or damaged, lacks a column, or holds another type.
    """
    advice = "give a parquet, CSV or JSON file with key and caption (docs/your-own-data.md)"
    with readable("unreadable caption file", path, advice):
        with open(path, "rb") as stream:
            head = stream.read(64).lstrip(WHITE)
        if head.startswith(b"PAR1"):
            yield from _parquet(path)
        elif head.startswith((b"{", b"[")):
            yield from json_rows(path)
        else:
            yield from _csv(path)


def _parquet(path: Path) -> Iterator[Row]:
    schema = pq.read_schema(path)
    several = schema.names.count("caption") == 1 and pa.types.is_nested(schema.field("caption").type)
    kinds = {"key": pa.string(), "caption": pa.list_(pa.string()) if several else pa.string()}
    for batch in batches(path, kinds):
        captions = batch["caption"].to_pylist()
        rows = (one or [None] for one in captions) if several else ([one] for one in captions)
        yield from zip(batch["key"].to_pylist(), rows, strict=True)


def _csv(path: Path) -> Iterator[Row]:
    kinds = {"key": pa.string(), "caption": pa.string()}
    read, parse = csv.ReadOptions(block_size=BLOCK), csv.ParseOptions(newlines_in_values=True)
    with csv.open_csv(path, read, parse, csv.ConvertOptions(column_types=kinds)) as reader:
        check_columns(reader.schema, kinds)
    # "NA" and "null" are valid captions. Types of other columns are not guessed, since a guess can fail later.
    convert = csv.ConvertOptions(column_types=kinds, include_columns=list(kinds), strings_can_be_null=False)
    with csv.open_csv(path, read, parse, convert) as reader:
        for batch in reader:
            for key, caption in zip(batch["key"].to_pylist(), batch["caption"].to_pylist(), strict=True):
                yield key, [caption]
