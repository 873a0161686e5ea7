"""How far files lie apart."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from safetensors.numpy import save_file

from workflow_scripts.provenance.verify.compare import Deviation, deviation


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    """Two places for files."""
    return tmp_path / "ours", tmp_path / "theirs"


def test_a_number_counts_against_the_largest_of_its_column(both: tuple[Path, Path]) -> None:
    for path, value in zip(both, (8.001, 8.0), strict=True):
        pq.write_table(pa.table({"x": [value, 1.0], "small": [value / 1e6, 0.0], "name": ["a", "b"]}), path)
    found = deviation(*both, ".parquet")
    assert isinstance(found, Deviation)
    assert found.number == pytest.approx(0.001 / 8)
    assert (found.unequal, found.where) == (0.5, "x")
    assert deviation(*both, ".parquet", bound=0.001) == Deviation(found.number, 0.0, "x")


def test_other_cells_count_by_share_and_lists_by_length_and_content(both: tuple[Path, Path]) -> None:
    names = ["a", "b", None, "d"]
    pq.write_table(pa.table({"name": names, "list": [[1.0], [], [2.0], [3.0]]}), both[1])
    pq.write_table(pa.table({"name": ["a", "B", None, "D"], "list": [[1.0], [], [2.0], [3.5]]}), both[0])
    assert deviation(*both, ".parquet") == Deviation(0.5 / 3.0, 0.5, "list")
    pq.write_table(pa.table({"name": names, "list": [[1.0], [2.0], [], [3.0]]}), both[0])
    assert deviation(*both, ".parquet") == Deviation(0.0, 0.5, "list (lengths)")


def test_tensors_arrays_json_and_pictures(both: tuple[Path, Path]) -> None:
    for path, shift in zip(both, (0.5, 0.0), strict=True):
        weights = np.array([3.0 + shift, 4.0], np.float32)
        save_file({"w": weights, "b": np.zeros(2, np.float32), "n": np.array([3])}, path)
    assert deviation(*both, "/last.safetensors") == Deviation(0.5 / 5.0, 1.0, "weights")
    assert deviation(*both, "/last.safetensors", bound=0.1) == Deviation(0.5 / 5.0, 0.0, "weights")
    for path, shift in zip(both, (0.5, 0.0), strict=True):
        np.savez(path.with_suffix(".npz"), maps=np.array([[1.0, 2.0 + shift]]), image=np.array([1, 2]))
    assert deviation(*(path.with_suffix(".npz") for path in both), ".npz") == Deviation(0.25, 0.5, "maps")
    for path, value in zip(both, ("4.5,b", "4.0,a"), strict=True):
        path.write_text(f"x,name\n{value}\n,c\n")
    assert deviation(*both, ".csv") == Deviation(0.125, 1.0, "x")
    for path, shift in zip(both, (1, 0), strict=True):
        with open(path, "wb") as stream:
            np.save(stream, np.array([7, 8 + shift]))
    assert deviation(*both, ".npy") == Deviation(0.0, 0.5, "array")
    for path, values in zip(both, ({"a": [1.5, "x"], "b": None}, {"a": [1.25, "y"], "b": None}), strict=True):
        path.write_text(json.dumps(values))
    assert deviation(*both, ".json") == Deviation(0.25 / 1.25, 1.0, ".a[0]")
    assert deviation(*both, ".json", bound=0.2) == Deviation(0.25 / 1.25, 0.5, "values")
    for path, colour in zip(both, (9, 8), strict=True):
        image = Image.new("L", (2, 2), 8)
        image.putpixel((0, 0), colour)
        image.save(path, "PNG")
    assert deviation(*both, ".png") == Deviation(0.0, 0.25, "pixels")


def test_weights_of_another_form_or_that_are_none_never_pass(both: tuple[Path, Path]) -> None:
    save_file({"w": np.zeros((2, 3), np.float32)}, both[0])
    save_file({"w": np.zeros((3, 2), np.float32)}, both[1])
    assert deviation(*both, ".safetensors") == Deviation(0.0, 1.0, "shapes")
    save_file({"w": np.full((3, 2), np.nan, np.float32)}, both[0])
    assert deviation(*both, ".safetensors") == Deviation(float("inf"), 1.0, "weights")


def test_numbers_that_are_none_must_be_none_in_both(both: tuple[Path, Path]) -> None:
    for path, value in zip(both, (1.0, float("nan")), strict=True):
        with open(path, "wb") as stream:
            np.save(stream, np.array([value, 1.0]))
    assert deviation(*both, ".npy") == Deviation(float("inf"), 1.0, "array")
    assert deviation(both[1], both[1], ".npy") == Deviation(0.0, 0.0, "")


def test_other_names_forms_kinds_and_broken_files_are_said(both: tuple[Path, Path]) -> None:
    pq.write_table(pa.table({"x": [1.0]}), both[0])
    pq.write_table(pa.table({"y": [1.0]}), both[1])
    assert deviation(*both, ".parquet") == "names differ: x, y"
    pq.write_table(pa.table({"x": [1.0, 2.0]}), both[1])
    assert "x has another type or shape" in str(deviation(*both, ".parquet"))
    both[1].write_bytes(b"PAR1")
    assert "can't be read" in str(deviation(*both, ".parquet"))
    assert deviation(*both, ".tar") == "files of this kind are compared by bytes only"


def test_no_pickle_is_ever_loaded(both: tuple[Path, Path]) -> None:
    for path in both:
        with open(path, "wb") as stream:
            np.save(stream, np.array([{}], dtype=object), allow_pickle=True)
    assert "can't be read" in str(deviation(*both, ".npy"))
