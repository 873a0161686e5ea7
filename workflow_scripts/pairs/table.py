"""The pair table: neighbours within each scope, and the reasons why images have none."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from workflow_scripts.pairs.neighbours import Found, Rule, nearest
from workflow_scripts.pairs.scopes import SCOPES


@dataclass(frozen=True)
class Pairs:
    """``table``: source, target, rank, cosine; ``without``: number of images without a pair, by reason."""

    table: pa.Table
    without: dict[str, int]


def pair_table(vectors: np.ndarray, keys: pa.Table, rule: Rule, scope: str, device: str) -> Pairs:
    """Neighbours of n images.

    Args:
        vectors: (n, d) float32 unit rows; a row of zeros (an empty caption) has no neighbours and is none.
        keys: key, subreddit, year of the same n images.
        rule: k and thresholds.
        scope: one of ``SCOPES``; neighbours share its columns.
        device: ``cuda`` to search on a GPU.

    Returns:
        Pairs sorted by the source's row, then rank.
    """
    meaning = has_meaning(vectors)
    found, without = [], {"empty_caption": int((~meaning).sum()), "alone_in_scope": 0, "outside_thresholds": 0}
    for rows in scope_rows(keys, scope, meaning):
        if len(rows) == 1:
            without["alone_in_scope"] += 1
            continue
        whole = len(rows) == len(vectors)
        local = nearest(vectors if whole else np.ascontiguousarray(vectors[rows]), rule, device)
        without["outside_thresholds"] += len(rows) - len(np.unique(local.source))
        found.append(Found(rows[local.source], rows[local.target], local.rank, local.cosine))
    return Pairs(_table(found, keys["key"]), without)


def has_meaning(vectors: np.ndarray, block: int = 65_536) -> np.ndarray:
    """(n,) bool: which rows are not all zeros."""
    parts = [np.any(vectors[start : start + block], axis=1) for start in range(0, len(vectors), block)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)


def scope_rows(keys: pa.Table, scope: str, wanted: np.ndarray) -> list[np.ndarray]:
    """Rows of every scope, ascending, those not ``wanted`` left out; scopes in order of their first row."""
    code = np.zeros(len(keys), dtype=np.int64)
    for name in SCOPES[scope].columns:
        column = pc.dictionary_encode(keys[name].combine_chunks())
        code = code * len(column.dictionary) + column.indices.to_numpy()
    rows = np.flatnonzero(wanted)
    _, first, group = np.unique(code[rows], return_index=True, return_inverse=True)
    ordered = rows[np.argsort(group, kind="stable")]
    parts = np.split(ordered, np.cumsum(np.bincount(group))[:-1]) if len(rows) else []
    return [parts[i] for i in np.argsort(first)]


def _table(found: list[Found], keys: pa.ChunkedArray) -> pa.Table:
    empty = Found(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int16), np.zeros(0, np.float32))
    parts = [empty, *found]
    source = np.concatenate([part.source for part in parts])
    order = np.argsort(source, kind="stable")  # ranks are in order within a source already
    target = np.concatenate([part.target for part in parts])[order]
    return pa.table(
        {
            "source": keys.take(pa.array(source[order])),
            "target": keys.take(pa.array(target)),
            "rank": np.concatenate([part.rank for part in parts])[order],
            "cosine": np.concatenate([part.cosine for part in parts])[order],
        }
    )
