"""How far two files of one kind lie apart: numbers by size, everything else by share of unequal cells."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Leaves = dict[str, np.ndarray]  # name of a column, tensor or place -> its values


@dataclass(frozen=True)
class Deviation:
    """How far a file lies from another.

    Attributes:
        number: largest deviation of a floating-point number, as a share of the largest absolute value of its column,
            tensor or place (of 1 where that is less).
        unequal: largest share of cells of a column that are no floating-point numbers and differ.
        where: the column, tensor or place of the larger of both, for people.
    """

    number: float
    unequal: float
    where: str


def deviation(file: Path, reference: Path, suffix: str) -> Deviation | str:
    """Deviation of ``file`` from ``reference``, or why the two can't be compared number by number."""
    reader = next((read for ending, read in READERS.items() if suffix.endswith(ending)), None)
    if reader is None:
        return "its kind is compared by bytes only"
    try:
        ours, theirs = reader(file), reader(reference)
    except (OSError, ValueError, KeyError) as error:
        return f"it can't be read ({error})"
    if ours.keys() != theirs.keys():
        return f"names differ: {', '.join(sorted(ours.keys() ^ theirs.keys())[:3])}"
    found = Deviation(0.0, 0.0, "")
    for name, values in ours.items():
        other = theirs[name]
        if values.shape != other.shape or values.dtype.kind != other.dtype.kind:
            return f"{name} has another form: {values.dtype}{values.shape}, {other.dtype}{other.shape} before"
        number, unequal = _apart(values, other)
        if number > found.number or unequal > found.unequal:
            found = Deviation(max(number, found.number), max(unequal, found.unequal), name)
    return found


def _apart(values: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    if values.size == 0:
        return 0.0, 0.0
    if values.dtype.kind != "f":
        return 0.0, float(np.mean(values != other))
    ours, theirs = values.astype(np.float64), other.astype(np.float64)
    known = np.isfinite(theirs)
    if not np.array_equal(ours[~known], theirs[~known], equal_nan=True):
        return float("inf"), 0.0
    if not known.any():
        return 0.0, 0.0
    scale = max(1.0, float(np.abs(theirs[known]).max()))
    return float(np.abs(ours[known] - theirs[known]).max()) / scale, 0.0


def _parquet(path: Path) -> Leaves:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    return dict(leaf for name in table.column_names for leaf in _column(name, table[name].combine_chunks()))


def _column(name: str, column: Any) -> Iterator[tuple[str, np.ndarray]]:
    import pyarrow.types as kinds

    if kinds.is_list(column.type) or kinds.is_large_list(column.type):
        yield f"{name} (lengths)", np.array([len(one or ()) for one in column.to_pylist()])
        yield from _column(name, column.flatten())
    elif kinds.is_floating(column.type):
        yield name, column.to_numpy(zero_copy_only=False)
    else:
        yield name, np.array([repr(value) for value in column.to_pylist()])


def _npy(path: Path) -> Leaves:
    return {"array": np.load(path, allow_pickle=False)}


def _safetensors(path: Path) -> Leaves:
    from safetensors.numpy import load_file

    return dict(load_file(path))


def _json(path: Path) -> Leaves:
    return dict(_places("", json.loads(path.read_bytes())))


def _places(place: str, value: Any) -> Iterator[tuple[str, np.ndarray]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _places(f"{place}.{name}", inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _places(f"{place}[{number}]", inner)
    else:
        yield place, np.array(value if isinstance(value, float) else repr(value))


def _png(path: Path) -> Leaves:
    """A picture by its share of unequal bytes: a line may move by a pixel."""
    from PIL import Image

    with Image.open(path) as image:
        return {"pixels": np.asarray(image.convert("RGB"))}


READERS: dict[str, Callable[[Path], Leaves]] = {
    ".parquet": _parquet,
    ".npy": _npy,
    ".safetensors": _safetensors,
    ".json": _json,
    ".png": _png,
}
