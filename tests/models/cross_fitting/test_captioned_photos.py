"""Captioned photos: read, merged by content, or refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from tests.models.small_photos import save_photos
from workflow_scripts.core.errors import PipelineError
from workflow_scripts.models.cross_fitting.captioned_photos import CaptionedPhotos, captioned_photos, pixel_hash


def features(images: list[Image.Image]) -> torch.Tensor:
    """Mean colour."""
    return torch.stack([torch.tensor(np.asarray(image, dtype=np.float32).mean(axis=(0, 1))) for image in images])


def vectors(texts: list[str]) -> torch.Tensor:
    """Length and number of words."""
    return torch.tensor([[len(text), len(text.split())] for text in texts], dtype=torch.float32)


def read(folder: Path) -> CaptionedPhotos:
    return captioned_photos(folder, features, vectors)  # type: ignore[arg-type]


def test_values(tmp_path: Path) -> None:
    save_photos(tmp_path, 35)  # more than a batch
    found = read(tmp_path)
    rows = pq.read_table(tmp_path / "captions.parquet").to_pylist()
    images = [Image.open(tmp_path / row["file"]) for row in rows]
    assert found.hashes == [pixel_hash(image) for image in images] and len(set(found.hashes)) == 35
    np.testing.assert_allclose(found.features, features(images).numpy())
    np.testing.assert_allclose(found.vectors, [vectors(row["captions"]).mean(0).numpy() for row in rows])


def test_copies_of_a_photo_are_one_photo(tmp_path: Path) -> None:
    save_photos(tmp_path, 3)
    Image.open(tmp_path / "images/0.png").save(tmp_path / "images/copy.png", compress_level=0, dpi=(72, 72))
    rows = [*pq.read_table(tmp_path / "captions.parquet").to_pylist(), {"file": "images/copy.png", "captions": ["sky"]}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "captions.parquet")
    found = read(tmp_path)
    assert len(found.hashes) == 3
    np.testing.assert_allclose(found.vectors[0], vectors(["a red wall", "something red", "sky"]).mean(0).numpy())


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"captions": ["a"]}, "no column file"),
        ({"file": "images/0.png"}, "no column captions"),
        ({"file": "images/0.png", "captions": 3}, "unreadable captioned photos"),
        ({"file": "images/9.png", "captions": ["a"]}, "missing image of captioned photos .*images/9.png"),
        ({"file": "../secret.png", "captions": ["a"]}, "image outside the captioned photos"),
        ({"file": "/etc/passwd", "captions": ["a"]}, "image outside the captioned photos"),
        ({"file": "captions.parquet", "captions": ["a"]}, "corrupt image of captioned photos"),
        ({"file": None, "captions": ["a"]}, "row 0: no file"),
        ({"file": "images/0.png", "captions": ["a", None]}, "row 0: a caption is missing or blank"),
        ({"file": "images/0.png", "captions": ["a", " "]}, "row 0: a caption is missing or blank"),
        ({"file": "images/0.png", "captions": []}, "row 0: a caption is missing or blank"),
        ({"file": "images/0.png", "captions": None}, "row 0: a caption is missing or blank"),
    ],
)
def test_faulty_tables(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    save_photos(tmp_path, 1)
    schema = pa.schema([("file", pa.string()), ("captions", pa.list_(pa.string()))])
    plain = set(row) == {"file", "captions"} and row["captions"] != 3
    pq.write_table(pa.Table.from_pylist([row], schema if plain else None), tmp_path / "captions.parquet")
    with pytest.raises(PipelineError, match=said):
        read(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.unlink(), "unreadable captioned photos .*give a folder with captions.parquet"),
        (lambda path: path.write_bytes(path.read_bytes()[:-20]), "unreadable captioned photos"),
        (lambda path: pq.write_table(pq.read_table(path).slice(0, 0), path), "no rows"),
    ],
    ids=["missing", "truncated", "empty"],
)
def test_no_table(tmp_path: Path, spoil: Callable[[Path], object], said: str) -> None:
    save_photos(tmp_path, 1)
    spoil(tmp_path / "captions.parquet")
    with pytest.raises(PipelineError, match=said):
        read(tmp_path)
