"""Tables of images and captions: parquet, CSV, TSV, or JSON lines. Rows are read in order, in batches."""

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.acquisition.annotations.formats.columns import Columns, check_fields, fields_of
from workflow_scripts.acquisition.annotations.formats.files import SourceFiles
from workflow_scripts.acquisition.annotations.formats.layout import HEAD, kind_of_table
from workflow_scripts.acquisition.annotations.formats.sample import Sample, sample_of
from workflow_scripts.acquisition.annotations.rows import LARGEST_ROW, Apart
from workflow_scripts.core.files.foreign import batches, readable, refuse_lists

_NUMBERED = re.compile(r".+\.\w+#\d+")
PEEKED = 100  # JSON lines, one of which at least must have the fields that a table needs
_UNDECODED = re.compile("[\udc80-\udcff]")
Record = dict[str, Any]


def table_samples(path: Path, columns: Columns, files: SourceFiles) -> Iterator[Sample]:
    """The rows of a table.

    Raises:
        PipelineError: the table is unreadable or lacks required columns.
    """
    with open(path, "rb") as stream:
        kind = kind_of_table(stream.read(HEAD))
    with readable("unreadable table", path, "give a parquet, CSV, TSV or JSON lines table in UTF-8"):
        if kind == "parquet":
            yield from _parquet(path, columns, files)
        elif kind in ("csv", "tsv"):
            yield from _delimited(path, "\t" if kind == "tsv" else ",", columns, files)
        else:
            yield from _json_lines(path, columns, files)


def _parquet(path: Path, columns: Columns, files: SourceFiles) -> Iterator[Sample]:
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
    fields = check_fields(schema.names, columns, path)
    kinds = {}
    for field, name in fields.items():
        # Ids and groups may be numbers; a date in place of a time stamp is left out.
        is_number = pa.types.is_integer(schema.field(name).type)
        if field == "caption" and pa.types.is_nested(schema.field(name).type):
            kinds[name] = pa.list_(pa.string())
        elif field != "created_utc":
            kinds[name] = pa.string()
        elif is_number:
            kinds[name] = pa.int64()
    fields = {field: name for field, name in fields.items() if name in kinds}
    for batch in batches(path, kinds):
        for record in batch.to_pylist():
            yield sample_of(record, fields, files)


def _delimited(path: Path, delimiter: str, columns: Columns, files: SourceFiles) -> Iterator[Sample]:
    header = [_UNDECODED.sub("�", name) for name in next(_csv_rows(path, delimiter), [])]
    numbered = len(header) == 2 and _NUMBERED.fullmatch(header[0]) is not None
    if numbered:  # a row of Flickr8k's, which has neither header nor quotation marks
        header = ["image", "caption"]
    fields = check_fields(header, columns, path)
    places = {name: header.index(name) for name in fields.values()}

    def rows() -> Iterator[list[str]]:
        return islice(_csv_rows(path, delimiter, quoted=not numbered), 0 if numbered else 1, None)

    captions = [row[places[fields["caption"]] :][:1] for row in islice(rows(), PEEKED)]
    refuse_lists(path, fields["caption"], [text for cell in captions for text in cell])
    for row in rows():
        if numbered:
            row[0] = row[0].rpartition("#")[0]
        record = {name: row[place] for name, place in places.items() if place < len(row)}
        unfit = Apart.MALFORMED_ROW if len(row) != len(header) else None
        if any(_UNDECODED.search(value) for value in record.values()):
            unfit = Apart.NOT_UTF8
        sample = sample_of(record, fields, files)  # its image counts as named, also where the row is not used
        yield replace(sample, raw=sample.raw | {"caption": None}, unfit=unfit) if unfit else sample


def _csv_rows(path: Path, delimiter: str, quoted: bool = True) -> Iterator[list[str]]:
    """The rows of a CSV table that are not blank; bytes that are not UTF-8 become lone surrogates.

    Raises:
        ValueError: quotation marks do not match, or a row is too long, which is usually due to the same. The rows
            after it can't be told from the text of that row.
    """
    length = 0

    def lines(stream: TextIO) -> Iterator[str]:
        nonlocal length
        while line := stream.readline(LARGEST_ROW + 1):
            length += len(line)
            if length > LARGEST_ROW:
                raise ValueError(f"more than {LARGEST_ROW} characters")
            yield line

    csv.field_size_limit(LARGEST_ROW)
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as stream:
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
        reader, first = csv.reader(lines(stream), delimiter=delimiter, quoting=quoting, strict=True), 1
        try:
            for row in reader:
                if row:
                    yield row
                length, first = 0, reader.line_num + 1
        except (csv.Error, ValueError) as error:
            raise ValueError(f"row in line {first}: {error}; check its quotation marks") from None


def _json_lines(path: Path, columns: Columns, files: SourceFiles) -> Iterator[Sample]:
    """Rows may have different fields, so columns are determined for each."""
    with open(path, "rb") as stream:
        peeked = islice(_records(stream), PEEKED)
        names = dict.fromkeys(name for record in peeked if isinstance(record, dict) for name in record)
    check_fields(list(names), columns, path)
    fields = lru_cache(maxsize=16)(lambda names: fields_of(names, columns))
    with open(path, "rb") as stream:
        for record in _records(stream):
            if isinstance(record, dict):
                yield sample_of(record, fields(tuple(record)), files)
            else:
                yield Sample(None, unfit=record if isinstance(record, Apart) else None)


def _records(stream: Any) -> Iterator[Any]:
    """The value of each line; None if it is not JSON, ``oversized_row`` if it is too long to keep in memory."""
    while line := stream.readline(LARGEST_ROW + 1):
        if len(line) > LARGEST_ROW:
            while line and not line.endswith(b"\n"):
                line = stream.readline(LARGEST_ROW)
            yield Apart.OVERSIZED_ROW
        elif line.strip():
            yield parsed(line)


def parsed(text: bytes) -> Any:
    """The value of a JSON text; None if it is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
