"""Reads weights from files that are not trusted: named tensors, and nothing else."""

import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors.torch import load_file
from torch import nn

from workflow_scripts.core.errors import PipelineError, one_line

ENDINGS = (".safetensors", ".pth", ".pt", ".ckpt", ".bin")  # by preference
COUNTER = "num_batches_tracked"  # of batch norms; evaluation does not read it, and older files lack it
SHOWN = 3


def weights_file(path: Path) -> Path:
    """The file itself, or that of a folder: its safetensors file, else its only PyTorch file.

    Hidden files do not count: on other file systems, macOS puts ``._<name>`` beside each file.

    Raises:
        PipelineError: the folder has none or several.
    """
    if path.is_file():
        return path
    for ending in ENDINGS:
        found = sorted(file for file in path.glob(f"*{ending}") if not file.name.startswith("."))
        if len(found) == 1:
            return found[0]
        if found:
            value = ", ".join(file.name for file in found[:SHOWN]) + (" and others" if found[SHOWN:] else "")
            raise PipelineError("several files of weights", path, value, "give the path of one file")
    raise PipelineError("no weights", path, f"no file *{', *'.join(ENDINGS)}", "give a file, or a folder with one")


def read_weights(path: Path, prefix: str = "") -> dict[str, torch.Tensor]:
    """Tensors by name from a safetensors or PyTorch file; no code in it is executed.

    Args:
        prefix: only names that begin with it are read, and it is removed.

    Raises:
        PipelineError: the file is damaged, is compressed, holds objects other than tensors, or no name begins with
            ``prefix``.
    """
    advice = "give a file of named tensors, as safetensors or torch.save(model.state_dict()) writes it"
    try:
        with path.open("rb") as file:
            start = file.read(9)
            if zipfile.is_zipfile(file):
                _check_stored(file)
        # A safetensors file begins with the length of its header, in eight bytes, and the header, which is JSON.
        found: Any = load_file(path) if start[8:] == b"{" else torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        value = one_line(str(error))[:200]
        raise PipelineError("weights that hold more than tensors", path, value, advice) from None
    except Exception as error:  # noqa: BLE001 - an untrusted file can make a reader fail in any way
        raise PipelineError("unreadable weights", path, one_line(str(error))[:200], advice) from None
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in found.items()
    ):
        raise PipelineError("weights that are not named tensors", path, type(found).__name__, advice)
    chosen = {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}
    if not chosen:
        value = f"none of {len(found)} names begins with {prefix}, the first is {next(iter(found), 'missing')}"
        raise PipelineError("no weights with this prefix", path, value, "correct prefix")
    return chosen


def _check_stored(file: BinaryIO) -> None:
    """Raise BadZipFile if a member is compressed: torch never does that, and 1 MB could unpack to 1 GB."""
    with zipfile.ZipFile(file) as archive:
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED:
                raise zipfile.BadZipFile(f"{member.filename} is compressed, which torch.save never does")


def fill(network: nn.Module, weights: Mapping[str, torch.Tensor], classifier: Sequence[str], where: Path) -> None:
    """Load weights into a network without a classifier: exactly its own; those of a classifier are left out.

    Args:
        classifier: beginnings of the names of the classifier's weights.

    Raises:
        PipelineError: weights are missing or unexpected, have another shape, or are no finite real numbers.
    """
    own = network.state_dict()
    given = {name: value for name, value in weights.items() if name in own or not name.startswith(tuple(classifier))}
    missing = [name for name in own if name not in given and not name.endswith(COUNTER)]
    unexpected = sorted(given.keys() - own.keys())
    shapes = [
        f"{name} {tuple(value.shape)} instead of {tuple(own[name].shape)}"
        for name, value in given.items()
        if name in own and value.shape != own[name].shape
    ]
    kinds = [name for name, value in given.items() if name in own and not _is_like(value, own[name])]
    faults = {"missing": missing, "unexpected": unexpected, "of another shape": shapes, "not finite reals": kinds}
    if any(faults.values()):
        value = "; ".join(f"{len(names)} {what}: {', '.join(names[:SHOWN])}" for what, names in faults.items() if names)
        raise PipelineError(
            "weights of another network", where, value, "correct layout, architecture, prefix or image_size"
        )
    counters = {name: value for name, value in own.items() if name.endswith(COUNTER)}
    try:
        network.load_state_dict({**counters, **given})
    except RuntimeError as error:  # tensors without plain values: sparse, quantised, on no device
        value = one_line(str(error))[:200]
        raise PipelineError("weights that can't be copied", where, value, "give dense tensors of numbers") from None


def _is_like(value: torch.Tensor, own: torch.Tensor) -> bool:
    """Whether weights can stand for ``own``: integers would be quantised ones without their scale."""
    if not own.is_floating_point():
        return True
    has_values = value.layout == torch.strided and not value.is_meta  # others are refused when they are copied
    return value.is_floating_point() and (not has_values or bool(value.float().isfinite().all()))
