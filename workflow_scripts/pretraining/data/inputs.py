"""Reads the inputs of a run from tables of other stages."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.pretraining.data.pairing import (
    Pairing,
    among,
    completed,
    from_captions,
    from_labels,
    from_table,
    rows_of,
    with_itself,
)
from workflow_scripts.pretraining.data.token_rows import TokenRows, TokenSizes
from workflow_scripts.pretraining.settings import Pretrain


def read_pairing(settings: Pretrain, keys: pa.ChunkedArray, path: Path | None) -> Pairing:
    """Positive pairs of a run.

    Args:
        settings: of the run.
        keys: keys of all images in index order.
        path: the pair table; None if each image is paired with itself.

    Raises:
        PipelineError: the table names an image that is not among ``keys``.
    """
    if path is None:
        return with_itself(np.arange(len(keys)))
    pairing = from_table(keys, pq.read_table(path, columns=["source", "target", "rank"]), path)
    return completed(pairing, len(keys)) if settings.unpaired == "self" else pairing


def read_captions(pairing: Pairing, keys: pa.ChunkedArray, path: Path) -> tuple[Pairing, np.ndarray]:
    """The pairs whose source has a caption in the table ``path``, and the captions' numbers source by source.

    Raises:
        PipelineError: the table names an image that is not among ``keys``.
    """
    captioned, numbers = from_captions(keys, pq.read_table(path, columns=["key", "caption"]), path)
    pairing, _ = among(pairing, captioned.sources)
    return pairing, numbers[np.searchsorted(captioned.sources, pairing.sources)]


def read_tokens(
    pairing: Pairing, keys: pa.ChunkedArray, table: Path, ids: Path, sizes: TokenSizes
) -> tuple[Pairing, TokenRows]:
    """The pairs whose source has a caption, and the tokens of these captions source by source.

    Args:
        pairing: pairs.
        keys: keys of all images in index order.
        table: columns key and tokens, the number of ids of each caption.
        ids: .npy of the ids of all captions of the table, one after another.
        sizes: of the tokenizer.

    Raises:
        PipelineError: the table names an image that is not among ``keys``.
    """
    found = pq.read_table(table, columns=["key", "tokens"])
    lengths, at = found["tokens"].to_numpy(), np.full(len(keys), -1)
    at[rows_of(keys, found["key"], table)] = np.arange(len(found))
    captioned = np.flatnonzero(at >= 0)
    captioned = captioned[lengths[at[captioned]] > 0]
    pairing, _ = among(pairing, captioned)
    rows = TokenRows(ids, sizes, np.cumsum(lengths, dtype=np.int64) - lengths, lengths)
    return pairing, rows.of(at[pairing.sources])


def read_common(pairing: Pairing, keys: pa.ChunkedArray, path: Path) -> tuple[Pairing, np.ndarray]:
    """The pairs of the images in the table ``path`` (column ``key``), and which sources are kept (m,).

    Raises:
        PipelineError: the table names an image that is not among ``keys``.
    """
    return among(pairing, rows_of(keys, pq.read_table(path, columns=["key"])["key"], path))


def read_labels(label: str, keys: pa.ChunkedArray, path: Path) -> tuple[Pairing, np.ndarray]:
    """The images of ``keys`` with a label, each paired with itself, and their labels (:func:`from_labels`).

    Args:
        label: column of the table.
        keys: keys of all images in index order.
        path: the table of labels (image_id and labels).

    Raises:
        PipelineError: fewer than two different labels.
    """
    table = pq.read_table(path, columns=["image_id", label])
    pairing, labels = from_labels(keys, table["image_id"], table[label])
    if len(labels) == 0 or labels.max() == 0:
        value = f"{label} has {len(np.unique(labels))} different values"
        raise PipelineError("too few labels", path, value, "choose a label that tells images apart")
    return pairing, labels
