"""The table of a judge's scores of an arm's captions."""

from collections.abc import Sequence

import pyarrow as pa

RANDOM = "_random"
COLUMNS = ("", "_z", RANDOM, f"{RANDOM}_z")
"""Endings of the columns of a score."""
KINDS = {"raw": "", "standardised": "_z"}
"""Ending of the columns of each kind of score."""


def schema(names: Sequence[str]) -> pa.Schema:
    """Columns of a table of these scores."""
    scores = [(f"{name}{column}", pa.float32()) for name in names for column in COLUMNS]
    return pa.schema([("key", pa.string()), ("random_image", pa.int16()), *scores])


def score_names(table: pa.Table) -> list[str]:
    """Names of the scores in a table."""
    return [name.removesuffix(COLUMNS[-1]) for name in table.column_names if name.endswith(COLUMNS[-1])]
