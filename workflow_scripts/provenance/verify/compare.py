"""How much two files of one kind differ: the largest deviation of a number, and the share of cells that differ."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]  # name of a column, an array, or a place in JSON -> its values
WEIGHTS = "weights"  # all floating-point tensors of a file in one


@dataclass(frozen=True)
class Deviation:
    """How much a file deviates from another.

    Attributes:
        number: largest deviation of a floating-point number, as a share of the largest absolute value of its column,
            array or place (of 1 where that is less); of weights, the norm of the difference of all of them together, as
            a share of their norm.
        unequal: largest share of a column's cells that differ: numbers by more than a bound, anything else at all.
        where: the column, array or place that deviates most, for people.
    """

    number: float
    unequal: float
    where: str


def deviation(file: Path, reference: Path, suffix: str, bound: float = 0.0) -> Deviation | str:
    """Deviation of ``file`` from ``reference``, or why the two can't be compared number by number.

    Args:
        suffix: the files' suffix, which tells their kind.
        bound: numbers that deviate by more, measured as in :class:`Deviation`, count as unequal cells.
    """
    reader = next((read for ending, read in READERS.items() if suffix.endswith(ending)), None)
    if reader is None:
        return "files of this kind are compared by bytes only"
    try:
        ours, theirs = reader(file), reader(reference)
    except Exception as error:  # noqa: BLE001 - readers of seven formats raise nearly anything on damaged files
        return f"it can't be read ({error})"
    if ours.keys() != theirs.keys():
        return f"names differ: {', '.join(sorted(ours.keys() ^ theirs.keys())[:3])}"
    found = Deviation(0.0, 0.0, "")
    for name, values in ours.items():
        other = theirs[name]
        if values.shape != other.shape or values.dtype.kind != other.dtype.kind:
            return f"{name} has another type or shape: {values.dtype}{values.shape}, {other.dtype}{other.shape} before"
        if name == WEIGHTS:
            number = _norm_apart(values, other)
            unequal = float(number > bound)
        else:
            number, unequal = _apart(values, other, bound)
        if number > found.number or unequal > found.unequal:
            found = Deviation(max(number, found.number), max(unequal, found.unequal), name)
    return found


def _apart(values: np.ndarray, other: np.ndarray, bound: float) -> tuple[float, float]:
    """Largest deviation and share of unequal cells of one column."""
    if values.size == 0:
        return 0.0, 0.0
    if values.dtype.kind != "f":
        return 0.0, float(np.mean(values != other))
    ours, theirs = values.astype(np.float64), other.astype(np.float64)
    known = np.isfinite(theirs)
    if not np.array_equal(ours[~known], theirs[~known], equal_nan=True) or not np.isfinite(ours[known]).all():
        return float("inf"), 1.0
    if not known.any():
        return 0.0, 0.0
    scale = max(1.0, float(np.abs(theirs[known]).max()))
    apart = np.abs(ours[known] - theirs[known]) / scale
    return float(apart.max()), float(np.mean(apart > bound))


def _norm_apart(values: np.ndarray, other: np.ndarray) -> float:
    if not np.isfinite(values).all() or not np.isfinite(other).all():
        return 0.0 if np.array_equal(values, other, equal_nan=True) else float("inf")
    norm = float(np.linalg.norm(other))
    return float(np.linalg.norm(values - other)) / norm if norm else float(np.abs(values).max(initial=0.0))


def _read_parquet(path: Path) -> Arrays:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    return dict(part for name in table.column_names for part in _column(name, table[name].combine_chunks()))


def _column(name: str, column: Any) -> Iterator[tuple[str, np.ndarray]]:
    """A column as one array; a column of lists as their lengths, then their members."""
    import pyarrow.types as kinds

    if kinds.is_list(column.type) or kinds.is_large_list(column.type):
        yield f"{name} (lengths)", np.array([len(one or ()) for one in column.to_pylist()])
        yield from _column(name, column.flatten())
    elif kinds.is_floating(column.type):
        yield name, column.to_numpy(zero_copy_only=False)
    else:
        yield name, np.array([repr(value) for value in column.to_pylist()])


def _read_npy(path: Path) -> Arrays:
    return {"array": np.load(path, allow_pickle=False)}


def _read_npz(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _read_safetensors(path: Path) -> Arrays:
    from safetensors.numpy import load_file

    tensors = dict(sorted(load_file(path).items()))
    floats = {name: tensor for name, tensor in tensors.items() if tensor.dtype.kind == "f"}
    rest = {name: tensor for name, tensor in tensors.items() if name not in floats}
    shapes = np.array([f"{name} {tensor.shape}" for name, tensor in floats.items()])
    flat = [tensor.ravel().astype(np.float64) for tensor in floats.values()]
    return {**rest, "shapes": shapes, WEIGHTS: np.concatenate([np.zeros(0), *flat])}


def _read_csv(path: Path) -> Arrays:
    import csv

    with open(path, newline="", encoding="utf-8") as stream:
        rows = list(csv.reader(stream))
    header, *body = rows
    return {name: _cells([row[column] for row in body]) for column, name in enumerate(header)}


def _cells(texts: list[str]) -> np.ndarray:
    """A column of numbers as numbers, an empty cell as none; any other column as text."""
    try:
        return np.array([float(text or "nan") for text in texts])
    except ValueError:
        return np.array(texts)


def _read_json(path: Path) -> Arrays:
    places = dict(_places("", json.loads(path.read_bytes())))
    floats = {place: np.array(value) for place, value in places.items() if isinstance(value, float)}
    rest = [f"{place}={value!r}" for place, value in places.items() if place not in floats]
    return {**floats, "values": np.array(rest)}


def _places(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _places(f"{place}.{name}", inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _places(f"{place}[{number}]", inner)
    else:
        yield place, value


def _read_png(path: Path) -> Arrays:
    """A picture by its share of unequal bytes: a line may move by a pixel."""
    from PIL import Image

    with Image.open(path) as image:
        return {"pixels": np.asarray(image.convert("RGB"))}


READERS: dict[str, Callable[[Path], Arrays]] = {
    ".parquet": _read_parquet,
    ".csv": _read_csv,
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".safetensors": _read_safetensors,
    ".json": _read_json,
    ".png": _read_png,
}
