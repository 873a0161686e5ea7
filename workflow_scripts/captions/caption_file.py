"""Reads the user's table of captions: parquet or CSV with the columns key and caption."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv

from workflow_scripts.core.files.foreign import batches, check_columns, readable

SCHEMA = pa.schema([("key", pa.string()), ("caption", pa.string())])
BLOCK = 16 << 20  # bytes of CSV that are parsed at once; no row may be longer


def read_captions(path: Path, keys: pa.ChunkedArray) -> pa.Table:
    """key, caption (strings) of the rows of ``path`` whose key is one of ``keys``; memory holds no other rows.

    The format is detected from the first bytes, since a fetched file has no suffix.

    Raises:
        PipelineError: the table is missing or lacks a column.
    """
    with readable("unreadable caption table", path, "give a parquet or CSV file with the columns key and caption"):
        with open(path, "rb") as stream:
            is_parquet = stream.read(4) == b"PAR1"
        found = batches(path, {field.name: field.type for field in SCHEMA}) if is_parquet else _csv(path)
        wanted = [batch.filter(pc.is_in(batch["key"], value_set=keys)) for batch in found]
        return pa.Table.from_batches(wanted, SCHEMA)


def _csv(path: Path) -> Iterator[pa.RecordBatch]:
    # "NA" and "null" are valid captions; only an absent key counts as missing.
    kinds = {field.name: field.type for field in SCHEMA}
    convert = csv.ConvertOptions(column_types=kinds, strings_can_be_null=False)
    with csv.open_csv(path, csv.ReadOptions(block_size=BLOCK), convert_options=convert) as reader:
        check_columns(reader.schema, kinds)
        for batch in reader:
            yield batch.select(SCHEMA.names)
