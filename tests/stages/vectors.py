"""Caption vectors made by hand."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa

from tests.helpers import make_artifact
from tests.stages.captioned import parquet


def embedded(results: Path, vectors: np.ndarray, name: str = "a.e") -> Path:
    """An embed_captions artifact of (n, d) ``vectors``, keys k0.. in two subreddits."""
    stream = io.BytesIO()
    np.save(stream, vectors.astype(np.float32))
    count = len(vectors)
    keys = pa.table(
        {
            "key": [f"k{i}" for i in range(count)],
            "subreddit": ["ab"[i % 2] for i in range(count)],
            "year": pa.array([2020] * count, pa.int16()),
        }
    )
    return make_artifact(results, "embed_captions", name, {".npy": stream.getvalue(), ".keys.parquet": parquet(keys)})
