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
from workflow_scripts.models.cross_fit import PENALTIES, CaptionedPhotos, captioned_photos, cross_fit, pixel_hash

COUNT, FOLDS = 40, 4


def features(images: list[Image.Image]) -> torch.Tensor:
    """Mean colour."""
    return torch.stack([torch.tensor(np.asarray(image, dtype=np.float32).mean(axis=(0, 1))) for image in images])


def vectors(texts: list[str]) -> torch.Tensor:
    """Length and number of words."""
    return torch.tensor([[len(text), len(text.split())] for text in texts], dtype=torch.float32)


def read(folder: Path) -> CaptionedPhotos:
    return captioned_photos(folder, features, vectors)  # type: ignore[arg-type]


def test_captioned_photos_have_the_expected_features_and_vectors(tmp_path: Path) -> None:
    save_photos(tmp_path, 35)  # more than a batch
    found = read(tmp_path)
    rows = pq.read_table(tmp_path / "captions.parquet").to_pylist()
    images = [Image.open(tmp_path / row["file"]) for row in rows]
    assert found.hashes == [pixel_hash(image) for image in images] and len(set(found.hashes)) == 35
    np.testing.assert_allclose(found.features, features(images).numpy())
    np.testing.assert_allclose(found.vectors, [vectors(row["captions"]).mean(0).numpy() for row in rows])


def test_copies_of_a_photo_are_merged(tmp_path: Path) -> None:
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
def test_faulty_caption_tables_are_an_error(tmp_path: Path, row: dict[str, Any], said: str) -> None:
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
def test_a_missing_damaged_or_empty_caption_table_is_an_error(
    tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    save_photos(tmp_path, 1)
    spoil(tmp_path / "captions.parquet")
    with pytest.raises(PipelineError, match=said):
        read(tmp_path)


def photos(seed: int = 0, count: int = COUNT) -> CaptionedPhotos:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(count, 6)).astype(np.float32)
    vectors = features @ rng.normal(size=(6, 3)) + rng.normal(size=(count, 3))
    return CaptionedPhotos(Path("photos"), [f"{n:02d}" for n in range(count)], features, vectors.astype(np.float32))


def ridge(x: np.ndarray, y: np.ndarray, penalty: float, new: np.ndarray) -> np.ndarray:
    """Closed form on standardised features, with an intercept that is not penalised."""
    mean, spread = x.mean(0), x.std(0)
    z = (x - mean) / spread
    weights = np.linalg.solve(z.T @ z + penalty * np.eye(z.shape[1]), z.T @ (y - y.mean(0)))
    return np.asarray((new - mean) / spread @ weights + y.mean(0))


def leave_one_out(x: np.ndarray, y: np.ndarray, penalty: float) -> float:
    """Mean squared error of photos whose row is left out of the sums, with the scale of all of them."""
    z, n = (x - x.mean(0)) / x.std(0), len(x)
    errors = []
    for row in range(n):
        rest = np.arange(n) != row
        mean = z[rest].mean(0)
        centred = z[rest] - mean
        weights = np.linalg.solve(
            centred.T @ centred + penalty * np.eye(z.shape[1]), centred.T @ (y[rest] - y[rest].mean(0))
        )
        errors.append((z[row] - mean) @ weights + y[rest].mean(0) - y[row])
    return float(np.square(errors).mean())


def test_predictions_in_closed_form() -> None:
    given = photos()
    fitted = cross_fit(given, FOLDS)
    x, y = given.features.astype(float), given.vectors.astype(float)
    new = np.random.default_rng(5).normal(size=(3, 6)).astype(np.float32)
    found = fitted.predict(np.concatenate([given.features, new]), [*given.hashes, "x", "y", "z"])
    assert found.dtype == np.float32 and found.shape == (COUNT + 3, 3)
    means = []
    for fold in range(FOLDS):
        rest = np.arange(COUNT) % FOLDS != fold
        penalty = min(PENALTIES, key=lambda one: leave_one_out(x[rest], y[rest], one))
        predicted = ridge(x[rest], y[rest], penalty, np.concatenate([x[~rest], new]))
        np.testing.assert_allclose(found[:COUNT][~rest], predicted[:-3], rtol=1e-3, atol=1e-4)
        means.append(predicted[-3:])
    np.testing.assert_allclose(found[COUNT:], np.mean(means, axis=0), rtol=1e-3, atol=1e-4)


def test_the_prediction_for_a_photo_ignores_its_captions() -> None:
    given = photos()
    before = cross_fit(given, FOLDS).predict(given.features, given.hashes)
    given.vectors[7] += 100
    after = cross_fit(given, FOLDS).predict(given.features, given.hashes)
    same = np.arange(COUNT) % FOLDS == 7 % FOLDS
    np.testing.assert_array_equal(before[same], after[same])
    assert (np.abs(before - after)[~same].max(axis=1) > 0.1).all()


def test_the_order_of_photos_does_not_matter() -> None:
    given = photos()
    turned = CaptionedPhotos(given.folder, given.hashes[::-1], given.features[::-1], given.vectors[::-1])
    first, second = (cross_fit(one, FOLDS).predict(given.features, given.hashes) for one in (given, turned))
    np.testing.assert_array_equal(first, second)


def test_too_few_captioned_photos_are_an_error() -> None:
    with pytest.raises(PipelineError, match=r"too few captioned photos .* 39 different ones; give at least 40"):
        cross_fit(photos(count=39), FOLDS)
