"""Vectors of captions as ``embed_captions`` leaves them."""

from pathlib import Path

import numpy as np

from tests.file_bytes import npy, parquet
from tests.helpers import make_artifact
from workflow_scripts.core.artifact import Artifact


def embedded(results: Path, arm: str, keys: list[str], rows: np.ndarray) -> Artifact:
    """Vectors of an arm's captions."""
    files = {".npy": npy(rows.astype(np.float32)), ".keys.parquet": parquet({"key": keys})}
    return Artifact(make_artifact(results, "embed_captions", arm, files))
