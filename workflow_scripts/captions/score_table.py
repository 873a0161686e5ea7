"""The table of a judge's scores of an arm's captions."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

RANDOM = "_random"
HALVES = "_halves"
COLUMNS = ("", "_centred", RANDOM, f"{RANDOM}_centred", HALVES)
"""Endings of the columns of a score."""
KINDS = {"raw": "", "centred": "_centred"}
"""Ending of the columns of each kind of score."""


def schema(names: Sequence[str]) -> pa.Schema:
    """Columns of a table of these scores."""
    scores = [(f"{name}{column}", pa.float32()) for name in names for column in COLUMNS]
    return pa.schema([("key", pa.string()), ("text", pa.uint64()), ("random_image", pa.int16()), *scores])


def text_digest(text: str) -> int:
    """The first 8 bytes of a caption's sha256, by which equal captions of two tables are found."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def by_halves(table: pa.Table, name: str, ending: str) -> np.ndarray:
    """Scores of n captions, float64, NaN where unknown: (1, n) of raw ones; (3, n) of centred ones.

    Centred scores are first those by all other images, and then those by each half of these alone. How far figures of
    the halves are from that of all is the Monte Carlo error of drawing other images.

    Args:
        ending: of the column, one of :data:`COLUMNS`.
    """
    values = _floats(table, f"{name}{ending}")[None]
    if not ending.endswith(KINDS["centred"]):
        return values
    return np.asarray(values + np.array([[0.0], [-0.5], [0.5]]) * _floats(table, f"{name}{HALVES}"))


def _floats(table: pa.Table, column: str) -> np.ndarray:
    return np.asarray(table[column].fill_null(np.nan).to_numpy(), dtype=np.float64)


def score_names(table: pa.Table) -> list[str]:
    """Names of the scores in a table."""
    return [name.removesuffix(COLUMNS[-1]) for name in table.column_names if name.endswith(COLUMNS[-1])]
