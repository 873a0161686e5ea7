"""Object masks of a downstream set, by row."""

import numpy as np
import pyarrow.parquet as pq

from workflow_scripts.core.artifact import Artifact
from workflow_scripts.core.shards import TarImages, hash_column

NONE = -1


def dataset_masks(dataset: Artifact) -> TarImages:
    """The encoded masks of an ``eval_dataset`` artifact in the row order of its table; ``size`` is -1 where none is."""
    table = pq.read_table(dataset.path(".parquet"), columns=["mask_offset", "mask_size", "mask_sha256"])
    offset, size = (table[name].fill_null(NONE).to_numpy() for name in ("mask_offset", "mask_size"))
    which = np.zeros(len(table), dtype=np.int64)
    return TarImages([dataset.location(".tar")], which, offset, size, hash_column(table["mask_sha256"]))
