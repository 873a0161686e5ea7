"""Linear heads, and their files."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import load_file, save_file


class FittedHead(NamedTuple):
    """A head over all classes of a set: scores are ``(x - mean) / std @ weight.T + bias``.

    weight (k, d), bias (k,), mean (d,), std (d,), all float32. A class without a training image has bias -inf.
    """

    weight: np.ndarray
    bias: np.ndarray
    mean: np.ndarray
    std: np.ndarray

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Score of each class for each row of ``features`` (n, d): (n, k) float32."""
        return np.asarray((features - self.mean) / self.std @ self.weight.T + self.bias)

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Class of the highest score of each row: (n,) int32."""
        return np.asarray(np.argmax(self.scores(features), 1), np.int32)


def save_head(path: Path, head: FittedHead, objective: str) -> None:
    """Write ``weight``, ``bias``, ``mean`` and ``std`` of a head that was fitted with ``objective``."""
    arrays = {part: np.ascontiguousarray(array, dtype=np.float32) for part, array in head._asdict().items()}
    save_file(arrays, path, metadata={"objective": objective})


def load_head(path: Path) -> FittedHead:
    """The head that :func:`save_head` wrote."""
    arrays = load_file(path)
    return FittedHead(*(arrays[part] for part in FittedHead._fields))
