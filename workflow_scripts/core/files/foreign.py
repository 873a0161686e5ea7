"""Tables from other sources: read with the required columns and types, or refused with a reason."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.core.files import tars

ROWS_AT_ONCE = 4096
BLOCK = 1 << 20  # bytes of CSV that are parsed at once; no row may be longer. pyarrow keeps 32, and one per thread
CSV = csv.ReadOptions(block_size=BLOCK), csv.ParseOptions(newlines_in_values=True)
LONG_TEXT, LONG_TEXTS = 16 << 10, 64 << 20  # bytes of text: average per row; group size to check
# pa.ArrowException: if a header claims terabytes, pyarrow reports that memory is short.
_UNREADABLE = (*tars.BROKEN, pa.ArrowException)


@contextmanager
def readable(what: str, where: Path | str, advice: str) -> Iterator[None]:
    """Turn any error in reading a foreign parquet file or tar into a PipelineError.

    Raises:
        PipelineError: ``<what> in <where>: <original message>; <advice>``.
    """
    try:
        yield
    except _UNREADABLE as error:
        said = str(error) or type(error).__name__
        if said.startswith("straddling object straddles two block boundaries"):  # pyarrow, of CSV
            said = "a row of more than 1 MiB, or a quotation mark without its pair"
        raise PipelineError(what, where, said, advice) from None


def batches(
    source: Path | BinaryIO, kinds: Mapping[str, pa.DataType], rows: int = ROWS_AT_ONCE
) -> Iterator[pa.RecordBatch]:
    """Batches of rows of a foreign parquet file, with the columns in ``kinds`` cast to these types.

    Raises:
        ValueError: a column is missing, repeated, or of a type that can't be cast; call it within :func:`readable`,
            since pyarrow raises many other errors on damaged files.
    """
    with pq.ParquetFile(source, buffer_size=1 << 20, pre_buffer=False) as file:
        check_columns(file.schema_arrow, kinds)
        _check_sizes(file.metadata, [name for name, kind in kinds.items() if _holds_text(kind)])
        schema = pa.schema(list(kinds.items()))
        for batch in file.iter_batches(batch_size=rows, columns=list(kinds), use_threads=False):
            yield batch.select(schema.names).cast(schema)


def csv_schema(path: Path, kinds: Mapping[str, pa.DataType] | None = None) -> pa.Schema:
    """Columns of a CSV file; the types of those not in ``kinds`` are guessed."""
    with csv.open_csv(path, *CSV, csv.ConvertOptions(column_types=kinds)) as reader:
        return reader.schema


def csv_batches(path: Path, kinds: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    """The same of a CSV file. An empty text is no null, nor is "NA".

    Raises:
        ValueError: see :func:`batches`.
    """
    read, parse = CSV
    check_columns(csv_schema(path, kinds), kinds)
    # "NA" and "null" are valid captions. Types of other columns are not guessed, since a guess can fail later.
    convert = csv.ConvertOptions(column_types=kinds, include_columns=list(kinds), strings_can_be_null=False)
    with csv.open_csv(path, read, parse, convert) as reader:
        yield from reader


def refuse_lists(where: Path, column: str, texts: Sequence[str]) -> None:
    """Refuse a column of CSV whose first texts are mostly lists, such as ``['A dog.', 'A cat.']``.

    Raises:
        PipelineError: at least half of the ``texts`` that are not blank are such lists.
    """
    given = [text for text in texts if text.strip()]
    lists = [text for text in given if _is_list(text.strip())]
    if lists and 2 * len(lists) >= len(given):
        advice = (
            "save a row per caption (pandas: df.explode(column).to_csv(path, index=False)), or keep the lists in JSON "
            "lines (df.to_json('captions.jsonl', orient='records', lines=True)) or parquet"
        )
        raise PipelineError("lists written as text", where, f"column {column} has {lists[0][:60]}", advice)


def _is_list(text: str) -> bool:
    """Whether Python would print a list of texts so."""
    inner = text[1:-1].strip().removesuffix(",").rstrip()
    return text[:1] == "[" and text[-1:] == "]" and len(inner) > 1 and inner[0] in "\"'" and inner[-1] in "\"'"


def table_batches(path: Path, kinds: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    """The same of a parquet or a CSV file, whatever its name.

    Raises:
        ValueError: see :func:`batches`.
    """
    with open(path, "rb") as stream:
        is_parquet = stream.read(4) == b"PAR1"
    yield from batches(path, kinds) if is_parquet else csv_batches(path, kinds)


def _check_sizes(metadata: pq.FileMetaData, texts: Sequence[str]) -> None:
    """Raise ValueError if texts are so long that a few of them would fill the memory."""
    for group in (metadata.row_group(number) for number in range(metadata.num_row_groups)):
        if group.total_byte_size <= LONG_TEXTS:  # pyarrow aborts on a column with broken statistics
            continue
        for column in (group.column(number) for number in range(group.num_columns)):
            size, path = column.total_uncompressed_size, column.path_in_schema
            name = path.removesuffix(".list.element").removesuffix(".list.item")
            if name in texts and size > max(LONG_TEXTS, LONG_TEXT * group.num_rows):
                raise ValueError(f"column {name} has {size} bytes of text in {group.num_rows} rows, which is too much")


def check_columns(schema: pa.Schema, wanted: Mapping[str, pa.DataType]) -> None:
    """Raise ValueError for a column that is missing, repeated, or of a type that can't be cast."""
    for name, kind in wanted.items():
        if (count := schema.names.count(name)) != 1:
            raise ValueError(
                f"{count or 'no'} columns named {name}; the columns are {', '.join(schema.names[:20]) or 'none'}"
            )
        found = schema.field(name).type
        if not _fits(found, kind):
            raise ValueError(f"column {name} is of type {found}, but must be {kind}")


def _fits(found: pa.DataType, kind: pa.DataType) -> bool:
    """Whether values of a type can be cast to another one that is no list, or a list of such values."""
    if pa.types.is_list(kind):
        return (pa.types.is_list(found) or pa.types.is_large_list(found)) and _fits(found.value_type, kind.value_type)
    return not pa.types.is_nested(found) and (not pa.types.is_string(kind) or _is_text(found))


def _holds_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind.value_type if pa.types.is_list(kind) else kind)


def _is_text(kind: pa.DataType) -> bool:
    """Whether values of a type are text, or numbers that can be read as text."""
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_integer)
    return any(test(inner) for test in texts) or pa.types.is_null(inner)
