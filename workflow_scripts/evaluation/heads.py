"""Linear heads as files."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from workflow_scripts.core.errors import PipelineError
from workflow_scripts.evaluation.linear_probe import FittedHead


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
