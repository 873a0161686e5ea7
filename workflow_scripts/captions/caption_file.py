"""A table of captions that a user brings: parquet or CSV with the columns key and caption."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from workflow_scripts.core.errors import PipelineError


def read_captions(path: Path) -> pa.Table:
    """key, caption (strings) of ``path``; parquet when it begins like one (a fetched file has no suffix), else CSV.

    Raises:
        PipelineError: no such table, or a column is absent.
    """
    advice = "give a parquet or CSV file with the columns key and caption"
    kinds = {"key": pa.string(), "caption": pa.string()}
    try:
        with open(path, "rb") as stream:
            is_parquet = stream.read(4) == b"PAR1"
        if is_parquet:
            table = pq.read_table(path)
        else:
            # A caption "NA" or "null" is a caption; only an absent key counts as missing.
            table = csv.read_csv(
                path, convert_options=csv.ConvertOptions(column_types=kinds, strings_can_be_null=False)
            )
        return table.select(["key", "caption"]).cast(pa.schema(list(kinds.items())))
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, KeyError) as error:
        raise PipelineError("unreadable caption table", path, error, advice) from None
