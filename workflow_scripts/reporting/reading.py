"""Reads only the shown rows of large tables."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.reporting.sections.examples import sample_positions
from workflow_scripts.stats.seeds import derive

Row = dict[str, Any]
GROUPS = 8  # row groups that a sample is drawn from: 8 × 65,536 rows at most are read of any table


def sample_rows(path: Path, columns: Sequence[str], most: int, seed: int, use: str) -> pa.Table:
    """At most `most` rows in table order, a seeded choice inside a seeded choice of row groups."""
    with pq.ParquetFile(path) as file:
        groups = sample_positions(file.num_row_groups, GROUPS, derive(seed, "groups"), use)
        table = file.read_row_groups(groups, columns=list(columns))
    return table.take(np.asarray(sample_positions(len(table), most, seed, use), dtype=np.int64))


def rows_of(path: Path, column: str, keys: Sequence[str], columns: Sequence[str] | None = None) -> list[Row]:
    """The rows whose `column` is among `keys`, in table order; the table is scanned in batches."""
    if not keys:
        return []
    wanted = sorted(set(keys))
    table = pq.read_table(path, columns=None if columns is None else list(columns), filters=[(column, "in", wanted)])
    return list(table.to_pylist())
