"""Caption vectors made by hand."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from tests.file_bytes import npy, parquet
from tests.helpers import make_artifact


def embedded(results: Path, vectors: np.ndarray, name: str = "a.e") -> Path:
    """An embed_captions artifact of (n, d) ``vectors``, keys k0.. in two subreddits."""
    count = len(vectors)
    keys = pa.table(
        {
            "key": [f"k{i}" for i in range(count)],
            "subreddit": ["ab"[i % 2] for i in range(count)],
            "year": pa.array([2020] * count, pa.int16()),
        }
    )
    return make_artifact(
        results, "embed_captions", name, {".npy": npy(vectors.astype(np.float32)), ".keys.parquet": parquet(keys)}
    )
