"""Tables of images and captions: parquet, CSV, TSV, or JSON lines. Rows are read in order, in batches."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from workflow_scripts.acquisition.annotations.formats.columns import Columns, check_fields
from workflow_scripts.acquisition.annotations.formats.files import SourceFiles
from workflow_scripts.acquisition.annotations.formats.layout import HEAD, kind_of_table
from workflow_scripts.acquisition.annotations.formats.sample import Sample, image_sample, sample_of
from workflow_scripts.acquisition.annotations.json_reader import LARGEST_ROW, Oversized
from workflow_scripts.core.files.foreign import batches, readable

BLOCK = 16 << 20  # bytes of CSV that are parsed at once; no row may be longer
PEEKED = 100  # JSON lines whose fields count as the table's columns
ADVICE = "give a parquet, CSV, TSV or JSON lines table in UTF-8"
Record = dict[str, Any]


def table_samples(path: Path, columns: Columns, files: SourceFiles) -> Iterator[Sample]:
    """The rows of a table, then one without caption for each image of the source that no row names.

    Raises:
        PipelineError: the table is unreadable or lacks required columns.
    """
    with open(path, "rb") as stream:
        kind = kind_of_table(stream.read(HEAD))
    with readable("unreadable table", path, ADVICE):
        if kind == "parquet":
            yield from _parquet(path, columns, files)
        elif kind in ("csv", "tsv"):
            yield from _delimited(path, "\t" if kind == "tsv" else ",", columns, files)
        else:
            yield from _json_lines(path, columns, files)
    yield from without_row(files)


def without_row(files: SourceFiles) -> Iterator[Sample]:
    """A sample without caption for each image that no row has named."""
    for name in files.unused_images():
        yield image_sample(name, None, files)


def _parquet(path: Path, columns: Columns, files: SourceFiles) -> Iterator[Sample]:
    with pq.ParquetFile(path) as file:
        schema = file.schema_arrow
    fields = check_fields(schema.names, columns, path)
    kinds = {}
    for field, name in fields.items():
        # Ids and groups may be numbers; a date in place of a time stamp is left out.
        is_number = pa.types.is_integer(schema.field(name).type)
        if field != "created_utc":
            kinds[name] = pa.string()
        elif is_number:
            kinds[name] = pa.int64()
    fields = {field: name for field, name in fields.items() if name in kinds}
    for batch in batches(path, kinds):
        for record in batch.to_pylist():
            yield sample_of(record, fields, files)


def _delimited(path: Path, delimiter: str, columns: Columns, files: SourceFiles) -> Iterator[Sample]:
    malformed = 0

    def skip(_: csv.InvalidRow) -> str:
        nonlocal malformed
        malformed += 1
        return "skip"

    read = csv.ReadOptions(block_size=BLOCK, use_threads=False)
    parse = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=skip)
    with csv.open_csv(path, read, parse) as reader:
        fields = check_fields(reader.schema.names, columns, path)
    malformed = 0
    # Read as bytes, so that one caption that is not UTF-8 does not spoil the whole table. "NA" is a caption.
    kinds = dict.fromkeys(fields.values(), pa.binary())
    convert = csv.ConvertOptions(column_types=kinds, include_columns=list(kinds), strings_can_be_null=False)
    with csv.open_csv(path, read, parse, convert) as reader:
        for batch in reader:
            for record in batch.to_pylist():
                try:
                    yield sample_of({name: value.decode() for name, value in record.items()}, fields, files)
                except UnicodeDecodeError:
                    yield Sample(None)
    for _ in range(malformed):
        yield Sample(None)


def _json_lines(path: Path, columns: Columns, files: SourceFiles) -> Iterator[Sample]:
    with open(path, "rb") as stream:
        peeked = (record for record, _ in zip(_records(stream), range(PEEKED), strict=False))
        names = dict.fromkeys(name for record in peeked if isinstance(record, dict) for name in record)
    fields = check_fields(names, columns, path)
    with open(path, "rb") as stream:
        for record in _records(stream):
            if isinstance(record, dict):
                yield sample_of(record, fields, files)
            else:
                yield Sample(record)


def _records(stream: Any) -> Iterator[Any]:
    """The value of each line; None if it is not JSON, :class:`Oversized` if it is too long to keep in memory."""
    while line := stream.readline(LARGEST_ROW + 1):
        if len(line) > LARGEST_ROW:
            while line and not line.endswith(b"\n"):
                line = stream.readline(LARGEST_ROW)
            yield Oversized()
        elif line.strip():
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                yield None
