"""Linear heads, and how they are kept in files."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from workflow_scripts.core.errors import PipelineError


class FittedHead(NamedTuple):
    """A head over all classes of a set: scores are ``(x - mean) / std @ weight.T + bias``.

    weight (k, d), bias (k,), mean (d,), std (d,), all float32. A class without a training image has bias -inf.
    """

    weight: np.ndarray
    bias: np.ndarray
    mean: np.ndarray
    std: np.ndarray

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Class of the highest score of each row: (n,) int32."""
        return np.asarray(np.argmax((features - self.mean) / self.std @ self.weight.T + self.bias, 1), np.int32)


def save_heads(path: Path, heads: Mapping[str, FittedHead], objective: str) -> None:
    """Write ``<dataset>.weight/.bias/.mean/.std`` of every set."""
    arrays: dict[str, np.ndarray] = {}
    for name, head in heads.items():
        for part, array in head._asdict().items():
            arrays[f"{name}.{part}"] = np.ascontiguousarray(array, dtype=np.float32)
    save_file(arrays, path, metadata={"objective": objective})


def load_head(path: Path, name: str) -> FittedHead:
    """The head of the set ``name``.

    Raises:
        PipelineError: the file is damaged or has no head of that set.
    """
    advice = "delete the linear probe's artifact and run again"
    try:
        arrays = load_file(path)
        return FittedHead(*(arrays[f"{name}.{part}"] for part in FittedHead._fields))
    except KeyError as error:
        raise PipelineError("no head of this dataset", path, error, advice) from None
    except (SafetensorError, OSError) as error:
        raise PipelineError("unreadable heads", path, error, advice) from None
